"""A look at a program between every two of its bytecodes.

Law: what is called is called without a look before, when tracing begins and when it has ended by an
exception: CPython from 3.12 on shows the bytecodes of a function only then, and not always.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

Act = Callable[[types.FrameType, str], Any]  # is given a frame, and "opcode" or "exception"


class Tracing:
    """While it lasts ``call`` calls functions, with a look at the code that is ``watched``."""

    def __init__(self, watched: Callable[[types.CodeType], bool]) -> None:
        self.watched = watched

    def __enter__(self) -> Tracing:
        self.former = sys.gettrace()
        self.act: Act = _nothing
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(self.former)

    def _trace(self, frame: types.FrameType, event: str, arg: object) -> Any:
        if not self.watched(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event in ("opcode", "exception"):
            self.act(frame, event)
        return self._trace

    def call(self, function: Callable[[], Any], act: Act) -> Any:
        """What *act* raises comes out of the bytecode that it was given."""
        if sys.gettrace() != self._trace:
            for _ in range(2):  # CPython 3.12 shows none in the first trace of a process
                sys.settrace(None)
                sys.settrace(self._trace)
                function()
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

        def act(frame: types.FrameType, event: str) -> None:
            nonlocal count
            count += event == "opcode"

        self.call(function, act)
        return count


def _nothing(frame: types.FrameType, event: str) -> None:
    pass
