"""The door to the C half.

Law: the only importer of the compiled module, and the one place where a value of C becomes a value
of Python: an errno an exception, a string a str.
"""

from __future__ import annotations

import os
from signal import ItimerError

from sigcffi._sigcffi import ffi as _ffi
from sigcffi._sigcffi import lib

__all__ = ["check", "itimer_error", "lib", "strsignal"]


def check(result: int) -> int:
    """Pass on a result of the C half, unless it is a negative errno: then raise OSError."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def itimer_error(result: float) -> ItimerError:
    """The exception for a negative errno in place of a time."""
    return ItimerError(int(-result), os.strerror(int(-result)))


def strsignal(signum: int) -> str:
    """The C library's words for a signal, in the process's locale."""
    text: bytes = _ffi.string(lib.strsignal(signum))
    return text.decode(errors="surrogateescape")
