"""The door to the C half.

Law: the only importer of the compiled module, and the one place where a value of C becomes a value
of Python: an errno an exception, a string a str.

Closed to subinterpreters. What signals do, which receivers are open and when the process is to end
is the process's, and C keeps it once; it is kept for the main interpreter, which no other outlives.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
import sys
from signal import SIGINT, ItimerError


def _is_main_interpreter() -> bool:
    try:
        _signal.signal(SIGINT, None)  # no handler: it changes nothing
    except TypeError:
        return True  # and the main thread
    except ValueError:  # another thread, or another interpreter
        for name in ("_interpreters", "_xxsubinterpreters"):  # from CPython 3.13 on; before
            try:
                interpreters = __import__(name)
            except ModuleNotFoundError:  # before CPython 3.13
                continue
            return bool(interpreters.get_current() == interpreters.get_main())
    return True


if not _is_main_interpreter():  # a subinterpreter: coverage is not measured there
    raise ImportError(
        "sigcffi works in the main interpreter only: signals belong to the process", name="sigcffi"
    )

try:
    from sigcffi._sigcffi import ffi as _ffi
    from sigcffi._sigcffi import lib
except ModuleNotFoundError as error:  # not compiled: what is measured is
    _package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if error.name != "sigcffi._sigcffi" or not os.path.isdir(os.path.join(_package, "_csrc")):
        raise  # what is missing is not what an installation would bring
    _checkout = os.path.dirname(_package)
    raise ImportError(
        f"{_checkout} holds the sources of sigcffi, which are not compiled: "
        f"run 'pip install {_checkout}', and then Python from another folder"
    ) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

__all__ = [
    "NULL",
    "address_of",
    "address_of_function",
    "check",
    "itimer_error",
    "lib",
    "memory",
    "new_records",
    "new_sigaction",
    "strsignal",
    "view",
    "words",
    "words_of",
]

# The main channel (state.h): as bytes, and its first part as 64-bit words.
_SIZE = lib.SIGCFFI_WORDS * 8 + lib.SIGCFFI_CAPACITY * lib.SIGCFFI_RECORD_SIZE
memory: Any = _ffi.buffer(lib.sigcffi_channel_memory(), _SIZE)
if sys.implementation.name == "cpython":
    memory = memoryview(memory).cast("B")
    words: Any = memory[: lib.SIGCFFI_WORDS * 8].cast("Q")
else:  # PyPy
    words = _ffi.cast("uint64_t *", lib.sigcffi_channel_memory())  # ten times faster there


NULL: Any = _ffi.NULL

_ALIGNMENT = 8  # of a record: that of its atomic words


def new_sigaction() -> Any:
    """A ``struct sigaction`` for C to fill in; all zero."""
    return _ffi.new("struct sigaction *")


def new_records(count: int) -> tuple[Any, Any]:
    """Memory for so many records of ring.h, all zero: for C, and as bytes for Python. It exists as
    long as the second does.
    """
    # Aligned here: cffi goes by what a uint64_t asks for, which on i386 is less than its atomic
    # twin does, and what lies across two cache lines is not atomic there.
    size = count * lib.SIGCFFI_RECORD_SIZE
    block = _ffi.new("char[]", size + _ALIGNMENT - 1)
    skipped = -address_of(block) % _ALIGNMENT
    octets = memoryview(_ffi.buffer(block)).cast("B")[skipped : skipped + size]
    return _ffi.cast("struct sigcffi_record *", block + skipped), octets


def view(pointer: Any, count: int, code: Literal["i", "Q"]) -> Any:
    """So many numbers from where C points to, int ("i") or uint64_t ("Q"), to be read and written
    by index, without a call.
    """
    if sys.implementation.name != "cpython":  # PyPy
        return pointer  # ten times faster there
    size = count * (4 if code == "i" else 8)
    return memoryview(_ffi.buffer(pointer, size)).cast("B").cast(code)


def address_of(pointer: Any) -> int:
    """Where C points to, as a number."""
    return int(_ffi.cast("uintptr_t", pointer))


def address_of_function(name: str) -> int:
    """Where a function of the C half is, for who has C call it."""
    return address_of(_ffi.addressof(lib, name))


def _error(number: int, kind: type[OSError]) -> OSError | OverflowError:
    """The exception for an errno of the C half, which says ERANGE of a time only."""
    if number == errno.ERANGE:  # a time_t of 32 bits
        return OverflowError("timestamp out of range for platform time_t")
    return kind(number, os.strerror(number))


def check(result: int) -> int:
    """Pass on a result of the C half, unless it is a negative errno: then raise OSError, or
    OverflowError for a time that the platform cannot represent.
    """
    if result < 0:
        raise _error(-result, OSError)
    return result


def itimer_error(number: float) -> OSError | OverflowError:
    """The exception for an errno that stands in place of a time."""
    return _error(int(number), ItimerError)


def words_of(signum: int, code: int) -> str | None:
    """How a signal with this code was sent, with names in braces; None if there are no words."""
    words = lib.sigcffi_message_words(signum, code)
    return None if words == NULL else _ffi.string(words).decode()


def strsignal(signum: int) -> str:
    """The C library's words for a signal, in the process's locale."""
    text: bytes = _ffi.string(lib.strsignal(signum))
    return text.decode(errors="surrogateescape")
