"""What counts as a number.

Law: arguments are taken as the standard module of the running interpreter takes them, and turned
into exact integers here, before anything else is looked at. Knows nothing of C; whether an integer
fits its C type is checked by the call that takes it (OverflowError).

CPython asks an object for ``__index__``. CPython 3.9 and PyPy fall back on ``__int__``, but not for
a float; CPython 3.9 warns that this will end. For a time, PyPy goes by ``__float__`` first.
"""

from __future__ import annotations

import operator
import sys
from signal import NSIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsFloat, SupportsIndex

    Number = SupportsIndex | SupportsFloat

__all__ = ["index", "long", "nanoseconds", "signal_number"]

_PYPY = sys.implementation.name == "pypy"

if sys.version_info >= (3, 10) and not _PYPY:
    index = long = operator.index
else:

    def long(value: SupportsIndex, /) -> int:
        """As ``index``, and on CPython 3.9 a float, too: so it took the members of a set."""
        try:
            return operator.index(value)
        except TypeError:
            if not hasattr(type(value), "__int__") or (_PYPY and isinstance(value, float)):
                raise
        number = int(value)
        if not _PYPY:
            import warnings

            warnings.warn(
                f"an integer is required (got type {type(value).__name__}): "
                "implicit conversion using __int__ is deprecated",
                DeprecationWarning,
                stacklevel=3,
            )
        return number

    def index(value: SupportsIndex, /) -> int:
        """An exact int from whatever the interpreter takes for one; TypeError for the rest."""
        if isinstance(value, float):
            raise TypeError("integer argument expected, got float")
        return long(value)


def signal_number(value: SupportsIndex, /) -> int:
    """The number of a signal; ValueError if it is not one, OverflowError if it is no C int."""
    signum = index(value)
    if not 0 < signum < NSIG:
        if not -(2**31) <= signum < 2**31:
            raise OverflowError("Python int too large to convert to C int")
        raise ValueError("signal number out of range")
    return int.__add__(signum, 0)  # not a member of an enum, whatever it says of itself


def nanoseconds(seconds: Number, /) -> int:
    """A time in seconds as whole nanoseconds, rounded up.

    ValueError for NaN, OverflowError for an infinity, TypeError for what is not a number.
    """
    if isinstance(seconds, float) or (
        _PYPY and hasattr(type(seconds), "__float__") and not isinstance(seconds, int)
    ):
        # The product is rounded to a float and then up: a tiny positive time stays positive.
        return (float(seconds) * 1e9).__ceil__()  # importing math takes as long as all of this
    return index(seconds) * 1_000_000_000  # type: ignore[arg-type]
