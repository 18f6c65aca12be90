// The hostile guest: tries one way out, named by its first argument, by WASI's raw calls, and says what each came to.
//
//   hostile.wasm WAY [WORD…]
//
// Lines are `CALL PATH: ERRNO`, or `CALL PATH: GOT bytes` for what was read. Who runs it decides what was an escape (test/escape).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
typedef uint32_t u32;
typedef uint64_t u64;

WASI(path_open) u32 raw_open(u32 fd, u32 dirflags, const char *path, u32 length, u32 oflags, u64 rights, u64 inherit, u32 flags, u32 *result);
WASI(path_filestat_get) u32 raw_stat(u32 fd, u32 flags, const char *path, u32 length, void *result);
WASI(path_readlink) u32 raw_readlink(u32 fd, const char *path, u32 length, char *buffer, u32 size, u32 *used);
WASI(path_unlink_file) u32 raw_unlink(u32 fd, const char *path, u32 length);
WASI(path_create_directory) u32 raw_mkdir(u32 fd, const char *path, u32 length);
WASI(path_remove_directory) u32 raw_rmdir(u32 fd, const char *path, u32 length);
WASI(path_symlink) u32 raw_symlink(const char *text, u32 size, u32 fd, const char *path, u32 length);
WASI(path_link) u32 raw_link(u32 fd, u32 flags, const char *path, u32 length, u32 to, const char *target, u32 size);
WASI(path_rename) u32 raw_rename(u32 fd, const char *path, u32 length, u32 to, const char *target, u32 size);
WASI(fd_read) u32 raw_read(u32 fd, const void *vectors, u32 count, u32 *result);
WASI(fd_write) u32 raw_write(u32 fd, const void *vectors, u32 count, u32 *result);
WASI(fd_close) u32 raw_close(u32 fd);
WASI(fd_renumber) u32 raw_renumber(u32 from, u32 to);
WASI(fd_fdstat_get) u32 raw_fdstat(u32 fd, void *result);
WASI(fd_prestat_get) u32 raw_prestat(u32 fd, void *result);
WASI(fd_readdir) u32 raw_readdir(u32 fd, void *buffer, u32 size, u64 cookie, u32 *used);
WASI(fd_allocate) u32 raw_allocate(u32 fd, u64 offset, u64 size);
WASI(fd_filestat_set_size) u32 raw_resize(u32 fd, u64 size);
WASI(fd_pwrite) u32 raw_pwrite(u32 fd, const void *vectors, u32 count, u64 offset, u32 *result);
WASI(poll_oneoff) u32 raw_poll(const void *in, void *out, u32 count, u32 *result);
WASI(random_get) u32 raw_random(void *buffer, u32 size);
WASI(clock_time_get) u32 raw_clock(u32 id, u64 precision, u64 *result);
WASI(proc_raise) u32 raw_raise(u32 signal);
WASI(sock_accept) u32 raw_accept(u32 fd, u32 flags, u32 *result);
WASI(sock_send) u32 raw_send(u32 fd, const void *vectors, u32 count, u32 flags, u32 *sent);
WASI(sock_shutdown) u32 raw_shutdown(u32 fd, u32 how);
WASI(sched_yield) u32 raw_yield(void);

struct vector { const void *bytes; u32 size; };

static const u32 DIR = 3;
static const u64 ALL = 0x1fffffff;

static void say(const char *text) {
  struct vector out = {text, (u32)strlen(text)};
  u32 done;
  raw_write(1, &out, 1, &done);
}

static void told(const char *call, const char *path, u32 error) {
  char line[256];
  snprintf(line, sizeof line, "%s %.60s: %u\n", call, path, error);
  say(line);
}

static u32 opened(const char *path, u32 length, u32 oflags, u32 follow, u32 *fd) {
  u32 error = raw_open(DIR, follow, path, length, oflags, ALL, ALL, 0, fd);
  // Rights that a descriptor cannot have are refused in some hosts: ask for those to read.
  if (error == 76 || error == 28) error = raw_open(DIR, follow, path, length, oflags, 2, 0, 0, fd);
  return error;
}

