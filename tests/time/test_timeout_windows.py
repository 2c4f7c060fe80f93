"""``timeout`` has no window: its time is over at every bytecode in turn, of a block and of the code
around it, and what comes out is ``TimedOut``, of its own block, or nothing.

The kernel's timer is never set: what looks at each bytecode does what the handler of its signal
would do there. Interpreters do not look for signals at each: for where CPython does, a signal is
raised at each bytecode by C.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from programs import timed, timed_by_others
from programs.timed import HOUR
from support import PYPY

import sigcffi as signal
from sigcffi import TimedOut, timeout
from sigcffi._attached import dead_man as _dead_man
from sigcffi._core.ffi import lib
from sigcffi._testing import bytecodes as _bytecodes
from sigcffi._testing.bytecodes import Act, Tracing, Tripping
from sigcffi._time import limits as _limits
from sigcffi._time import places as _places
from sigcffi._time import schedule as _schedule
from sigcffi._time import shielding as _shielding
from sigcffi._time import timeouts as _timeouts
from sigcffi._time.schedule import NEVER, Schedule, schedule

Said = list[Any]
Program = Callable[[Said], None]
Frame = types.FrameType

S = signal.SIGRTMAX - 1

pytestmark = pytest.mark.usefixtures("without_jit")


class Clock:
    """The clock of the timeouts, put on by hand."""

    def __init__(self) -> None:
        self.struck: Callable[[], bool] = bool
        self.late = 0
        self.end_at = 0

    def __call__(self) -> int:
        return 10**18 + (2 * self.struck() + self.late) * HOUR * 10**9

    def sigcffi_deadman_turn(self) -> int:
        return 1

    def sigcffi_deadman_end_at(self, turn: int, when: int) -> int:
        self.end_at = when
        return 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(_timeouts, "monotonic_ns", fake)
    monkeypatch.setattr(_limits, "monotonic_ns", fake)
    monkeypatch.setattr(_shielding, "monotonic_ns", fake)

    def arm(self: Schedule, when: int) -> None:
        self.armed = when

    monkeypatch.setattr(Schedule, "arm", arm)
    monkeypatch.setattr(_dead_man, "lib", fake)
    monkeypatch.setattr(schedule, "armed", NEVER)
    return fake


@contextlib.contextmanager
def no_finalizers() -> Iterator[None]:
    """None that struck programs leave to a collector, nor others' functions that it calls: nobody
    would catch the exception there.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def gone() -> None:
    """What an exception has passed by at its very beginning or end is found to be over."""
    clock = _limits.monotonic_ns
    assert isinstance(clock, Clock)
    clock.struck = lambda: True
    clock.late = 10**6
    for _ in range(3):
        _limits._expire(S, sys._getframe())
    # A generator that nobody asks for more is in its block until it is collected. Mostly a look at
    # what is new will do; PyPy's time for all there is grows with what other tests have left.
    for generation in (0, 2):
        if schedule.due:
            gc.collect(generation)
    clock.late = 0
    assert schedule.is_empty()
    assert not clock.end_at
    assert not _places.shielded(sys._getframe())
    assert not _places.shields


PROGRAMS = [
    each
    for module in (timed, timed_by_others)
    for each in vars(module).values()
    if isinstance(each, types.FunctionType) and each.__module__ == module.__name__
]
programs = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
# All bytecodes take minutes: in ordinary runs it is every seventh. PyPy's compiler is no help here:
# there it is every third under stress.
steps = pytest.mark.parametrize(
    "step", [7, pytest.param(3 if PYPY else 1, marks=pytest.mark.stress)]
)


# Struck between a coroutine's making and its first step.
never_awaited = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
in_a_generator = pytest.mark.filterwarnings("ignore:.* yields within a timeout")


def everywhere(test: Any) -> Any:
    return programs(steps(never_awaited(in_a_generator(test))))


MODULES = (timed, timed_by_others, contextlib, _timeouts, _limits, _schedule, _shielding, _places)
WATCHED = [module.__file__ for module in (*MODULES, _dead_man)]


