/*
 * The POSIX extension of wasmlet, import module wasmlet_posix_0. Written from the table in src/runtime/posix/table.ts.
 * Each function answers 0 or an errno of WASI preview 1 (`__wasi_errno_t`, the numbers of <errno.h> in wasi-libc).
 */
#ifndef WASMLET_POSIX_0_H
#define WASMLET_POSIX_0_H

#include <stdint.h>

#define WASMLET_POSIX_FOLLOW 1u

#define WASMLET_POSIX_SIGNAL_DEFAULT 0u
#define WASMLET_POSIX_SIGNAL_IGNORE 1u
#define WASMLET_POSIX_SIGNAL_TAKE 2u

#define WASMLET_POSIX_BLOCK 0u
#define WASMLET_POSIX_UNBLOCK 1u
#define WASMLET_POSIX_SETMASK 2u

struct wasmlet_posix_status { uint32_t mode, uid, gid; };
struct wasmlet_posix_ids { uint32_t uid, euid, gid, egid; };
struct wasmlet_posix_process { uint32_t pid, ppid, pgid, sid; };
struct wasmlet_posix_system_info {
    uint64_t uptime_ns, memory_limit, memory_used;
    uint32_t processors, cpu_millis, descriptor_limit, descriptors;
};

#define WASMLET_POSIX_IMPORT(name) \
    __attribute__((import_module("wasmlet_posix_0"), import_name(name), warn_unused_result))

/* Writes four u32: user, effective user, group, effective group. */
WASMLET_POSIX_IMPORT("ids_get")
int32_t wasmlet_posix_ids_get(void *result);

/* Writes the supplementary groups as u32 and their number to `result`. With `count` 0 only the number. */
WASMLET_POSIX_IMPORT("groups_get")
int32_t wasmlet_posix_groups_get(uint32_t *groups, uint32_t count, void *result);

/* Writes four u32: process, parent, process group, session: 1, 0, 1, 1. */
WASMLET_POSIX_IMPORT("process_get")
int32_t wasmlet_posix_process_get(void *result);

/* Writes the five strings of `uname`, each ended by NUL: system, host name, release, version, machine; their length to `result`. */
WASMLET_POSIX_IMPORT("system_name_get")
int32_t wasmlet_posix_system_name_get(char *buffer, uint32_t buffer_len, void *result);

/* Writes u64 nanoseconds since the start, u64 bytes of memory that may be had (0: no limit), u64 bytes in use, u32 processors, u32 thousandths of a processor that may be used (0: no limit), u32 descriptors that may be open, u32 that are open. */
WASMLET_POSIX_IMPORT("system_info_get")
int32_t wasmlet_posix_system_info_get(void *result);

/* Sets the mask for modes of what is created; writes the former, u32. */
WASMLET_POSIX_IMPORT("umask_set")
int32_t wasmlet_posix_umask_set(uint32_t mask, void *result);

/* Writes three u32: mode with the type bits of `st_mode`, user, group. */
WASMLET_POSIX_IMPORT("fd_status_get")
int32_t wasmlet_posix_fd_status_get(uint32_t fd, void *result);

/* As `fd_status_get`, of a path. */
WASMLET_POSIX_IMPORT("path_status_get")
int32_t wasmlet_posix_path_status_get(uint32_t fd, uint32_t lookup, const char *path, uint32_t path_len, void *result);

/* Sets the twelve bits of the mode. */
WASMLET_POSIX_IMPORT("fd_mode_set")
int32_t wasmlet_posix_fd_mode_set(uint32_t fd, uint32_t mode);

/* As `fd_mode_set`, of a path. */
WASMLET_POSIX_IMPORT("path_mode_set")
int32_t wasmlet_posix_path_mode_set(uint32_t fd, uint32_t lookup, const char *path, uint32_t path_len, uint32_t mode);

/* Sets user and group; -1 leaves one as it is. */
WASMLET_POSIX_IMPORT("fd_owner_set")
int32_t wasmlet_posix_fd_owner_set(uint32_t fd, uint32_t uid, uint32_t gid);

/* As `fd_owner_set`, of a path. */
WASMLET_POSIX_IMPORT("path_owner_set")
int32_t wasmlet_posix_path_owner_set(uint32_t fd, uint32_t lookup, const char *path, uint32_t path_len, uint32_t uid, uint32_t gid);

/* Whether the view allows reading (4), writing (2), executing (1); 0 asks whether it is there. */
WASMLET_POSIX_IMPORT("path_access")
int32_t wasmlet_posix_path_access(uint32_t fd, uint32_t lookup, const char *path, uint32_t path_len, uint32_t want);

/* As `path_open` of preview 1, with the mode of a file that it creates, less the umask. */
WASMLET_POSIX_IMPORT("path_open_mode")
int32_t wasmlet_posix_path_open_mode(uint32_t fd, uint32_t lookup, const char *path, uint32_t path_len, uint32_t oflags, uint64_t rights, uint32_t fdflags, uint32_t mode, void *result);

/* As `path_create_directory` of preview 1, with the mode, less the umask. */
WASMLET_POSIX_IMPORT("path_create_directory_mode")
int32_t wasmlet_posix_path_create_directory_mode(uint32_t fd, const char *path, uint32_t path_len, uint32_t mode);

/* Declares what a signal (1 to 31) is to do: 0 the default, 1 nothing, 2 to be taken up by the guest. Writes the former, u32. */
WASMLET_POSIX_IMPORT("signal_action")
int32_t wasmlet_posix_signal_action(uint32_t signal, uint32_t action, void *result);

/* Blocks (0), unblocks (1) or sets (2) signals: bit n - 1 is signal n. Writes the former mask, u64. */
WASMLET_POSIX_IMPORT("signal_mask")
int32_t wasmlet_posix_signal_mask(uint32_t how, uint64_t set, void *result);

/* Writes the signals that are pending, u64. */
WASMLET_POSIX_IMPORT("signal_pending")
int32_t wasmlet_posix_signal_pending(void *result);

/* Takes the lowest pending signal that is not blocked: writes its number, u32; 0 where there is none. */
WASMLET_POSIX_IMPORT("signal_take")
int32_t wasmlet_posix_signal_take(void *result);

/* Sends a signal to oneself; 0 only checks. One whose action is the default may end the guest. */
WASMLET_POSIX_IMPORT("signal_raise")
int32_t wasmlet_posix_signal_raise(uint32_t signal);

/* Waits for a signal of the set, takes it, and writes its number, u32. The timeout is in nanoseconds; -1 waits without end. */
WASMLET_POSIX_IMPORT("signal_wait")
int32_t wasmlet_posix_signal_wait(uint64_t set, int64_t timeout, void *result);

#endif
