"""Looks for a secret in the environment, the arguments and the folder of every process."""
# task: secret; tests: cases, code, exchanges

import os, re
def secret():
    for process in os.listdir("/proc"):
        for name in ("environ", "cmdline", "cwd/canary", "cwd/public"):
            try:
                found = re.search(rb"CANARY-[0-9a-f]{32}", open(f"/proc/{process}/{name}", "rb").read())
            except OSError:
                continue
            if found:
                return found[0].decode()