static void read_out(const char *call, const char *path, u32 fd) {
  char bytes[200];
  struct vector in = {bytes, 100};
  u32 size = 0;
  u32 error = raw_read(fd, &in, 1, &size);
  if (error != 0) { told(call, path, error); return; }
  bytes[size] = 0;
  char line[400];
  snprintf(line, sizeof line, "%s %.60s: GOT %s\n", call, path, bytes);
  say(line);
}

// Each path by each call that takes one. The folder has links to outside, made by who runs this.
static const struct { const char *path; u32 length; } PATHS[] = {
#define P(text) {text, sizeof text - 1}
  P(".."), P("../"), P("../secret"), P("../../secret"), P("../../../../../../../../etc/passwd"), P("/etc/passwd"), P("//etc/passwd"),
  P("/"), P("./../secret"), P("inner/../../secret"), P("inner/../../../victim/pods/v/data/secret"), P("inner//..//..//secret"), P("up"), P("up/secret"), P("up/../secret"),
  P("absolute"), P("absolute/secret"), P("etc/passwd"), P("loop"), P("loop/x"), P("chain"), P("chain/secret"), P("proc/self/environ"), P("proc/self/root/etc/passwd"),
  P("proc/self/fd/0"), P("proc/self/fd/1"), P("proc/1/root/etc/passwd"), P("magic"), P("magic/secret"), P("inner/up"), P("inner/up/secret"), P("..\0/x"), P("inner\0/../../secret"),
  P("\xff\xfe/../.."), P("\xc0\xae\xc0\xae/secret"), P("..\\secret"), P("...."), P(".. /secret"), P("%2e%2e/secret"), P("hard"), P("device"), P("pipe"),
};

static void paths(int count, char **words) {
  (void)count; (void)words;
  char buffer[512];
  u32 fd, used;
  for (u32 i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
    const char *path = PATHS[i].path;
    u32 length = PATHS[i].length;
    if (strcmp(path, "pipe") == 0 || strcmp(path, "device") == 0) { told("stat", path, raw_stat(DIR, 0, path, length, buffer)); continue; }
    for (u32 follow = 0; follow < 2; follow++) {
      u32 error = opened(path, length, 0, follow, &fd);
      if (error == 0) { read_out("open", path, fd); raw_close(fd); } else told("open", path, error);
      error = opened(path, length, 2, follow, &fd);
      if (error == 0) {
        u32 listed = raw_readdir(fd, buffer, sizeof buffer, 0, &used);
        told("directory", path, listed == 0 ? 1000 + used : listed);
        raw_close(fd);
      }
      told("stat", path, raw_stat(DIR, follow, path, length, buffer));
      told("link from", path, raw_link(DIR, follow, path, length, DIR, "taken", 5));
      opened("taken", 5, 0, 0, &fd) == 0 ? read_out("taken", path, fd), raw_close(fd), raw_unlink(DIR, "taken", 5) : 0;
    }
    memset(buffer, 0, sizeof buffer);
    told("readlink", path, raw_readlink(DIR, path, length, buffer, sizeof buffer - 1, &used));
  }
}

// Calls that change: each path as a target.
static void changes(int count, char **words) {
  (void)count; (void)words;
  u32 fd;
  for (u32 i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
    const char *path = PATHS[i].path;
    u32 length = PATHS[i].length;
    if (strcmp(path, "pipe") == 0 || strcmp(path, "device") == 0 || strcmp(path, "hard") == 0) continue;
    char below[128];
    memcpy(below, path, length);
    memcpy(below + length, "/planted", 8);
    told("mkdir", path, raw_mkdir(DIR, below, length + 8));
    told("symlink", path, raw_symlink("x", 1, DIR, below, length + 8));
    if (opened(below, length + 8, 1, 1, &fd) == 0) { told("create", path, 0); raw_close(fd); }
    if (opened(path, length, 8 | 1, 1, &fd) == 0) { told("truncate", path, 0); raw_close(fd); }
    told("rename to", path, raw_rename(DIR, "mine", 4, DIR, below, length + 8));
    told("rename from", path, raw_rename(DIR, path, length, DIR, "taken", 5));
    told("link to", path, raw_link(DIR, 0, "mine", 4, DIR, below, length + 8));
    told("unlink", path, raw_unlink(DIR, path, length));
    told("rmdir", path, raw_rmdir(DIR, path, length));
  }
  // Links of its own, and then through them.
  static const char *const TEXTS[] = {"/etc", "../../..", "..", "/proc/self/root", "inner/../../.."};
  for (u32 i = 0; i < 5; i++) {
    raw_unlink(DIR, "own", 3);
    told("symlink to", TEXTS[i], raw_symlink(TEXTS[i], (u32)strlen(TEXTS[i]), DIR, "own", 3));
    if (opened("own/passwd", 10, 0, 1, &fd) == 0) { read_out("own", TEXTS[i], fd); raw_close(fd); }
    if (opened("own/secret", 10, 0, 1, &fd) == 0) { read_out("own", TEXTS[i], fd); raw_close(fd); }
  }
}

