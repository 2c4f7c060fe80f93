"""The first process of a container: "docker stop" kills it after ten seconds."""

import os
import signal
import subprocess
import sys

from side_by_side import say, side_by_side

import sigcffi

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def with_signal():
    os.kill(os.getpid(), signal.SIGTERM)  # there is no handler: elsewhere this is the end
    say("process 1 has ignored SIGTERM")


def with_sigcffi():
    with sigcffi.shutdown() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        say(f"process 1 is asked to stop: {bool(stop)}")
    stop.exit()


if __name__ == "__main__":
    if sys.argv[1:] and os.getpid() != 1:
        os.execvp("unshare", [*NAMESPACE, sys.executable, __file__, *sys.argv[1:]])
    if subprocess.run([*NAMESPACE, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        sys.exit("there is no PID namespace to be had here: unshare(1) may not make one")
    side_by_side(with_signal, with_sigcffi)
