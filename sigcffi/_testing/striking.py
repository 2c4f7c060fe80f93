"""A signal at every place of a function in turn: ``strike``.

Law: the signal comes at the place, and its handler runs where the interpreter looks for signals
next, as it would if the signal had come from outside. Only PyPy, which may look before any
bytecode, is made to look at the place itself.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
from collections.abc import Iterable
from itertools import count
from signal import SIG_BLOCK
from traceback import FrameSummary

from sigcffi._changes.installed import require_main_thread
from sigcffi._core.arguments import index, signal_number
from sigcffi._core.ffi import lib
from sigcffi._core.mainthread import LOOKS_LATE, run_due_handlers
from sigcffi._core.names import name_of
from sigcffi._testing.bytecodes import Recording, Tracing, Tripping
from sigcffi._testing.kernel import has_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType
    from typing import Any, Literal, SupportsIndex

__all__ = ["Strike", "strike"]


class Strike:
    """What came of one signal: ``number`` counts the places from 1 on; ``place`` is where it came,
    a ``traceback.FrameSummary`` (``filename``, ``lineno``, ``name``, ``line``), as the function
    went when nothing struck it, None if it has gone further now; ``exception`` is what has left the
    function, or None, and ``result`` what it has returned else. Made by ``strike``.

    Threads: any may look at it.
    """

    __slots__ = ("exception", "number", "place", "result")

    def __init__(
        self,
        number: int,
        place: FrameSummary | None,
        exception: BaseException | None,
        result: Any,
    ) -> None:
        self.number: int = number
        self.place: FrameSummary | None = place
        self.exception: BaseException | None = exception
        self.result: Any = result

    def __repr__(self) -> str:
        where = "?" if self.place is None else f"{self.place.name}, line {self.place.lineno}"
        what = f"returned {self.result!r}" if self.exception is None else repr(self.exception)
        return f"<Strike {self.number} at {where}: {what}>"


def strike(
    signum: SupportsIndex,
    function: Callable[[], Any],
    *,
    at: Literal["every bytecode", "every line"] | SupportsIndex | Iterable[SupportsIndex] = (
        "every bytecode"
    ),
    only: Callable[[CodeType], bool] | None = None,
) -> Iterator[Strike]:
    """Call *function* again and again, let a signal come at each place of it in turn, and yield a
    ``Strike`` for each: so a program can prove that a signal leaves its locks and files in order.

        for each in strike(SIGINT, transfer):
            assert not lock.locked(), each

    A place is a bytecode, or a line, of the function or of Python code that it calls in this
    thread, and a function's end may count, too; *only*, which is given a code object, says which
    code counts. The handler that is installed runs where the interpreter looks for signals next.
    An int as *at* is the one place of that number, to look at it again; an iterable some:
    ``range(1, 10_000, 7)``. Else it goes on until the function has ended before its signal came.

    First *function* is called a few times without a signal, to learn the places; if it raises
    something then, or later before its signal has come, that is raised here.

    On CPython interpreters look for signals behind calls, and at the beginning of functions and of
    loops' turns; so neighbouring places often have one outcome. PyPy is made to look at each place,
    between any two bytecodes, as it may: there a ``with lock`` has a window that nobody can close.
    CPython 3.14 looks there, too, and 3.15 while bytecodes are traced: every line will do for 3.15.

    Raises ValueError outside the main thread of the main interpreter, for a number that is not a
    signal's, for a signal that has no handler (its default action would be taken) or that this
    thread blocks, and for what *at* cannot be; TypeError for a function that cannot be called.
    ImportError on CPython without ctypes. Nothing was called then.

    Threads: the main thread's; the places are those of this thread.
    """
    number = signal_number(signum)
    if not callable(function):
        raise TypeError("the function must be callable")
    numbers = _numbers(at)
    require_main_thread()
    if not has_handler(number):
        raise ValueError(f"{name_of(number)} has no handler")
    if number in _signal.pthread_sigmask(SIG_BLOCK, ()):
        raise ValueError(f"{name_of(number)} is blocked")

    def watched(code: CodeType) -> bool:
        return code.co_filename != __file__ and (only is None or only(code))

    striking = (_StrikingOnPyPy if LOOKS_LATE else _Striking)(
        number, function, watched, at == "every line"
    )
    return _strikes(striking, numbers)


def _numbers(at: Any) -> Iterable[int]:
    if at in ("every bytecode", "every line"):
        return count(1)
    if isinstance(at, str):
        raise ValueError('at is "every bytecode", "every line", or numbers of places')
    numbers = [index(each) for each in at] if isinstance(at, Iterable) else [index(at)]
    if any(number < 1 for number in numbers):
        raise ValueError("places are counted from 1 on")
    return numbers


def _strikes(striking: _Striking, numbers: Iterable[int]) -> Iterator[Strike]:
    places = striking.places()
    for number in numbers:
        # CPython 3.12 shows now and then no bytecodes of what was left by an exception before.
        for _ in range(2 if number <= len(places) else 1):
            found = striking.once(number)
            if found is not None:
                break
        if found is None:
            if number > len(places):
                return
            continue
        place = None
        if number <= len(places):
            code, line = places[number - 1]
            place = FrameSummary(code.co_filename, line, code.co_qualname, lookup_line=False)
        error, result = found
        yield Strike(number, place, error, result)
        del error, result, found  # the exception's traceback holds frames


class _Striking:
    def __init__(
        self,
        signum: int,
        function: Callable[[], Any],
        watched: Callable[[CodeType], bool],
        lines: bool,
    ) -> None:
        self.signum = signum
        self.function = function
        self.watched = watched
        self.lines = lines
        self.prepare()

    def prepare(self) -> None:
        self.tripping = Tripping(self.watched, self.lines)
        for _ in range(2):  # CPython 3.12 shows no bytecode in the first trace of a process
            self.tripping.run(int)

    def places(self) -> list[tuple[CodeType, int]]:
        """Those of a call that nothing disturbs."""
        recording = Recording(self.watched, self.lines)
        for _ in range(2):  # from CPython 3.12 on the first shows not all
            recording.places.clear()
            recording.run(self.function)
        return recording.places

    def once(self, number: int) -> tuple[BaseException | None, Any] | None:
        """What has left the function, and what it has returned; None if it was not struck."""
        error = result = None
        try:
            lib.sigcffi_strikes_at(self.signum, number, True)
            result = self.tripping.run(self.function)
            run_due_handlers()
        except BaseException as raised:
            error = raised
        self.tripping.end()
        struck = lib.sigcffi_strikes_left() == 0
        lib.sigcffi_strikes_at(self.signum, 0, True)
        return self.outcome(struck, error, result)

    def outcome(
        self, struck: bool, error: BaseException | None, result: Any
    ) -> tuple[BaseException | None, Any] | None:
        try:
            if not struck and error is not None:
                raise error
            return (error, None if error is not None else result) if struck else None
        finally:
            del error  # or its traceback would hold this frame


class _StrikingOnPyPy(_Striking):
    def prepare(self) -> None:
        self.tracing = Tracing(self.watched, self.lines)

    def places(self) -> list[tuple[CodeType, int]]:
        places = []
        with self.tracing:
            self.tracing.call(
                self.function, lambda frame: places.append((frame.f_code, frame.f_lineno))
            )
        return places

    def once(self, number: int) -> tuple[BaseException | None, Any] | None:
        left = number
        error = result = None

        def act(frame: FrameType) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), self.signum)
                run_due_handlers()

        try:
            with self.tracing:
                result = self.tracing.call(self.function, act)
        except BaseException as raised:
            error = raised
        return self.outcome(left <= 0, error, result)
