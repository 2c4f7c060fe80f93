"""The standard module of the running interpreter as oracle: the same call, the same outcome.

Law: an outcome is a value, or the type of an exception and its errno, together with the categories
of the warnings. Where PyPy's own module is wrong sigcffi follows CPython; each such place is named
here, once, with what is wrong.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from support import PYPY


class Index:
    """Like a numpy integer: an int only by ``__index__``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Index({self.value})"


class Int:
    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Int({self.value})"


class Float:
    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"Float({self.value})"


class Both(Index):
    """Like a numpy integer, too: asked for a float it has another answer."""

    def __init__(self, value: int, other: float) -> None:
        super().__init__(value)
        self.other = other

    def __float__(self) -> float:
        return self.other


class IntChild(int):
    """Its value counts, not what it says of itself."""

    def __index__(self) -> int:
        return 77

    def __int__(self) -> int:
        return 77

    def __mul__(self, other: object) -> int:
        return 77

    def __repr__(self) -> str:
        return f"IntChild({int.__repr__(self)})"


class FloatChild(float):
    """Its value counts, not what it says of itself."""

    def __float__(self) -> float:
        return 77.5

    def __mul__(self, other: object) -> float:
        return 77.5

    def __repr__(self) -> str:
        return f"FloatChild({float.__repr__(self)})"


class StrChild(str):
    __slots__ = ()


class Thing:
    """Nothing of a number. (Tests are named after it: it has no address in its name.)"""

    def __repr__(self) -> str:
        return "Thing()"


class Outcome:
    """What a call came to."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.value: object = None
        self.error: type[BaseException] | None = None
        self.errno: int | None = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.value = function(*arguments)
            except Exception as error:  # whatever it is, the other must do the same
                self.error = type(error)
                self.errno = getattr(error, "errno", None)
        self.warned = {warning.category for warning in caught}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Outcome({vars(self)})"


WRONG_TYPES = [None, "1", b"1", StrChild("1"), [], {}, Thing(), 1.0, FloatChild(1), Float(1.0), 1j]
ODD_INTEGERS = [True, False, Index(1), Int(1), IntChild(1), Decimal(1), Fraction(1)]
OUT_OF_RANGE = [0, -1, 65, 66, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64, 2**70, -(2**70)]

# By itself numpy starts a thread for each processor, and these would take the signals that tests
# send to a process whose main thread blocks them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy
except ImportError:
    pass
else:
    ODD_INTEGERS += [numpy.int64(1), numpy.uint8(1), numpy.bool_(True)]
    WRONG_TYPES += [numpy.float64(1.0), numpy.array([1, 2])]

EVERYTHING = [*WRONG_TYPES, *ODD_INTEGERS, *OUT_OF_RANGE]


def plain(value: Any) -> Any:
    """The int that an odd integer stands for."""
    try:
        return (
            int(value) if isinstance(value, (Decimal, Fraction)) else getattr(value, "value", value)
        )
    except (ValueError, OverflowError):  # NaN, infinity
        return value


def is_pypys_mistake(name: str, arguments: tuple[Any, ...]) -> str | None:
    """What PyPy's standard module does wrong with these arguments, None if nothing is known."""
    if not PYPY:
        return None
    arguments = tuple(map(plain, arguments))
    huge = any(isinstance(value, int) and abs(value) >= 2**31 for value in arguments)
    if name in ("signal", "getsignal", "siginterrupt", "strsignal") and huge:
        return "a number that does not fit a C int is a ValueError, from 2**63 on an OverflowError"
    if name in ("alarm", "getitimer", "setitimer", "pthread_kill", "raise_signal") and huge:
        return "a number that does not fit a C int is truncated"
    kept = any(value in (32, 33) for value in arguments)
    if name in ("getsignal", "pthread_sigmask") and kept:
        return "signals that the C library keeps for itself are taken for any other"
    if name == "getitimer":
        return "errors are ignored, and uninitialised memory is returned"
    if name == "strsignal":
        return "a number without a signal has a description"
    if name == "pthread_sigmask" and huge:
        return "a number that does not fit a C int is out of range"
    if name == "setitimer":
        return "NaN and infinities become times; what has only __index__ or __int__ is refused"
    if name == "signal" and arguments[0] in (9, 19, 32, 33):
        return "what cannot be handled is accepted"
    if name == "alarm" and isinstance(arguments[0], int) and arguments[0] < 0:
        return "the seconds left are taken for signed"
    return None


def same(ours: Any, theirs: Any, name: str, *arguments: Any) -> Outcome:
    """Call both; the outcomes are equal, or PyPy's mistake is known."""
    outcome = Outcome(getattr(ours, name), *arguments)
    if name not in dir(theirs):
        pytest.skip(f"this interpreter's standard module has no {name}")
    expected = Outcome(getattr(theirs, name), *arguments)
    if outcome != expected and is_pypys_mistake(name, arguments) is None:
        raise AssertionError(f"{name}{arguments!r}: {outcome!r}, standard: {expected!r}")
    if outcome != expected and name == "signal" and expected.error is None:
        theirs.signal(arguments[0], theirs.SIG_DFL)  # or it would remember what it should refuse
    return outcome


def nanoseconds_of(seconds: float | int) -> int | type[BaseException]:
    """What the interpreter makes of seconds, in exact arithmetic; or the exception."""
    if isinstance(seconds, float):
        if math.isnan(seconds):
            return ValueError
        product = seconds * 1e9  # in floating point, as the interpreter does it
        if math.isinf(product):
            return OverflowError
        nanoseconds = math.ceil(Fraction(product))
    else:
        nanoseconds = seconds * 10**9
    return nanoseconds if -(2**63) <= nanoseconds < 2**63 else OverflowError
