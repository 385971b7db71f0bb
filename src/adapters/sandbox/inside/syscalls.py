"""Numbers of the system calls that a filter names, by architecture (the kernel's own headers)."""

from __future__ import annotations

from typing import NamedTuple


class Architecture(NamedTuple):
    """What the kernel calls it in a filter (linux/audit.h), and the numbers of its calls."""

    audit: int
    calls: dict[str, int]


# fmt: off
_X86_64: dict[str, int] = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "newfstatat": 262, "statx": 332, "lseek": 8, "mmap": 9,
    "mprotect": 10, "munmap": 11, "mremap": 25, "madvise": 28, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "rt_sigpending": 127, "rt_sigsuspend": 130, "rt_sigtimedwait":
    128, "sigaltstack": 131, "restart_syscall": 219, "pread64": 17, "pwrite64": 18, "readv": 19, "writev":
    20, "preadv": 295, "pwritev": 296, "faccessat": 269, "faccessat2": 439, "readlinkat": 267, "getdents64":
    217, "getcwd": 79, "chdir": 80, "fchdir": 81, "statfs": 137, "fstatfs": 138, "umask": 95, "dup": 32,
    "dup3": 292, "pipe2": 293, "ppoll": 271, "pselect6": 270, "epoll_create1": 291, "epoll_ctl": 233,
    "epoll_pwait": 281, "eventfd2": 290, "nanosleep": 35, "clock_nanosleep": 230, "clock_gettime": 228,
    "clock_getres": 229, "gettimeofday": 96, "getitimer": 36, "setitimer": 38, "times": 100, "getrusage":
    98, "sysinfo": 99, "uname": 63, "getpid": 39, "getppid": 110, "gettid": 186, "getuid": 102, "geteuid":
    107, "getgid": 104, "getegid": 108, "getgroups": 115, "getresuid": 118, "getresgid": 120, "getpgid":
    121, "getsid": 124, "getpriority": 140, "sched_getaffinity": 204, "sched_yield": 24,
    "sched_getscheduler": 145, "sched_getparam": 143, "sched_get_priority_max": 146,
    "sched_get_priority_min": 147, "getcpu": 309, "futex": 202, "futex_waitv": 449, "set_robust_list": 273,
    "get_robust_list": 274, "set_tid_address": 218, "rseq": 334, "membarrier": 324, "getrandom": 318,
    "exit": 60, "exit_group": 231, "wait4": 61, "waitid": 247, "sendto": 44, "recvfrom": 45, "sendmsg": 46,
    "recvmsg": 47, "shutdown": 48, "getsockopt": 55, "getsockname": 51, "getpeername": 52, "close_range":
    436, "stat": 4, "lstat": 6, "access": 21, "readlink": 89, "dup2": 33, "pipe": 22, "poll": 7, "select":
    23, "epoll_create": 213, "epoll_wait": 232, "eventfd": 284, "alarm": 37, "pause": 34, "time": 201,
    "getpgrp": 111, "open": 2, "openat": 257, "fcntl": 72, "ioctl": 16, "kill": 62, "tgkill": 234, "clone":
    56, "clone3": 435, "openat2": 437, "socketpair": 53, "prlimit64": 302,
}

_AARCH64: dict[str, int] = {
    "read": 63, "write": 64, "close": 57, "fstat": 80, "newfstatat": 79, "statx": 291, "lseek": 62, "mmap":
    222, "mprotect": 226, "munmap": 215, "mremap": 216, "madvise": 233, "brk": 214, "rt_sigaction": 134,
    "rt_sigprocmask": 135, "rt_sigreturn": 139, "rt_sigpending": 136, "rt_sigsuspend": 133,
    "rt_sigtimedwait": 137, "sigaltstack": 132, "restart_syscall": 128, "pread64": 67, "pwrite64": 68,
    "readv": 65, "writev": 66, "preadv": 69, "pwritev": 70, "faccessat": 48, "faccessat2": 439,
    "readlinkat": 78, "getdents64": 61, "getcwd": 17, "chdir": 49, "fchdir": 50, "statfs": 43, "fstatfs":
    44, "umask": 166, "dup": 23, "dup3": 24, "pipe2": 59, "ppoll": 73, "pselect6": 72, "epoll_create1": 20,
    "epoll_ctl": 21, "epoll_pwait": 22, "eventfd2": 19, "nanosleep": 101, "clock_nanosleep": 115,
    "clock_gettime": 113, "clock_getres": 114, "gettimeofday": 169, "getitimer": 102, "setitimer": 103,
    "times": 153, "getrusage": 165, "sysinfo": 179, "uname": 160, "getpid": 172, "getppid": 173, "gettid":
    178, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "getgroups": 158, "getresuid": 148,
    "getresgid": 150, "getpgid": 155, "getsid": 156, "getpriority": 141, "sched_getaffinity": 123,
    "sched_yield": 124, "sched_getscheduler": 120, "sched_getparam": 121, "sched_get_priority_max": 125,
    "sched_get_priority_min": 126, "getcpu": 168, "futex": 98, "futex_waitv": 449, "set_robust_list": 99,
    "get_robust_list": 100, "set_tid_address": 96, "rseq": 293, "membarrier": 283, "getrandom": 278, "exit":
    93, "exit_group": 94, "wait4": 260, "waitid": 95, "sendto": 206, "recvfrom": 207, "sendmsg": 211,
    "recvmsg": 212, "shutdown": 210, "getsockopt": 209, "getsockname": 204, "getpeername": 205,
    "close_range": 436, "openat": 56, "fcntl": 25, "ioctl": 29, "kill": 129, "tgkill": 131, "clone": 220,
    "clone3": 435, "openat2": 437, "socketpair": 199, "prlimit64": 261,
}
# fmt: on

ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, _X86_64),
    "aarch64": Architecture(0xC00000B7, _AARCH64),
}

UNCONDITIONAL = frozenset(_X86_64) - {
    "open",
    "openat",
    "openat2",
    "fcntl",
    "ioctl",
    "kill",
    "tgkill",
    "clone",
    "clone3",
    "socketpair",
    "prlimit64",
}
"""Calls that are let through whatever their arguments: they read, compute, wait, or speak on what is open."""
