"""A C library has a handler; a program that saves and restores it destroys it."""

import ctypes
import signal

from side_by_side import say, side_by_side

import sigcffi

libc = ctypes.CDLL(None)
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal.restype = ctypes.c_void_p


def a_library_installs_a_handler():
    """In C: ``signal(SIGUSR1, abs)``; the function does nothing with the number."""
    libc.signal(signal.SIGUSR1, ctypes.cast(libc.abs, ctypes.c_void_p))


def use_it():
    signal.raise_signal(signal.SIGUSR1)
    say("the library's handler was called")


def with_signal():
    a_library_installs_a_handler()
    former = signal.getsignal(signal.SIGUSR1)
    say(f"installed: {former!r}")
    signal.signal(signal.SIGUSR1, lambda signum, frame: None)
    signal.signal(signal.SIGUSR1, former)
    use_it()


def with_sigcffi():
    a_library_installs_a_handler()
    say(f"installed: {sigcffi.getsignal(signal.SIGUSR1)!r}, which is none of Python's")
    with sigcffi.handling(signal.SIGUSR1, lambda info, frame: None):
        pass
    use_it()


def with_subscribe():
    a_library_installs_a_handler()
    with sigcffi.subscribe(signal.SIGUSR1, lambda info, frame: say("the subscriber was called")):
        use_it()


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, with_subscribe)
