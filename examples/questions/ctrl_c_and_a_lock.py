"""Ctrl-C between ``lock.acquire()`` and ``try``: the lock stays locked."""

import signal
import threading

import sigcffi
from sigcffi.testing import strike

lock = threading.Lock()


def careless():
    lock.acquire()
    try:
        pass
    finally:
        lock.release()


def careful():
    with sigcffi.deferred(signal.SIGINT):  # KeyboardInterrupt comes at the end of the block
        careless()


for function in careless, careful:
    left_locked = 0
    for _each in strike(signal.SIGINT, function):  # Ctrl-C at each bytecode in turn
        if lock.locked():
            left_locked += 1
            lock.release()
    print(f"{function.__name__}: {'Ctrl-C may leave' if left_locked else 'never leaves'} it locked")