static void names(int count, char **words) {
  (void)count; (void)words;
  static char name[1 << 20];
  u32 fd;
  static const u32 SIZES[] = {255, 256, 4095, 4096, 5000, 65536, 1 << 20};
  for (u32 i = 0; i < 7; i++) {
    memset(name, 'n', SIZES[i]);
    told("long name", "", opened(name, SIZES[i], 1, 1, &fd));
    for (u32 at = 0; at + 1 < SIZES[i]; at += 2) { name[at] = '.'; name[at + 1] = '/'; }
    told("many dots", "", opened(name, SIZES[i], 0, 1, &fd));
  }
  told("outside of memory", "", raw_open(DIR, 1, (const char *)0xfffffff0u, 100, 0, ALL, ALL, 0, &fd));
  told("result outside", "", raw_open(DIR, 1, "mine", 4, 0, ALL, ALL, 0, (u32 *)0xfffffffeu));
  for (int byte = 1; byte < 256; byte++) {
    char one[3] = {(char)byte, 'x', 0};
    if (byte != '/') opened(one, 2, 1, 1, &fd) == 0 ? raw_close(fd) : 0;
  }
  say("done\n");
}

// `race PATH ROUNDS`: opens again and again what somebody swaps for a link to outside.
static void race(int count, char **words) {
  long rounds = count > 1 ? atol(words[1]) : 20000;
  u32 fd, hits = 0, fails = 0;
  for (long i = 0; i < rounds; i++) {
    u32 error = opened(words[0], (u32)strlen(words[0]), 0, 1, &fd);
    if (error != 0) { fails++; continue; }
    char bytes[65];
    struct vector in = {bytes, 64};
    u32 size = 0;
    if (raw_read(fd, &in, 1, &size) == 0 && size > 0) {
      bytes[size] = 0;
      if (strncmp(bytes, "SECRET", 6) == 0) { say("race: GOT "); say(bytes); say("\n"); }
      else hits++;
    }
    raw_close(fd);
  }
  char line[80];
  snprintf(line, sizeof line, "opened %u refused %u\n", hits, fails);
  say(line);
}

static void descriptors(int count, char **words) {
  (void)count; (void)words;
  char buffer[64], line[80];
  u32 n, answered = 0, first = 99999;
  struct vector io = {buffer, 1};
  for (u32 fd = 0; fd <= 65535; fd++) {
    u32 any = raw_fdstat(fd, buffer) != 8;
    if (fd > 4) {
      any |= raw_read(fd, &io, 1, &n) != 8;
      any |= raw_write(fd, &io, 0, &n) != 8;
      any |= raw_readdir(fd, buffer, sizeof buffer, 0, &n) != 8;
      any |= raw_prestat(fd, buffer) != 8;
      any |= raw_accept(fd, 0, &n) != 8;
      any |= raw_shutdown(fd, 3) != 8;
      any |= raw_renumber(fd, 70000) != 8;
    }
    if (any) { answered++; if (fd > 3 && first == 99999) first = fd; }
  }
  static const u32 ODD[] = {0x7fffffffu, 0x80000000u, 0xffffffffu, 0xfffffffeu, 65536, 1u << 20, 1u << 30};
  for (u32 i = 0; i < 7; i++) if (raw_fdstat(ODD[i], buffer) != 8 || raw_close(ODD[i]) != 8) answered++;
  snprintf(line, sizeof line, "answered %u, first of others %u\n", answered, first);
  say(line);
}

