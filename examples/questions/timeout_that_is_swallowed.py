"""A time limit, and code that catches every Exception and tries again."""

import contextlib
import signal
import time

from side_by_side import say, side_by_side

import sigcffi


def stubborn():
    while True:
        with contextlib.suppress(Exception):  # "whatever it was, try again"
            time.sleep(60)  # a server that does not answer


def with_signal():
    def too_late(signum, frame):
        say("TimeoutError is raised")
        raise TimeoutError

    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    stubborn()


def with_sigcffi():
    try:
        with sigcffi.timeout(0.1):
            stubborn()
    except TimeoutError as error:
        say(f"{type(error).__name__}, which is a TimeoutError")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, hangs=[with_signal])
