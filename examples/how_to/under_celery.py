"""A celery worker that says who has asked it to stop. Its broker is in memory, for this page.

under_celery.py      starts a worker with this file, which stops itself; says how it has ended
"""

import os
import subprocess
import sys

import sigcffi as signal

try:
    from celery import Celery
    from celery.signals import worker_ready
except ImportError:
    sys.exit("celery is not installed")

app = Celery("under_celery", broker="memory://", backend="cache+memory://")


@worker_ready.connect
def attach(**_):
    """Celery's own handlers are there by now, and stay: the worker finishes its tasks."""

    def asked(info, frame):
        # celery replaces sys.stdout by an object of its own.
        asked_by_itself = info.si_pid == os.getpid()
        print("asked to stop by itself:", asked_by_itself, file=sys.__stdout__, flush=True)

    signal.subscribe(signal.SIGTERM, asked, where="thread", inherit=False)
    os.kill(os.getpid(), signal.SIGTERM)  # here; usually systemd or Kubernetes does this


if __name__ == "__main__":
    folder, file = os.path.split(os.path.abspath(__file__))
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", file[:-3], "-q", "worker"]
    command += ["--pool", "solo", "--loglevel", "CRITICAL"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    print(*(line for line in done.stdout.splitlines() if line.startswith("asked")), sep="\n")
    print("celery has ended with status", done.returncode)
