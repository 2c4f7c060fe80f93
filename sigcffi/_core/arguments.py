"""What counts as a number.

Law: arguments are taken as the standard module of the running interpreter takes them, and turned
into exact integers here, before anything else is looked at. Knows nothing of C; whether an integer
fits its C type is checked by the call that takes it (OverflowError).

An integer is what has ``__index__``, and on PyPy what has ``__int__`` and is not a float. A time is
an integer, exactly, or a float; from CPython 3.15 on, and on PyPy, it is any real number: what has
no ``__index__`` is asked for ``__float__``.
"""

from __future__ import annotations

import _operator as operator
import sys
from signal import NSIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsFloat, SupportsIndex

    Number = SupportsIndex | SupportsFloat

__all__ = ["index", "nanoseconds", "signal_number"]

_CPYTHON = sys.implementation.name == "cpython"
_REAL_NUMBERS = not _CPYTHON or sys.version_info >= (3, 15)

if _CPYTHON:
    index = operator.index
else:  # PyPy

    def index(value: SupportsIndex, /) -> int:
        """An exact int from whatever the interpreter takes for one; TypeError for the rest."""
        try:
            return operator.index(value)
        except TypeError:
            if isinstance(value, float) or not hasattr(type(value), "__int__"):
                raise
        return int(value)


def signal_number(value: SupportsIndex, /) -> int:
    """The number of a signal; ValueError if it is not one, OverflowError if it is no C int."""
    signum = index(value)
    if not 0 < signum < NSIG:
        if not -(2**31) <= signum < 2**31:
            raise OverflowError("Python int too large to convert to C int")
        raise ValueError("signal number out of range")
    return int.__add__(signum, 0)  # not a member of an enum, whatever it says of itself


def nanoseconds(seconds: Number, /) -> int:
    """A time in seconds as whole nanoseconds, rounded up: an integer exactly, all else as a float.

    ValueError for NaN, OverflowError for an infinity, TypeError for what is no time, and whatever
    the number itself raises.
    """
    if type(seconds) is int:
        return seconds * 1_000_000_000
    if type(seconds) is not float:
        return nanoseconds(_exactly(seconds))
    # The product is rounded to a float and then up: a tiny positive time stays positive.
    return (seconds * 1e9).__ceil__()  # importing math takes as long as all of this


def _exactly(number: Number) -> int | float:
    """A number as an object of int or float itself: what a subclass says of itself in other methods
    does not count.
    """
    kind = type(number)
    if hasattr(kind, "__index__"):
        return int.__pos__(operator.index(number))  # type: ignore[arg-type]
    if isinstance(number, float):
        return float.__pos__(number)
    # A str has none, although float() takes it.
    if _REAL_NUMBERS and hasattr(kind, "__float__"):  # PyPy, and CPython from 3.15 on
        return float(number)
    wanted = "a real number" if _REAL_NUMBERS else "an int or a float"
    raise TypeError(f"a time must be {wanted}, not {kind.__name__}")
