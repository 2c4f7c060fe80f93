"""faulthandler.register(chain=True) on a signal that the program handles, too."""

import faulthandler
import signal
import tempfile

from side_by_side import say, side_by_side

import sigcffi

calls = []


def dumps():
    with tempfile.TemporaryFile() as file:
        faulthandler.register(signal.SIGUSR1, file, chain=True)
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        file.seek(0)
        say(f"two signals: {file.read().count(b'most recent call first')} tracebacks")
        faulthandler.unregister(signal.SIGUSR1)


def with_signal():
    signal.signal(signal.SIGUSR1, lambda signum, frame: calls.append(signum))
    dumps()
    say(f"{len(calls)} calls of the handler")


def with_sigcffi():
    sigcffi.subscribe(signal.SIGUSR1, lambda info, frame: calls.append(info))
    dumps()
    say(f"{len(calls)} calls of the subscriber")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi)
