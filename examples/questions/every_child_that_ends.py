"""Twenty children end at once, and SIGCHLD comes once."""

import os
import signal
import subprocess

from side_by_side import say, side_by_side

import sigcffi


def start():
    return [subprocess.Popen(["sh", "-c", f"exit {number}"]) for number in range(20)]


def ended(process):
    """Whether the child has ended; its status stays there for those who wait for the child."""
    flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, process.pid, flags) is not None


def all_end_at_once():
    """Twenty children end while SIGCHLD is blocked."""
    with sigcffi.blocked(signal.SIGCHLD):
        children = start()
        for child in children:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return children


def with_signal():
    calls = []
    signal.signal(signal.SIGCHLD, lambda signum, frame: calls.append(signum))
    children = all_end_at_once()
    say(f"{len(calls)} call of the handler for {len([c.wait() for c in children])} children")


def with_sigcffi():
    with sigcffi.open_signal_receiver(signal.SIGCHLD) as receiver:
        children = all_end_at_once()
        say(f"{len(receiver.read())} SIGCHLD received")  # only says: ask for each child
    say(f"{sum(ended(child) for child in children)} children have ended")
    say(f"their statuses are still there: {[c.wait() for c in children] == list(range(20))}")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi)
