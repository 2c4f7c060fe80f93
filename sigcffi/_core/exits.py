"""``__exit__`` of what is used with ``with``: ``exit_by``, ``exit_of``.

Law: a block is over when its ``with`` statement is, whatever exception strikes there. The exception
of a handler can be raised before the first bytecode of any function in Python; an ``__exit__`` that
has not begun would then leave its block in force for ever. So ``__exit__`` is C's, all the way to
the step that ends the block. ``__enter__`` is Python's, and undoes its work when an exception
strikes it: behind an ``__enter__`` in C, CPython 3.14 lets one strike and calls no ``__exit__``.

The interpreter has one class in C that calls a function of our choice: that of files, whose
``__exit__`` calls ``close``.

Rejected: to end the block when its object is collected. The traceback of the exception that has
struck ``__exit__`` holds the object, for as long as the program keeps the exception.

Source: "with" in the reference of the language; ``IOBase`` in the documentation of ``io``.
"""

from __future__ import annotations

import sys
from _io import _IOBase
from itertools import filterfalse, repeat, starmap

from sigcffi._core.mainthread import LOOKS_LATE, run_due_handlers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["ExitOfEach", "exit_by", "exit_of", "made"]

_TRIES = 10  # as often as this in a row an exception may strike what is to be done


class _End(_IOBase):
    """Its ``__exit__`` calls what is stored as ``close``, and returns what that returns. Without
    ``__init__`` and dict it costs half as much.
    """

    __slots__ = ("close",)

    close: Any
    closed = True  # nothing is to be done when it is collected


def _leave(block: Any, kind: Any, error: Any, trace: Any, /) -> Any:
    # As below: ExitStack, before 3.15.
    return block.__exit__(kind, error, trace) and error is sys.exc_info()[1]


class ExitOfEach(type):
    """A class whose objects have each an ``__exit__``, in a slot, where the ``with`` statement
    looks first. contextlib.ExitStack asks the class, and gets a function.
    """

    @property
    def __exit__(cls) -> Any:
        return _leave


class _Exit(property):
    """``__exit__`` of a class, that makes one for each ``with`` statement."""

    __call__ = staticmethod(_leave)


class _Signals(int):
    """A set of signals, as a word, that has just been let in. It is false. The ``with`` statement
    asks for that when an exception leaves it, and due handlers run then.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        run_due_handlers()
        return False


def exit_by(end: Callable[[int], None], word: int) -> Any:
    """An ``__exit__`` that is one call of C: *end*, which lets in the signals in *word*."""
    ends = filterfalse(end, repeat(_Signals(word)))
    block_end = _End()
    block_end.close = (map(bool, ends) if LOOKS_LATE else ends).__next__
    return block_end.__exit__


def exit_of(end_of: Callable[[Any], Callable[[], object]], *, swallows: bool = False) -> Any:
    """``__exit__`` of a class, for what takes more than one step: *end_of* says for an object what
    is to be called. If an exception strikes it, that is called once more, and goes on with what is
    left to do; then the exception leaves the ``with`` statement. If the block *swallows*
    exceptions, what that returns says whether the one that leaves it ends there.
    """

    def begin(block: Any) -> Any:
        ends = _until_done(end_of(block))
        next(ends)
        # PyPy's class of files returns nothing. And an ExitStack tells its blocks of exceptions
        # that others of its blocks have raised: contextlib looks this method up by "inspect".
        if swallows and (LOOKS_LATE or sys._getframe(1).f_globals.get("__name__") == "inspect"):
            return lambda kind, error, trace: next(ends) and error is sys.exc_info()[1]
        block_end = _End()
        block_end.close = ends.__next__
        return block_end.__exit__

    return _Exit(begin)


def _until_done(end: Callable[[], object]) -> Iterator[object]:
    # A generator goes on within its "try": what strikes before the next bytecode is caught. And
    # nothing is called outside of one.
    first: BaseException | None = None
    left = _TRIES
    result: object = None
    try:
        yield result
    except GeneratorExit:
        return  # the method was taken from the object, and not called
    except BaseException as error:
        first = error
    while left:
        try:
            result = end()
            left = 0
        except BaseException as error:
            left -= 1
            if first is None:
                first = error
    if first is not None:
        try:
            raise first
        finally:
            first = None  # or the traceback would hold itself
    del end  # which holds the block: PyPy would finalize that a collection later
    while True:
        yield result  # a call after the end ends nothing more


def made(kind: Callable[..., T], end: Callable[[T], object], *arguments: Any) -> T:
    """An object that is in force once it is made: the caller gets it, or it is ended."""
    hand: list[T] = []
    try:
        hand.extend(starmap(kind, [arguments]))  # one step, behind which an exception may strike
        return hand[0]
    except BaseException:
        for each in hand:
            end(each)
        raise
