"""Makes a socket in the file system."""
# task: middle; tests: code, cases

import socket
for folder in (DROP, "/" + "tmp", "/dev/shm", "."):
    try:
        socket.socket(socket.AF_UNIX).bind(folder + "/" + TOKEN)
    except OSError:
        pass
