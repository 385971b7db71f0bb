"""Puts a module beside the interpreter's own, for the next program to import."""
# task: middle; tests: code, cases

import os, sys, sysconfig
for folder in {*sys.path, sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), os.getcwd()}:
    for name in (TOKEN + ".pth", TOKEN + ".py", "__pycache__/" + TOKEN + ".pyc"):
        try:
            open(os.path.join(folder or ".", name), "w").close()
        except OSError:
            pass
