// The scripted guest: its arguments say what it does, one step after the other, so that a new test needs no new guest.
//
//   scripted.wasm STEP [WORD…] [, STEP [WORD…]]…
//
// Steps are separated by a lone comma; guests/README.md lists them. A step that fails prints `STEP: what the system said` on stderr
// and ends the guest with 1, unless the step before it was `try`, which prints `try: ERRNO-TEXT` on stdout and goes on.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

extern char **environ;

static int trying;

// Straight to the descriptor: no buffer that a kill or a trap could lose.
static void put(int fd, const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, text, length);
    if (written <= 0) return;
    text += written;
    length -= (size_t)written;
  }
}

static void say(const char *format, ...) {
  char line[4096];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(line, sizeof line, format, list);
  va_end(list);
  put(1, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

static int failed(const char *step) {
  if (trying) {
    say("try: %s\n", strerror(errno));
    return 0;
  }
  char line[512];
  int length = snprintf(line, sizeof line, "%s: %s\n", step, strerror(errno));
  put(2, line, (size_t)length);
  return 1;
}

static void nap(long milliseconds) {
  struct timespec time = {milliseconds / 1000, (milliseconds % 1000) * 1000000};
  nanosleep(&time, NULL);
}

static void print_words(int fd, int count, char **words) {
  char line[8192];
  size_t length = 0;
  for (int i = 0; i < count; i++) {
    size_t size = strlen(words[i]);
    if (length + size + 2 > sizeof line) break;
    if (i > 0) line[length++] = ' ';
    memcpy(line + length, words[i], size);
    length += size;
  }
  line[length++] = '\n';
  put(fd, line, length);
}

// --- words and waiting

static int step_print(int count, char **words) { print_words(1, count, words); return 0; }
static int step_error(int count, char **words) { print_words(2, count, words); return 0; }
static int step_write_raw(int count, char **words) { put(1, words[0], strlen(words[0])); return count < 1; }
static int step_exit(int count, char **words) { (void)count; __wasi_proc_exit((uint32_t)strtoul(words[0], NULL, 10)); }
static int step_sleep(int count, char **words) { (void)count; nap(atol(words[0])); return 0; }
static int step_yield(int count, char **words) { (void)count; (void)words; return __wasi_sched_yield(); }
static int step_abort(int count, char **words) { (void)count; (void)words; abort(); }
static int step_trap(int count, char **words) { (void)count; (void)words; __builtin_trap(); }
static int step_raise(int count, char **words) {
  (void)count;
  __attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise"))) extern int proc_raise(int);
  return proc_raise(atoi(words[0]));
}

static int step_divide(int count, char **words) {
  (void)count;
  volatile int zero = atoi(words[0]);
  volatile int seven = 7;
  say("%d\n", seven / zero);
  return 0;
}

static volatile int sink;
static int recurse(int depth) { volatile char pad[64]; pad[0] = (char)depth; return recurse(depth + 1) + pad[0]; }
static int step_overflow(int count, char **words) { (void)words; sink = recurse(count); return 0; }

static int step_loop(int count, char **words) {
  (void)count; (void)words;
  for (;;) sink++;
}

// Works without a call for about that many milliseconds.
static int step_spin(int count, char **words) {
  (void)count;
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  long want = atol(words[0]);
  do {
    for (int i = 0; i < 100000; i++) sink++;
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < want);
  return 0;
}

// Prints a numbered line every so many milliseconds: `tick MS [COUNT]`.
static int step_tick(int count, char **words) {
  long limit = count > 1 ? atol(words[1]) : -1;
  for (long i = 0; limit < 0 || i < limit; i++) {
    say("tick %ld\n", i);
    nap(atol(words[0]));
  }
  return 0;
}

static int step_forever(int count, char **words) {
  (void)count; (void)words;
  for (;;) nap(3600 * 1000L);
}

// --- memory

// Grows the memory by so many MiB in pages of 64 KiB and touches each; says how many pages there are.
static int step_grow(int count, char **words) {
  (void)count;
  long pages = atol(words[0]) * 16;
  for (long i = 0; i < pages; i++) {
    size_t before = __builtin_wasm_memory_grow(0, 1);
    if (before == (size_t)-1) {
      errno = ENOMEM;
      return failed("grow");
    }
    *(volatile char *)(before * 65536) = 1;
  }
  say("pages %zu\n", __builtin_wasm_memory_size(0));
  return 0;
}

// Allocates until there is no more, then gives up as programs do: with a trap.
static int step_eat(int count, char **words) {
  (void)count; (void)words;
  for (;;) {
    if (__builtin_wasm_memory_grow(0, 16) == (size_t)-1) __builtin_trap();
  }
}

// --- environment

static int step_args(int count, char **words) {
  for (int i = 0; i < count; i++) say("%d %s\n", i, words[i]);
  return 0;
}

static int step_env(int count, char **words) {
  for (char **at = environ; count == 0 && at != NULL && *at != NULL; at++) say("%s\n", *at);
  for (int i = 0; i < count; i++) {
    const char *value = getenv(words[i]);
    say("%s=%s\n", words[i], value == NULL ? "(unset)" : value);
  }
  return 0;
}

static int step_cwd(int count, char **words) {
  (void)count; (void)words;
  char path[4096];
  if (getcwd(path, sizeof path) == NULL) return failed("cwd");
  say("%s\n", path);
  return 0;
}

static int step_clock(int count, char **words) {
  struct timespec time;
  int monotonic = count > 0 && strcmp(words[0], "monotonic") == 0;
  if (clock_gettime(monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, &time) != 0) return failed("clock");
  say("%lld.%09ld\n", (long long)time.tv_sec, time.tv_nsec);
  return 0;
}

static int step_random(int count, char **words) {
  (void)count;
  unsigned char bytes[256];
  size_t size = strtoul(words[0], NULL, 10);
  if (size > sizeof bytes) size = sizeof bytes;
  if (__wasi_random_get(bytes, size) != 0) return failed("random");
  for (size_t i = 0; i < size; i++) say("%02x", bytes[i]);
  say("\n");
  return 0;
}

// --- files

static int copy_out(int from) {
  char bytes[4096];
  ssize_t size;
  while ((size = read(from, bytes, sizeof bytes)) > 0) put(1, bytes, (size_t)size);
  return size < 0;
}

static int step_cat(int count, char **words) {
  for (int i = 0; i < count; i++) {
    int fd = open(words[i], O_RDONLY);
    if (fd < 0 || copy_out(fd)) return failed("cat");
    close(fd);
  }
  return 0;
}

static int step_stdin(int count, char **words) { (void)count; (void)words; return copy_out(0) ? failed("stdin") : 0; }

static int write_file(const char *step, int flags, int count, char **words) {
  int fd = open(words[0], O_WRONLY | O_CREAT | flags, 0644);
  if (fd < 0) return failed(step);
  if (count > 1) print_words(fd, count - 1, words + 1);
  return close(fd) == 0 ? 0 : failed(step);
}

static int step_write(int count, char **words) { return write_file("write", O_TRUNC, count, words); }
static int step_append(int count, char **words) { return write_file("append", O_APPEND, count, words); }
static int step_create(int count, char **words) { return write_file("create", O_EXCL, count, words); }
static int step_touch(int count, char **words) { (void)count; return write_file("touch", 0, 1, words); }

// `fill PATH KIB`: writes so many KiB.
static int step_fill(int count, char **words) {
  (void)count;
  char block[1024];
  memset(block, 'x', sizeof block);
  int fd = open(words[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return failed("fill");
  for (long i = atol(words[1]); i > 0; i--) {
    if (write(fd, block, sizeof block) != sizeof block) return failed("fill");
  }
  if (fsync(fd) != 0) return failed("fill");
  return close(fd) == 0 ? 0 : failed("fill");
}

static int step_list(int count, char **words) {
  DIR *directory = opendir(count > 0 ? words[0] : ".");
  if (directory == NULL) return failed("list");
  struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) say("%s\n", entry->d_name);
  }
  closedir(directory);
  return 0;
}

static int print_stat(const char *step, int error, struct stat *status) {
  if (error != 0) return failed(step);
  const char *type = S_ISDIR(status->st_mode) ? "directory" : S_ISLNK(status->st_mode) ? "link" : S_ISREG(status->st_mode) ? "file" : "other";
  say("%s %lld links %llu\n", type, (long long)status->st_size, (unsigned long long)status->st_nlink);
  return 0;
}

static int step_stat(int count, char **words) {
  (void)count;
  struct stat status;
  return print_stat("stat", stat(words[0], &status), &status);
}

static int step_lstat(int count, char **words) {
  (void)count;
  struct stat status;
  return print_stat("lstat", lstat(words[0], &status), &status);
}

static int done(const char *step, int error) { return error != 0 ? failed(step) : 0; }
static int step_mkdir(int count, char **words) { (void)count; return done("mkdir", mkdir(words[0], 0755)); }
static int step_rmdir(int count, char **words) { (void)count; return done("rmdir", rmdir(words[0])); }
static int step_remove(int count, char **words) { (void)count; return done("remove", unlink(words[0])); }
static int step_rename(int count, char **words) { (void)count; return done("rename", rename(words[0], words[1])); }
static int step_link(int count, char **words) { (void)count; return done("link", link(words[0], words[1])); }
static int step_symlink(int count, char **words) { (void)count; return done("symlink", symlink(words[0], words[1])); }
static int step_truncate(int count, char **words) { (void)count; return done("truncate", truncate(words[0], atol(words[1]))); }

static int step_readlink(int count, char **words) {
  (void)count;
  char target[4096];
  ssize_t size = readlink(words[0], target, sizeof target - 1);
  if (size < 0) return failed("readlink");
  target[size] = 0;
  say("%s\n", target);
  return 0;
}

// Waits until a file exists: `await PATH`.
static int step_await(int count, char **words) {
  (void)count;
  while (access(words[0], F_OK) != 0) nap(20);
  return 0;
}

// --- network

// The address is asked for, since older libcs write it without looking whether there is room.
static int accept_at(int fd) {
  struct sockaddr address;
  socklen_t length = sizeof address;
  return accept(fd, &address, &length);
}

// `echo FD`: sends one connection's bytes back until its end.
static int step_echo(int count, char **words) {
  (void)count;
  int fd = accept_at(atoi(words[0]));
  if (fd < 0) return failed("echo");
  char bytes[4096];
  ssize_t size;
  while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0) {
    if (send(fd, bytes, (size_t)size, 0) != size) return failed("echo");
  }
  close(fd);
  return size < 0 ? failed("echo") : 0;
}

// One HTTP request: reads to the empty line, answers with the words. Path and name of the guest's choice are in the body.
static int answer(int fd, int count, char **words) {
  char request[8192];
  size_t length = 0;
  while (length < sizeof request - 1) {
    ssize_t size = recv(fd, request + length, sizeof request - 1 - length, 0);
    if (size <= 0) break;
    length += (size_t)size;
    request[length] = 0;
    if (strstr(request, "\r\n\r\n") != NULL) break;
  }
  char path[256] = "/";
  sscanf(request, "%*15s %255s", path);
  char body[4096];
  size_t size = (size_t)snprintf(body, sizeof body, "%s", path);
  for (int i = 0; i < count && size < sizeof body - 512; i++) size += (size_t)snprintf(body + size, 512, " %s", words[i]);
  body[size++] = '\n';
  char head[256];
  int fits = snprintf(head, sizeof head,
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n", size);
  ssize_t sent = send(fd, head, (size_t)fits, 0);
  if (sent > 0) sent = send(fd, body, size, 0);
  close(fd);
  return sent < 0;
}

// `serve FD [WORD…]`: answers HTTP requests for ever with the path and the words.
static int step_serve(int count, char **words) {
  for (;;) {
    int fd = accept_at(atoi(words[0]));
    if (fd < 0) return failed("serve");
    answer(fd, count - 1, words + 1);
  }
}

// `answer FD TIMES [WORD…]`: the same, so many times.
static int step_answer(int count, char **words) {
  for (long i = atol(words[1]); i > 0; i--) {
    int fd = accept_at(atoi(words[0]));
    if (fd < 0) return failed("answer");
    answer(fd, count - 2, words + 2);
  }
  return 0;
}

// `poll FD MS`: waits until the descriptor can be read, or for the time; says which.
static int step_poll(int count, char **words) {
  (void)count;
  struct pollfd wanted = {.fd = atoi(words[0]), .events = POLLIN};
  int ready = poll(&wanted, 1, atoi(words[1]));
  if (ready < 0) return failed("poll");
  say(ready == 0 ? "timeout\n" : wanted.revents & POLLNVAL ? "invalid\n" : "readable\n");
  return 0;
}

// `nonblock FD`: accepts without waiting; says what the system said.
static int step_nonblock(int count, char **words) {
  (void)count;
  int fd = atoi(words[0]);
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return failed("nonblock");
  int connection = accept_at(fd);
  say("%s\n", connection >= 0 ? "accepted" : strerror(errno));
  return 0;
}

static int step_try(int count, char **words);

static const struct {
  const char *name;
  int words;
  int (*run)(int count, char **words);
} STEPS[] = {
  {"print", 0, step_print}, {"error", 0, step_error}, {"write-raw", 1, step_write_raw}, {"exit", 1, step_exit},
  {"sleep", 1, step_sleep}, {"yield", 0, step_yield}, {"abort", 0, step_abort}, {"trap", 0, step_trap},
  {"raise", 1, step_raise}, {"divide", 1, step_divide}, {"overflow", 0, step_overflow}, {"loop", 0, step_loop},
  {"spin", 1, step_spin}, {"tick", 1, step_tick}, {"forever", 0, step_forever}, {"grow", 1, step_grow},
  {"eat", 0, step_eat}, {"args", 0, step_args}, {"env", 0, step_env}, {"cwd", 0, step_cwd}, {"clock", 0, step_clock},
  {"random", 1, step_random}, {"cat", 1, step_cat}, {"stdin", 0, step_stdin}, {"write", 1, step_write},
  {"append", 1, step_append}, {"create", 1, step_create}, {"touch", 1, step_touch}, {"fill", 2, step_fill},
  {"list", 0, step_list}, {"stat", 1, step_stat}, {"lstat", 1, step_lstat}, {"mkdir", 1, step_mkdir},
  {"rmdir", 1, step_rmdir}, {"remove", 1, step_remove}, {"rename", 2, step_rename}, {"link", 2, step_link},
  {"symlink", 2, step_symlink}, {"truncate", 2, step_truncate}, {"readlink", 1, step_readlink}, {"await", 1, step_await},
  {"echo", 1, step_echo}, {"serve", 1, step_serve}, {"answer", 2, step_answer}, {"poll", 2, step_poll},
  {"nonblock", 1, step_nonblock}, {"try", 1, step_try},
};

static int run(int count, char **words) {
  for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
    if (strcmp(STEPS[i].name, words[0]) != 0) continue;
    if (count - 1 >= STEPS[i].words) return STEPS[i].run(count - 1, words + 1);
    break;
  }
  errno = EINVAL;
  return failed(words[0]);
}

static int step_try(int count, char **words) {
  trying = 1;
  int code = run(count, words);
  trying = 0;
  return code;
}

int main(int count, char **words) {
  int start = 1;
  for (int at = 1; at <= count; at++) {
    if (at < count && strcmp(words[at], ",") != 0) continue;
    if (at > start) {
      int code = run(at - start, words + start);
      if (code != 0) return code;
    }
    start = at + 1;
  }
  return 0;
}
