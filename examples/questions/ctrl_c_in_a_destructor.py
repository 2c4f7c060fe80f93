"""Ctrl-C while a destructor runs: Python throws the KeyboardInterrupt away."""

import signal
import sys

from side_by_side import say, side_by_side

import sigcffi


class Resource:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def report(unraisable):
    say(f"thrown away: {unraisable.exc_type.__name__}")


sys.unraisablehook = report


def with_signal():
    Resource()
    say("the program goes on")


def with_sigcffi():
    sigcffi.signal(signal.SIGINT, signal.default_int_handler)
    Resource()
    say("the program goes on: no handler that raises can help")


def with_shutdown():
    with sigcffi.shutdown() as stop:
        Resource()
        say(f"asked to stop: {bool(stop)}, by {stop.reason.si_signo.name}")


def with_shutdown_twice():
    with sigcffi.shutdown() as stop:
        Resource()
        Resource()
        while stop:  # the second one interrupts, behind the destructor
            pass
    say(f"stage: {stop.stage}")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, with_shutdown, with_shutdown_twice)
