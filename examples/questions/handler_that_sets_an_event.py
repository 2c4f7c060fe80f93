"""A handler sets a threading.Event while the main thread has the event's lock."""

import signal
import threading

from side_by_side import say, side_by_side

from sigcffi import actions

event = threading.Event()


def with_signal():
    signal.signal(signal.SIGUSR1, lambda signum, frame: event.set())
    say("a signal comes while the main thread has the event's lock")
    with event._cond:  # as wait(), set() and clear() have it for a moment
        signal.raise_signal(signal.SIGUSR1)
        say("the handler has returned")


def with_sigcffi():
    with actions.flag(signal.SIGUSR1) as flag:  # an int in C: there is no lock
        waits = threading.Thread(target=lambda: say(f"a thread waits for it: {flag.wait()}"))
        waits.start()
        with event._cond:
            signal.raise_signal(signal.SIGUSR1)
        waits.join()


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, hangs=[with_signal])
