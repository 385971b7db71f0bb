"""Slows a process of ours: niceness, scheduler, cores, input and output."""
# task: middle; tests: code, cases

import ctypes, os
for process in (DECOY, os.getppid()):
    for call in (
        lambda: os.setpriority(os.PRIO_PROCESS, process, 19),
        lambda: os.sched_setaffinity(process, {0}),
        lambda: os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0)),
        lambda: ctypes.CDLL(None).syscall(NR["ioprio_set"], 1, process, 3 << 13),
        lambda: open(f"/proc/{process}/oom_score_adj", "w").write("1000"),
    ):
        try:
            call()
        except OSError:
            pass
