"""The calls for one delivery that is for several: ``Calls``; and what is said of their exceptions.

Law: a call is taken out of what is left in the step that begins it; the last step removes the
delivery. So whatever strikes between two of them, each is made once.
"""

from __future__ import annotations

import sys
from itertools import starmap
from operator import call, length_hint
from types import SimpleNamespace

from sigcffi._dispatch.deliveries import FOR_HANDLER, apart, remove, waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from sigcffi._dispatch.registry import Entry

__all__ = ["Calls", "report"]


class Calls:
    """The calls for one delivery, if they are not one."""

    __slots__ = ("calls", "left", "steps")
    calls: tuple[tuple[Any, ...], ...]  # what to call, and with what; the last removes the delivery
    left: Iterator[tuple[Any, ...]]  # of them those that have not begun
    steps: Iterator[object]  # makes one of them, as it is asked

    def __init__(self, entry: Entry | None, number: int, frame: FrameType | None) -> None:
        info = waiting[number]
        handlers = () if entry is None else entry.calls
        if entry is not None and number in apart:
            is_handlers = apart[number] == FOR_HANDLER
            handlers = tuple(
                each for each in handlers if (each is entry.interpreters) == is_handlers
            )
        self.calls = (
            *((each, info._signo if plain else info, frame) for each, plain in handlers),
            (remove, number),
        )
        self.left = iter(self.calls)
        self.steps = starmap(call, self.left)

    def last(self) -> object:
        """What was called last."""
        return self.calls[len(self.calls) - length_hint(self.left) - 1][0]


def report(error: BaseException, call: object) -> None:
    """Say that an exception of *call* goes nowhere: another one is going to leave."""
    if sys.unraisablehook is sys.__unraisablehook__:  # which takes an object of its own only
        print(f"Exception ignored in: {call!r}", file=sys.stderr)
        sys.__excepthook__(type(error), error, error.__traceback__)
    else:
        sys.unraisablehook(
            SimpleNamespace(
                exc_type=type(error),
                exc_value=error,
                exc_traceback=error.__traceback__,
                err_msg=None,
                object=call,
            )
        )
