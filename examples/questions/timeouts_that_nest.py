"""A limit within a limit, and a program that uses SIGALRM itself."""

import contextlib
import signal
import time

from side_by_side import say, side_by_side

import sigcffi


@contextlib.contextmanager
def limit(seconds):
    """The recipe: an alarm, and a handler that raises."""

    def handler(signum, frame):
        raise TimeoutError

    former = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def job(limit):
    """Takes at most a second in all; each step has a limit of its own."""
    with limit(1):
        for _step in range(2):
            with contextlib.suppress(TimeoutError), limit(0.01):
                time.sleep(60)
        say("both steps were given up; the job goes on")
        time.sleep(60)


def run(limit):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 3600)  # the program's own alarm
    try:
        job(limit)
    except TimeoutError:
        say("the job's time is over")
    own = signal.getitimer(signal.ITIMER_REAL)[0]
    say(f"the program's own alarm is {'still set' if own else 'gone'}")


def with_signal():
    run(limit)


def with_sigcffi():
    run(sigcffi.timeout)


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, hangs=[with_signal])