static void renumber(int count, char **words) {
  (void)count; (void)words;
  u32 fd;
  told("renumber 3", "0x40000000", raw_renumber(3, 0x40000000u));
  told("renumber 3", "0xffffffff", raw_renumber(3, 0xffffffffu));
  told("renumber 9999", "3", raw_renumber(9999, 3));
  told("renumber 3", "3", raw_renumber(3, 3));
  told("renumber 0", "3", raw_renumber(0, 3));
  told("open by what was the folder", "", opened("../secret", 9, 0, 1, &fd));
  told("renumber 2", "1", raw_renumber(2, 1));
  told("close 1", "", raw_close(1));
  char line[] = "still here\n";
  struct vector out = {line, sizeof line - 1};
  u32 done;
  raw_write(2, &out, 1, &done);
  raw_write(1, &out, 1, &done);
}

static void exhaust(int count, char **words) {
  (void)count; (void)words;
  u32 fd, error = 0, opened_count = 0;
  for (; opened_count < 2000000; opened_count++) {
    error = raw_open(DIR, 0, "mine", 4, 0, 2, 0, 0, &fd);
    if (error != 0) break;
  }
  char line[80];
  snprintf(line, sizeof line, "exhausted %u error %u\n", opened_count, error);
  say(line);
}

// Vectors, counts and sizes that no memory has.
static void sizes(int count, char **words) {
  (void)count; (void)words;
  static struct vector many[100000];
  u32 n;
  struct vector huge = {(void *)16, 0xffffffffu};
  told("write 4 GiB", "", raw_write(1, &huge, 1, &n));
  told("read 4 GiB", "", raw_read(0, &huge, 1, &n));
  told("write vectors", "0xffffffff", raw_write(1, many, 0xffffffffu, &n));
  told("write vectors", "0x20000000", raw_write(1, many, 0x20000000u, &n));
  told("write 100000 vectors", "", raw_write(1, many, 100000, &n));
  for (u32 i = 0; i < 100000; i++) { many[i].bytes = many; many[i].size = 65536; }
  told("write 6 GB by overlap", "", raw_write(9999, many, 100000, &n));
  told("read by overlap", "", raw_read(0, many, 100000, &n));
  told("vectors outside", "", raw_write(1, (void *)0xfffffff8u, 4, &n));
  told("result outside", "", raw_write(1, many, 0, (u32 *)0xfffffffdu));
  told("random 4 GiB", "", raw_random((void *)0, 0xffffffffu));
  told("random outside", "", raw_random((void *)0xffffff00u, 0x1000));
  told("poll 0", "", raw_poll(many, many, 0, &n));
  told("poll", "0xffffffff", raw_poll(many, many, 0xffffffffu, &n));
  told("poll", "0x7fffffff", raw_poll(many, many, 0x7fffffffu, &n));
  told("poll", "89478486", raw_poll(many, many, 89478486u, &n));
  told("readdir 4 GiB", "", raw_readdir(DIR, (void *)16, 0xffffffffu, 0, &n));
  told("readdir odd cookie", "", raw_readdir(DIR, many, 4096, 0xffffffffffffffffull, &n));
  told("allocate", "2^63", raw_allocate(DIR, 0, 0x7fffffffffffffffull));
  u32 fd;
  if (raw_open(DIR, 0, "big", 3, 1, ALL, ALL, 0, &fd) == 0) {
    told("allocate file", "2^63-1", raw_allocate(fd, 0, 0x7fffffffffffffffull));
    told("resize file", "2^64-1", raw_resize(fd, 0xffffffffffffffffull));
    struct vector one = {"x", 1};
    told("write at", "2^64-1", raw_pwrite(fd, &one, 1, 0xffffffffffffffffull, &n));
    raw_close(fd);
    raw_unlink(DIR, "big", 3);
  }
  say("done\n");
}

