"""A handler prints while the main thread is printing to the same stream."""

import io
import os
import signal
import threading

from side_by_side import say, side_by_side

import sigcffi

printed = threading.Event()


class Terminal(io.RawIOBase):
    """Standard output; a signal comes while the first line is on its way."""

    busy = False

    def writable(self):
        return True

    def write(self, data):
        if not self.busy:
            self.busy = True
            signal.raise_signal(signal.SIGUSR1)
        return os.write(1, data)


def stream():
    return io.TextIOWrapper(io.BufferedWriter(Terminal()), line_buffering=True)


def with_signal():
    out = stream()
    signal.signal(signal.SIGUSR1, lambda signum, frame: print("the handler's line", file=out))
    try:
        print("the main thread's line", file=out)
    except RuntimeError as error:
        say(f"RuntimeError: {str(error)[:14]}")


def with_sigcffi():
    out = stream()

    def callback(info, frame):
        print("the callback's line", file=out)
        printed.set()

    with sigcffi.subscribe(signal.SIGUSR1, callback, where="thread"):
        print("the main thread's line", file=out)
        printed.wait()


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi)
