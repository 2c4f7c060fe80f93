"""Where the ``with`` block of an object is in the code that runs: ``Place``.

Law: looks at frames and at their bytecode, and changes nothing there. An exception of a handler may
strike wherever the object is entered or left, so what it remembers may be wrong; the bytecode that
a frame is at is not.

A generator that yields within a block is around whatever goes on meanwhile only if somebody sees to
it that an exception comes to it: contextlib, for the block of a ``with`` statement; pluggy, for a
call of hooks; pytest, for a fixture, of which an exception does not come out: what pytest catches
it takes for the outcome of a stage of a test, and then it goes on with the generator.

Source: "with" in the reference of the language; f_lasti in the documentation of ``inspect``;
``_multicall`` of pluggy, ``CallInfo.from_call`` and ``call_fixture_func`` of pytest.
"""

from __future__ import annotations

import sys
from _warnings import warn_explicit

from sigcffi._time.unwinding import opens_block, passes_by, reaches, yields_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    Generators = tuple[tuple[FrameType, int], ...]

__all__ = [
    "ASYNCHRONOUS",
    "GENERATOR",
    "PLUGINS",
    "Place",
    "module_of",
    "shielded",
    "shields",
    "stage_of",
]

GENERATOR = 0x20  # CO_* of the module inspect
ASYNCHRONOUS = 0x80 | 0x100 | 0x200
_UNUSUAL = GENERATOR | ASYNCHRONOUS

# What goes on with generators, whatever happens meanwhile: of hooks, and of fixtures.
_HOOKS = "pluggy"
_FIXTURES = "_pytest.fixtures"
_STAGES = "_pytest.runner"
PLUGINS = (_HOOKS, _FIXTURES, _STAGES)
_FOR_FIXTURE = -1  # in the place of an offset: the block is around a fixture's tests

# Lines of generators of which it was said that what they yield to is not in the block.
_told: set[tuple[str, int]] = set()


class Place:
    # _frame is the frame of the block as long as it is open, _begin the offset there at which it
    # begins; _generators frames and offsets of the generators through which it was entered. Around
    # a fixture's tests, _frame is the program's; _stage is that in which it was interrupted.
    __slots__ = ("_begin", "_frame", "_generators", "_stage")
    _begin: int
    _frame: FrameType | None
    _generators: Generators
    _stage: FrameType | None

    def __init__(self) -> None:
        self._frame = self._stage = None
        self._generators = ()

    def _stand(self, frame: FrameType) -> None:
        """The block is that of a ``with`` statement which is calling ``__enter__`` from *frame*."""
        code = frame.f_code
        begin = frame.f_lasti
        if code.co_flags & _UNUSUAL or code.co_name in ("__enter__", "enter_context"):
            frame, begin, self._generators = _owner_of(frame)
        self._begin = begin
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
        if begin == _FOR_FIXTURE:
            self._stage = stage_of(top)
            return self._stage is not None
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
            if begin == _FOR_FIXTURE:
                continue
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
        begin = self._begin
        if begin == _FOR_FIXTURE:
            # The first may be a context manager's that the fixture's own has entered.
            frame, begin = self._generators[-1]
        now: FrameType | None = sys._getframe()
        while now is not None and now is not frame:
            now = now.f_back
        if frame is None or now is not None:
            return frame is None
        code, at = frame.f_code, frame.f_lasti
        if not code.co_flags & GENERATOR and not opens_block(code, begin):
            return True
        # A generator may go on where it has stopped, and so may a function that was in a greenlet;
        # if that is in the block, the block is open.
        return at == begin or not reaches(code, begin, at)


def module_of(frame: FrameType) -> str | None:
    """The name of the module that a frame's code is of; of pluggy, which moves its functions from
    one module to another, the package.
    """
    name: str | None = frame.f_globals.get("__name__")
    return _HOOKS if name is not None and name.startswith(f"{_HOOKS}.") else name


def stage_of(top: FrameType) -> FrameType | None:
    """The outermost frame of pytest, of *top* and those that have called it, that takes whatever is
    raised for the outcome of a stage of a test.
    """
    stage = None
    frame: FrameType | None = top
    while frame is not None:
        if frame.f_code.co_name == "from_call" and module_of(frame) == _STAGES:
            stage = frame
        frame = frame.f_back
    return stage


def _owner_of(frame: FrameType) -> tuple[FrameType, int, Generators]:
    """The frame with the ``with`` statement, and where the block begins there. Between it and
    *frame*, which has entered a block, may stand an ``__enter__`` in Python, contextlib, for an
    ExitStack, and generators, which are then returned, with their offsets, too.
    """
    generators = []
    while frame.f_back is not None and _enters_for(frame, frame.f_back):
        if frame.f_code.co_flags & GENERATOR:
            generators.append((frame, frame.f_lasti))
        frame = frame.f_back
    begin = frame.f_lasti
    if frame.f_code.co_flags & ASYNCHRONOUS:
        raise RuntimeError(
            "timeout is for synchronous code: in a coroutine, what the event loop offers, as "
            "asyncio.timeout or trio.fail_after, lets the loop run on"
        )
    if frame.f_code.co_flags & GENERATOR:
        _tell(frame)
    elif generators and module_of(frame) == _FIXTURES and stage_of(frame):
        begin = _FOR_FIXTURE
        while frame.f_back is not None:
            frame = frame.f_back
    return frame, begin, tuple(generators)


def _enters_for(frame: FrameType, back: FrameType) -> bool:
    code = frame.f_code
    if code.co_name == "__enter__":
        return not opens_block(code, frame.f_lasti)
    if module_of(frame) == "contextlib":
        return True
    goes_on = ("contextlib", _HOOKS, _FIXTURES)
    return bool(code.co_flags & GENERATOR) and module_of(back) in goes_on


def _tell(frame: FrameType) -> None:
    """Say once of a generator that yields within a block what that does not do."""
    code = frame.f_code
    place = code.co_filename, frame.f_lineno
    if place in _told or not yields_within(code, frame.f_lasti):
        return
    _told.add(place)
    warn_explicit(
        f"{code.co_qualname} yields within a timeout or a shield ({place[0]}, line {place[1]}): "
        "that holds while the generator runs, and not for what it yields to",
        RuntimeWarning,
        *place,
        module=frame.f_globals.get("__name__"),
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