// Many clocks at once, with times at the ends of what 64 bits hold.
static void polls(int count, char **words) {
  u32 n, total = count > 0 ? (u32)atol(words[0]) : 10000;
  u64 *in = calloc(total, 48);
  void *out = calloc(total, 32);
  if (in == NULL || out == NULL) { say("no memory\n"); return; }
  for (u32 i = 0; i < total; i++) {
    u64 *sub = in + (u64)i * 6;
    sub[0] = i;
    sub[1] = 0;
    sub[2] = 1;
    sub[3] = i == total - 1 && count < 2 ? 50000000ull : 0xffffffffffffffffull - i;
    sub[4] = i % 7 == 0 ? 0xffffffffffffffffull : 0;
    sub[5] = 0;
  }
  u32 error = raw_poll(in, out, total, &n);
  char line[80];
  snprintf(line, sizeof line, "polled %u: %u events %u\n", total, error, n);
  say(line);
}

static void clocks(int count, char **words) {
  (void)count; (void)words;
  u64 now;
  for (u32 id = 0; id < 20; id++) told("clock", "", raw_clock(id, 0, &now));
  told("clock", "odd", raw_clock(0xffffffffu, 0xffffffffffffffffull, &now));
  for (;;) raw_clock(1, 1, &now);
}

static void randoms(int count, char **words) {
  (void)count; (void)words;
  u32 size = 16 << 20;
  char *bytes = malloc(size);
  if (bytes == NULL) { say("no memory\n"); return; }
  say("started\n");
  for (;;) raw_random(bytes, size);
}

static void raises(int count, char **words) {
  told("raise", words[0], raw_raise(count > 0 ? (u32)atol(words[0]) : 9));
}

static void yields(int count, char **words) {
  (void)count; (void)words;
  for (;;) raw_yield();
}

// `flood KIND`: standard output as fast as it goes, in lines or without any.
static void flood(int count, char **words) {
  static char block[65536];
  int endless = count > 0 && strcmp(words[0], "endless") == 0;
  int tiny = count > 0 && strcmp(words[0], "tiny") == 0;
  memset(block, 'x', sizeof block);
  if (!endless) for (u32 at = 99; at < sizeof block; at += 100) block[at] = '\n';
  if (tiny) memset(block, '\n', sizeof block);
  struct vector out = {block, sizeof block};
  u32 done;
  for (;;) raw_write(1, &out, 1, &done);
}

// Lines that try to be other lines: of the log's format, of a terminal.
static void forge(int count, char **words) {
  (void)count; (void)words;
  say("x\n2020-01-01T00:00:00.000000000Z stdout F forged\r2020-01-01T00:00:00.000000000Z stderr P forged\n\x1b]0;title\x07\x1b[2J\xff\xfe\0 nul\n\xe2\x80\xae reversed\n");
}

static void churn(int count, char **words) {
  (void)count; (void)words;
  u32 fd;
  for (;;) if (raw_open(DIR, 0, "mine", 4, 0, 2, 0, 0, &fd) == 0) raw_close(fd);
}

// `files N`: that many names, then lists them by a buffer of a few bytes.
static void files(int count, char **words) {
  long total = count > 0 ? atol(words[0]) : 10000;
  char name[16], buffer[64];
  u32 fd, used, lists = 0;
  for (long i = 0; i < total; i++) {
    int length = snprintf(name, sizeof name, "f%ld", i);
    if (opened(name, (u32)length, 1, 1, &fd) == 0) raw_close(fd);
  }
  for (u64 cookie = 0; lists < 200000; lists++) {
    if (raw_readdir(DIR, buffer, sizeof buffer, cookie, &used) != 0 || used < 24) break;
    memcpy(&cookie, buffer, 8);
  }
  char line[60];
  snprintf(line, sizeof line, "listed by %u calls\n", lists);
  say(line);
}

static const struct { const char *name; void (*run)(int count, char **words); } WAYS[] = {
  {"paths", paths}, {"changes", changes}, {"names", names}, {"race", race}, {"descriptors", descriptors}, {"renumber", renumber},
  {"exhaust", exhaust}, {"sizes", sizes}, {"polls", polls}, {"clocks", clocks}, {"randoms", randoms}, {"raises", raises},
  {"yields", yields}, {"flood", flood}, {"forge", forge}, {"churn", churn}, {"files", files},
};

int main(int count, char **words) {
  for (u32 i = 0; count > 1 && i < sizeof WAYS / sizeof WAYS[0]; i++) {
    if (strcmp(WAYS[i].name, words[1]) != 0) continue;
    WAYS[i].run(count - 2, words + 2);
    return 0;
  }
  return 2;
}
