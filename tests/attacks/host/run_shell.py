"""Runs a shell that leaves a file."""
# task: middle; tests: code, cases, exchanges

import os, subprocess
try:
    os.system(f"echo > {DROP}/{TOKEN}")
    subprocess.run(["/bin/sh", "-c", f"echo > {DROP}/{TOKEN}"])
except OSError:
    pass
