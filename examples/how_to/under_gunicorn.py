"""gunicorn, whose master and workers say who has asked them to stop. It is its own configuration.

under_gunicorn.py      starts gunicorn with this file; a worker stops it; says how it has ended
"""

import importlib.util
import os
import subprocess
import sys

import sigcffi as signal

bind = "127.0.0.1:0"
loglevel = "critical"
control_socket_disable = True


def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]


def sender(info):
    return b"its child" if info.si_pid != os.getppid() else b"its parent"


def when_ready(server):
    """In the master, after it has installed its handlers. Its workers must not print the same."""

    def asked(info, frame):
        os.write(1, b"master: asked to stop by %s\n" % sender(info))

    signal.subscribe(signal.SIGTERM, asked, where="thread", inherit=False)


def post_worker_init(worker):
    """In a worker, after it has installed its handlers."""

    def asked(info, frame):
        os.write(1, b"worker: asked to stop by %s\n" % sender(info))

    signal.subscribe(signal.SIGTERM, asked, where="thread")
    os.kill(worker.ppid, signal.SIGTERM)  # here; usually systemd or Kubernetes does this


if __name__ == "__main__":
    if importlib.util.find_spec("gunicorn") is None:
        sys.exit("gunicorn is not installed")
    folder, file = os.path.split(os.path.abspath(__file__))
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "-c", file, "under_gunicorn:app"]
    done = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE, text=True)
    print("".join(sorted(done.stdout.splitlines(keepends=True))), end="")  # who is first may differ
    print("gunicorn has ended with status", done.returncode)
