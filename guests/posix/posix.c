/*
 * Uses each function of the POSIX extension. Without a word it runs through them in a directory preopened as /data and prints a line for
 * each; `term` waits for SIGTERM, says so, and ends with 0; `deaf` waits without having declared anything.
 */
#include "wasmlet_posix.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where wasi-libc has a signal it has Linux's number. */
#define TERM 15u
#define USR1 10u
#define DATA 3
#define RIGHTS 66u

static void say(const char *name, int32_t errno_, uint32_t value) {
    if (errno_ != 0) printf("%s: %s\n", name, strerror(errno_));
    else printf("%s %o\n", name, value);
}

static void identity(void) {
    struct wasmlet_posix_ids ids = {0};
    struct wasmlet_posix_process process = {0};
    struct wasmlet_posix_system_info info = {0};
    uint32_t groups[8] = {0}, count = 0;
    char names[256];
    say("ids_get", wasmlet_posix_ids_get(&ids), ids.euid);
    say("groups_get", wasmlet_posix_groups_get(groups, 8, &count), count);
    say("process_get", wasmlet_posix_process_get(&process), process.pid);
    say("system_info_get", wasmlet_posix_system_info_get(&info), info.processors);
    int32_t errno_ = wasmlet_posix_system_name_get(names, sizeof names, &count);
    say("system_name_get", errno_, count > 20);
    if (errno_ == 0) printf("%s\n", names);
}

static void modes(void) {
    struct wasmlet_posix_status status = {0};
    uint32_t former = 0, fd = 0;
    unlink("/data/made");
    rmdir("/data/folder");
    say("umask_set", wasmlet_posix_umask_set(027, &former), former);
    say("path_open_mode", wasmlet_posix_path_open_mode(DATA, 0, "made", 4, 1, RIGHTS, 0, 0777, &fd), 0);
    say("fd_status_get", wasmlet_posix_fd_status_get(fd, &status), status.mode);
    say("fd_mode_set", wasmlet_posix_fd_mode_set(fd, 0600), 0);
    say("fd_owner_set", wasmlet_posix_fd_owner_set(fd, 7, 8), 0);
    say("path_mode_set", wasmlet_posix_path_mode_set(DATA, WASMLET_POSIX_FOLLOW, "made", 4, 0640), 0);
    say("path_owner_set", wasmlet_posix_path_owner_set(DATA, WASMLET_POSIX_FOLLOW, "made", 4, -1, 9), 0);
    say("path_status_get", wasmlet_posix_path_status_get(DATA, WASMLET_POSIX_FOLLOW, "made", 4, &status), status.mode);
    printf("owner %u %u\n", status.uid, status.gid);
    say("path_access", wasmlet_posix_path_access(DATA, WASMLET_POSIX_FOLLOW, "made", 4, 1), 0);
    say("path_create_directory_mode", wasmlet_posix_path_create_directory_mode(DATA, "folder", 6, 0777), 0);
    say("path_status_get", wasmlet_posix_path_status_get(DATA, 0, "folder", 6, &status), status.mode);
}

static void signals(void) {
    uint32_t former = 0, taken = 0;
    uint64_t set = 0;
    say("signal_action", wasmlet_posix_signal_action(USR1, WASMLET_POSIX_SIGNAL_TAKE, &former), former);
    say("signal_mask", wasmlet_posix_signal_mask(WASMLET_POSIX_BLOCK, 1u << (USR1 - 1), &set), 0);
    say("signal_raise", wasmlet_posix_signal_raise(USR1), 0);
    say("signal_pending", wasmlet_posix_signal_pending(&set), (uint32_t)set);
    say("signal_take", wasmlet_posix_signal_take(&taken), taken);
    say("signal_wait", wasmlet_posix_signal_wait(set, 0, &taken), taken);
}

static void show(const char *path) {
    char line[256] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL) printf("%s: %s\n", path, strerror(errno));
    else printf("%s", line);
    if (file != NULL) fclose(file);
}

/* Waits until a signal comes, as a server does. */
static int term(int listens) {
    uint32_t former = 0, taken = 0;
    if (listens && wasmlet_posix_signal_action(TERM, WASMLET_POSIX_SIGNAL_TAKE, &former) != 0) return 1;
    printf("ready\n");
    fflush(stdout);
    while (poll(NULL, 0, 1000) == 0 || errno == EINTR) {
        if (wasmlet_posix_signal_take(&taken) != 0) return 1;
        if (taken == 0) continue;
        printf("signal %u\n", taken);
        return 0;
    }
    return 2;
}

int main(int argc, char **argv) {
    if (argc > 1) return term(strcmp(argv[1], "term") == 0);
    identity();
    modes();
    signals();
    show("/proc/self/cgroup");
    show("/sys/fs/cgroup/memory.max");
    return 0;
}
