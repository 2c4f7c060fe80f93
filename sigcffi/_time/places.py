"""Where the ``with`` block of an object is in the code that runs: ``Place``.

Law: looks at frames and at their bytecode, and changes nothing there. An exception of a handler may
strike wherever the object is entered or left, so what it remembers may be wrong; the bytecode that
a frame is at is not.

Source: "with" in the reference of the language; f_lasti in the documentation of ``inspect``.
"""

from __future__ import annotations

import sys

from sigcffi._time.unwinding import opens_block, passes_by, reaches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["ASYNCHRONOUS", "GENERATOR", "Place", "shielded", "shields"]

GENERATOR = 0x20  # CO_* of the module inspect
ASYNCHRONOUS = 0x80 | 0x100 | 0x200
_UNUSUAL = GENERATOR | ASYNCHRONOUS


class Place:
    # _frame is the frame of the block as long as it is open, _begin the offset there at which it
    # begins; _generators frames and offsets of the generators through which it was entered.
    __slots__ = ("_begin", "_frame", "_generators")
    _begin: int
    _frame: FrameType | None
    _generators: tuple[tuple[FrameType, int], ...]

    def __init__(self) -> None:
        self._frame = None
        self._generators = ()

    def _stand(self, frame: FrameType) -> None:
        """The block is that of a ``with`` statement which is calling ``__enter__`` from *frame*."""
        code = frame.f_code
        if code.co_flags & _UNUSUAL or code.co_name in ("__enter__", "enter_context"):
            frame, self._generators = _owner_of(frame)
        self._begin = frame.f_lasti
        self._frame = frame

    def _find(self, top: FrameType) -> tuple[FrameType, int] | None:
        """The innermost frame with the block, of *top* and those that have called it, and where the
        block begins there.
        """
        frame: FrameType | None = top
        while frame is not None:
            if frame is self._frame:
                return frame, self._begin
            for each in self._generators:
                if each[0] is frame:
                    return each
            frame = frame.f_back
        return None

    def _is_around(self, top: FrameType) -> bool:
        """Whether what is raised where *top* is now is sure to reach its end, or passes it by only
        because the compiler has forgotten to tell.
        """
        found = self._find(top)
        if found is None:
            return False
        frame, begin = found
        if frame is not top and frame.f_lasti == begin:
            return False  # what has entered it does something more
        return reaches(frame.f_code, begin, frame.f_lasti) or self._passes_by(top)

    def _may_be_around(self, top: FrameType) -> bool:
        """Whether the block may be around *top*: true also where ``_is_around`` is not sure. It is
        not while the block is being entered, until a generator through which it was entered has
        gone on to its end, and in a handler where the compiler has forgotten the block.
        """
        found = self._find(top)
        if found is None:
            return False
        if found[0] is not top and found[0].f_lasti == found[1]:
            return True
        for frame, begin in (found, *self._generators[:1]):
            where = frame.f_code, begin, frame.f_lasti
            if reaches(*where) or passes_by(*where):
                return True
        return False

    def _passes_by(self, top: FrameType) -> bool:
        """Whether what is raised where *top* is now passes its end by although it is open."""
        found = self._find(top)
        return (
            found is not None and found[0] is top and passes_by(top.f_code, found[1], top.f_lasti)
        )

    def _was_left(self) -> bool:
        """Whether its end has come unnoticed, because another exception struck just there."""
        frame = self._frame
        now: FrameType | None = sys._getframe()
        while now is not None and now is not frame:
            now = now.f_back
        if frame is None or now is not None:
            return frame is None
        if not frame.f_code.co_flags & GENERATOR:
            return True
        # It may go on where it has stopped; if that is in the block, the block is open.
        at = frame.f_lasti
        return at == self._begin or not reaches(frame.f_code, self._begin, at)


def _owner_of(frame: FrameType) -> tuple[FrameType, tuple[tuple[FrameType, int], ...]]:
    """The frame with the ``with`` statement. Between it and *frame*, which has entered a block, may
    stand an ``__enter__`` in Python, and contextlib: for an ExitStack, or for a context manager
    that is written as a generator, which is then returned, with its offset, too.
    """
    generators = []
    while frame.f_back is not None and _enters_for(frame, frame.f_back):
        if frame.f_code.co_flags & GENERATOR:
            generators.append((frame, frame.f_lasti))
        frame = frame.f_back
    if frame.f_code.co_flags & ASYNCHRONOUS:
        raise RuntimeError(
            "timeout is for synchronous code: in a coroutine, what the event loop offers, as "
            "asyncio.timeout or trio.fail_after, lets the loop run on"
        )
    return frame, tuple(generators)


def _enters_for(frame: FrameType, back: FrameType) -> bool:
    code = frame.f_code
    if code.co_name == "__enter__":
        return not opens_block(code, frame.f_lasti)
    return "contextlib" in (
        frame.f_globals.get("__name__"),
        code.co_flags & GENERATOR and back.f_globals.get("__name__"),
    )


# How many blocks had begun when a shield did, and where it is.
shields: list[tuple[int, Place]] = []


def shielded(frame: FrameType) -> int:
    """How many blocks, of all that have begun, are not to be interrupted where *frame* is now."""
    number = 0
    for shield in list(shields):
        begun, place = shield
        if place._may_be_around(frame):
            number = max(number, begun)
        elif place._was_left() and shield in shields:
            shields.remove(shield)
    return number