def watched(code: types.CodeType) -> bool:
    return code.co_filename in WATCHED


def calling(program: Program, act: Act, tracing: Tracing) -> Said:
    """What it says; a block that was interrupted says so itself."""
    said: Said = []

    def call() -> None:
        said.clear()
        program(said)

    tracing.call(call, act)
    for whose, expected in said:
        assert whose is expected
    return said


@everywhere
def test_the_time_is_over_at_every_bytecode(program: Program, step: int, clock: Clock) -> None:
    heard = 0
    with Tracing(watched) as tracing, no_finalizers():
        for at in range(1, tracing.count(lambda: program([])) + 1, step):
            count = 0

            def act(frame: Frame, at: int = at) -> None:
                nonlocal count
                count += 1
                if count >= at:
                    _limits._expire(S, frame)

            clock.struck = lambda at=at: count >= at  # type: ignore[misc] # noqa: B023
            heard += len(calling(program, act, tracing))
            assert count >= at
            gone()
    assert heard > 10 / step


@pytest.mark.skipif(PYPY, reason="ctypes passes no objects to C")
@everywhere
def test_the_time_is_over_and_the_signal_comes(
    program: Program,
    step: int,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interpreter looks for it where it wants to, and no block is passed by."""
    never = 1 << 30
    expire = _limits._expire

    def handler(signum: int, frame: Frame | None) -> None:
        if frame is None or frame.f_code.co_filename == _bytecodes.__file__:
            return
        assert clock.struck()
        clock.struck = lambda: True
        lib.sigcffi_strikes_at(S, never, False)  # not in here
        try:
            expire(signum, frame)
        finally:
            lib.sigcffi_strikes_at(S, 1, False)

    def call(countdown: int) -> tuple[Said, bool]:
        said: Said = []
        clock.struck = lambda: lib.sigcffi_strikes_left() == 0
        lib.sigcffi_strikes_at(S, countdown, False)
        try:
            Tripping(watched).run(lambda: program(said))
        finally:
            struck = clock.struck()
            lib.sigcffi_strikes_at(S, never, False)
        for whose, expected in said:
            assert whose is expected
        gone()
        return said, struck

    monkeypatch.setattr(_limits, "_expire", handler)
    signal.signal(S, handler)
    heard, at = 0, 1
    struck = True
    with no_finalizers():
        call(never)
        call(never)
        while struck:
            said, struck = call(at)
            heard += len(said)
            at += step
    assert heard > 10 / step


def interrupting(at: int) -> Act:
    """Ctrl-C at the bytecode of this number."""
    count = 0

    def act(frame: Frame) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise KeyboardInterrupt

    return act


@everywhere
def test_another_handlers_exception_anywhere_leaves_nothing_that_strikes_later(
    program: Program, step: int, clock: Clock
) -> None:
    with Tracing(watched) as tracing, no_finalizers():
        for at in range(1, tracing.count(lambda: program([])) + 1, step):
            clock.struck = bool
            with contextlib.suppress(KeyboardInterrupt):
                calling(program, interrupting(at), tracing)
            gone()
        # What is entered anew has all its time.
        clock.struck = bool
        assert calling(program, lambda frame: None, tracing) == []


@steps
def test_what_was_left_by_an_exception_is_not_what_has_begun_anew(step: int, clock: Clock) -> None:
    def over() -> None:
        clock.struck = lambda: True
        _limits._expire(S, sys._getframe())

    def program(said: Said) -> None:
        clock.struck = bool
        for again in (False, True):
            block = timeout(HOUR)
            try:
                with block:
                    if again:
                        over()
            except KeyboardInterrupt:
                pass
            except TimedOut as error:
                said.append((error.timeout, block))

    heard = 0
    with Tracing(lambda code: watched(code) or code is program.__code__) as tracing:
        for at in range(1, tracing.count(lambda: program([])) + 1, step):
            with contextlib.suppress(KeyboardInterrupt):
                heard += len(calling(program, interrupting(at), tracing))
            gone()
    assert heard > 10 / step
