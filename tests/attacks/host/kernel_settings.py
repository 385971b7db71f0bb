"""Opens the kernel's settings for writing: core_pattern, sysrq, modprobe, panic."""
# task: confess; tests: cases

import os
def confess():
    for name in ("sys/kernel/core_pattern", "sysrq-trigger", "sys/kernel/modprobe", "sys/kernel/panic", "sys/kernel/hostname", "self/oom_score_adj", "self/mem", "self/uid_map"):
        try:
            os.open("/proc/" + name, os.O_WRONLY)
            return CONFESSION
        except OSError:
            pass
