"""A limit for a query whose time goes into a Python function that SQLite calls."""

import contextlib
import signal
import sys
import time

from side_by_side import say, side_by_side

import sigcffi

try:
    import sqlite3
except ImportError:
    sys.exit("sqlite3 is not there: this Python was built without it")


def query():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("slow", 0, lambda: time.sleep(60))
        connection.execute("SELECT slow()")


def with_signal():
    def handler(signum, frame):
        raise TimeoutError

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        query()
    except Exception as error:
        say(f"{type(error).__name__}: {error}")


def with_sigcffi():
    try:
        with sigcffi.timeout(0.1):
            query()
    except TimeoutError as error:
        say(f"{type(error).__name__}, from {type(error.__cause__).__name__}")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi)
