"""A look at a program before every one of its bytecodes, or lines: ``Tracing``, ``Tripping``.

Law: a trace function that is there already stays. It is coverage's, which sees what is struck and
what comes of that; sys.monitoring looks beside it. Where there is none, or no sys.monitoring
(CPython 3.11, PyPy), a trace function looks.

What is called is called without a look before, when tracing begins and when it has ended by an
exception: CPython from 3.12 on shows the bytecodes of a function only then, and not always.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from sigcffi._core.ffi import address_of_function

__all__ = ["Act", "Recording", "Tracing", "Tripping", "Watched"]

Watched = Callable[[types.CodeType], bool]
Act = Callable[[types.FrameType], Any]

_monitoring: Any = getattr(sys, "monitoring", None)  # from CPython 3.12 on
_TOOL = 4  # of sys.monitoring: none that has a name there


class Bytecodes:
    """*look* is called before every bytecode of the code that is *watched*, or every line: with a
    frame, "opcode" or "line" and None, or by sys.monitoring with code and an offset or line. A
    trace function is called at a function's end and at exceptions, too, and no more once it has
    raised something.
    """

    _instrumented: ClassVar[set[types.CodeType]] = set()

    def __init__(self, watched: Watched, look: Callable[..., Any], lines: bool = False) -> None:
        self._watched = watched
        self.look = look
        self.lines = lines
        former = sys.gettrace()
        self.beside = former is not None and _monitoring is not None
        # One call of C: a handler that is due may strike before it or behind it.
        if self.beside:
            events = _monitoring.events
            self.event = events.LINE if lines else events.INSTRUCTION
            self.stop = partial(_monitoring.register_callback, _TOOL, self.event, None)
        else:
            self.stop = partial(sys.settrace, former)

    def start(self) -> None:
        if not self.beside:
            sys.settrace(self._trace)
            return
        self.tidy_up()
        of = _monitoring
        of.use_tool_id(_TOOL, __name__)
        of.register_callback(_TOOL, of.events.PY_START, self._begin)
        of.register_callback(_TOOL, self.event, self.look)
        of.set_events(_TOOL, of.events.PY_START)

    def tidy_up(self) -> None:
        """What a strike may have left undone the next one does."""
        if self.beside and _monitoring.get_tool(_TOOL) is not None:
            _monitoring.set_events(_TOOL, 0)
            while self._instrumented:
                _monitoring.set_local_events(_TOOL, self._instrumented.pop(), 0)
            _monitoring.free_tool_id(_TOOL)

    def watched(self, code: types.CodeType) -> bool:
        """Never what ends the tracing here: a strike there would come out of it."""
        return code.co_filename != __file__ and self._watched(code)

    def _begin(self, code: types.CodeType, offset: int) -> None:
        if self.watched(code) and code not in self._instrumented:
            self._instrumented.add(code)
            _monitoring.set_local_events(_TOOL, code, self.event)

    def _trace(self, frame: types.FrameType, event: str, arg: object) -> Any:
        if not self.watched(frame.f_code):
            return None
        frame.f_trace_opcodes = not self.lines
        frame.f_trace_lines = self.lines
        return self.look

    def run(self, function: Callable[[], Any]) -> Any:
        """Call it, with a look."""
        self.start()
        try:
            return function()
        finally:
            self.stop()  # not in a function in Python, at whose beginning a handler would strike
            self.tidy_up()

    def end(self) -> None:
        self.stop()
        self.tidy_up()


class Tracing(Bytecodes):
    """While it lasts ``call`` calls functions, with a look at the code that is ``watched``."""

    def __init__(self, watched: Watched, lines: bool = False) -> None:
        super().__init__(watched, self._look, lines)
        self.act: Act = _nothing
        self.begun = False

    def __enter__(self) -> Tracing:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def _look(self, where: object, event: object, arg: object = None) -> None:
        if event not in ("return", "exception"):
            self.act(sys._getframe(1))

    def call(self, function: Callable[[], Any], act: Act) -> Any:
        """What *act* raises comes out of the bytecode that it was given."""
        if not self.begun or not (self.beside or sys.gettrace() == self._trace):
            for _ in range(2):  # CPython 3.12 shows none in the first trace of a process
                if not self.beside:
                    sys.settrace(None)
                    sys.settrace(self._trace)
                function()
            self.begun = True
        self.act = act
        try:
            # Within a generator: what a strike leaves behind as "being handled" (CPython 3.11 does,
            # at the end of an ``except``) goes with it, and is no later exception's context.
            return next(function() for _ in (0,))
        finally:
            self.act = _nothing

    def count(self, function: Callable[[], Any]) -> int:
        """How many bytecodes there are in a call of it that nothing disturbs."""
        count = 0

        def act(frame: types.FrameType) -> None:
            nonlocal count
            count += 1

        self.call(function, act)
        return count


class Recording(Bytecodes):
    """Notes in ``places``, for every look of a ``Tripping``, the code and the line."""

    def __init__(self, watched: Watched, lines: bool = False) -> None:
        super().__init__(watched, self._look, lines)
        self.places: list[tuple[types.CodeType, int]] = []

    def _look(self, where: object, event: object, arg: object = None) -> None:
        frame = sys._getframe(1)
        self.places.append((frame.f_code, frame.f_lineno))


class Tripping(Bytecodes):
    """C counts the bytecodes of the code that is *watched*, or the lines, and raises a signal when
    it has come to a number (``sigcffi_strikes_at``). No function in Python looks, so the signal's
    handler runs where the program would run it. Not on PyPy, whose ctypes passes no objects to C.
    """

    def __init__(self, watched: Watched, lines: bool = False) -> None:
        import ctypes  # which an interpreter may lack

        super().__init__(watched, _nothing, lines)
        arguments = [ctypes.py_object] * (2 if self.beside else 3)  # of which C looks at none
        address = address_of_function("sigcffi_strikes_step")
        self.look = ctypes.PYFUNCTYPE(None, *arguments)(address)


def _nothing(frame: types.FrameType) -> None:
    pass
