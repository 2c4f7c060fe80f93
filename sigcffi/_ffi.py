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


def itimer_error(errno: float) -> ItimerError:
    """The exception for an errno that stands in place of a time."""
    return ItimerError(int(errno), os.strerror(int(errno)))


def strsignal(signum: int) -> str:
    """The C library's words for a signal, in the process's locale."""
    text: bytes = _ffi.string(lib.strsignal(signum))
    return text.decode(errors="surrogateescape")
