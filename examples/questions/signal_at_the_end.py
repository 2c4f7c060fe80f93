"""A signal comes while the interpreter ends, when there are no handlers any more."""

import signal

from side_by_side import say, side_by_side

import sigcffi


class Last:
    """Still there when the interpreter takes the modules down."""

    say = staticmethod(say)
    raise_signal = staticmethod(signal.raise_signal)

    def __del__(self):
        self.say("the interpreter ends; SIGTERM comes")
        self.raise_signal(15)
        self.say("it was handled, or ignored")


def with_signal():
    global last
    signal.signal(signal.SIGTERM, print)
    last = Last()


def with_sigcffi():
    global last
    sigcffi.sigaction(signal.SIGTERM, print)
    last = Last()


def with_shutdown():
    with sigcffi.shutdown() as stop:
        signal.raise_signal(signal.SIGTERM)
        say(f"asked to stop: {bool(stop)}")
    stop.exit()  # after all cleaning up, the process dies of the signal


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, with_shutdown)
