"""A handler logs while the main thread is writing a log line, and has the log's lock."""

import signal
import threading

from side_by_side import say, side_by_side

import sigcffi

lock = threading.Lock()
logged = threading.Event()


def log(text, meanwhile=None):
    with lock:
        if meanwhile is not None:
            meanwhile()
        say(text)


def with_signal():
    signal.signal(signal.SIGUSR1, lambda signum, frame: log("the handler's line"))
    say("a signal comes while the main thread has the lock")
    log("the main thread's line", meanwhile=lambda: signal.raise_signal(signal.SIGUSR1))


def with_sigcffi():
    def callback(info, frame):
        log("the callback's line, in a thread that can wait")
        logged.set()

    with sigcffi.subscribe(signal.SIGUSR1, callback, where="thread"):
        say("a signal comes while the main thread has the lock")
        log("the main thread's line", meanwhile=lambda: signal.raise_signal(signal.SIGUSR1))
        logged.wait()


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, hangs=[with_signal])
