"""A hundred values are queued with a real-time signal, and the handler is called once."""

import os
import signal

from side_by_side import say, side_by_side

import sigcffi

calls = []


def queue_a_hundred():
    """They come while the signal is blocked, as they may while anything else runs."""
    with sigcffi.blocked(signal.SIGRTMIN):
        for value in range(100):
            sigcffi.sigqueue(os.getpid(), signal.SIGRTMIN, value)


def with_signal():
    signal.signal(signal.SIGRTMIN, lambda signum, frame: calls.append(signum))
    queue_a_hundred()
    say(f"calls: {len(calls)}")


def with_sigcffi():
    sigcffi.sigaction(signal.SIGRTMIN, lambda info, frame: calls.append(info.si_value))
    queue_a_hundred()
    say(f"calls: {len(calls)}, in order: {calls == list(range(100))}")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi)
