"""``timeout`` has no window: its time is over at every bytecode in turn, of a block and of the code
around it, and what comes out is ``TimedOut``, of its own block, or nothing.

The kernel's timer is never set: at each bytecode a trace function does what the handler of its
signal would do there. CPython before 3.11 looks at signals when ``f_lasti`` is that of the last
bytecode, which a trace function does not see: there, and on all CPythons for where they do look, a
signal is raised at each bytecode by C.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import types
from typing import Any, Callable

import pytest
from support import PYPY
from tracing import Tracing

import sigcffi as signal
from sigcffi import TimeoutInterrupt, _timeouts

Said = list[Any]
Program = Callable[[Said], None]
Frame = types.FrameType

S = signal.SIGRTMAX - 1
HOUR = 3600
LAST = not PYPY and sys.version_info < (3, 11)  # what f_lasti is: the last, or the next


class Clock:
    """The clock of the timeouts, put on by hand."""

    def __init__(self) -> None:
        self.struck: Callable[[], bool] = bool
        self.late = 0

    def __call__(self) -> int:
        return 10**18 + (2 * self.struck() + self.late) * HOUR * 10**9


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(_timeouts, "monotonic_ns", fake)

    def arm(when: int) -> None:
        _timeouts._at.armed = when

    monkeypatch.setattr(_timeouts, "_arm", arm)
    monkeypatch.setattr(_timeouts, "_disarm", lambda: arm(_timeouts._NEVER))
    monkeypatch.setattr(_timeouts._at, "armed", _timeouts._NEVER)
    return fake


def gone() -> None:
    """What an exception has passed by at its very beginning or end is found to be over."""
    clock = _timeouts.monotonic_ns
    assert isinstance(clock, Clock)
    clock.struck = lambda: True
    clock.late = 10**6
    for _ in range(3):
        _timeouts._expire(S, sys._getframe())
    clock.late = 0
    assert not list(filter(_timeouts._is_current, _timeouts._heap))
    assert not _timeouts._due
    frame = sys._getframe()
    assert not [each for each in _timeouts._shields if _timeouts._is_in_force(each, frame)]
    _timeouts._shields.clear()


# ---- Programs. Each says whose time was over where it was caught, and whose should be. ----

SOURCE = """
def once(said):
    block = timeout(HOUR)
    try:
        with block:
            x = 1
            for _ in range(2):
                x += 1
    except TimedOut as error:
        said.append((error.timeout, block))

def empty(said):
    block = timeout(HOUR)
    try:
        with block:
            pass
    except TimedOut as error:
        said.append((error.timeout, block))

def nested(said):
    outer, inner = timeout(HOUR), timeout(HOUR)
    try:
        with outer:
            try:
                with inner:
                    x = 1
            except TimedOut as error:
                said.append((error.timeout, inner))
            x = 2
    except TimedOut as error:
        said.append((error.timeout, outer))

def in_a_loop(said):
    for x in range(3):
        block = timeout(HOUR)
        try:
            with block:
                if x == 1:
                    continue
        except TimedOut as error:
            said.append((error.timeout, block))

def loops_without_a_body(said):
    block = timeout(HOUR)
    try:
        with block:
            x = 2
            while (x := x - 1): pass
            for _ in range(2): pass
            while True:
                x += 1
                if x > 1:
                    break
    except TimedOut as error:
        said.append((error.timeout, block))

def returning(said):
    block = timeout(HOUR)

    def inside():
        with block:
            for x in range(3):
                with timeout(3 * HOUR):
                    if x == 1:
                        return x

    try:
        inside()
    except TimedOut as error:
        said.append((error.timeout, block))

def swallowing(said):
    block = timeout(HOUR)
    try:
        with block:
            try:
                x = 1
            except:
                x = 2
            x += 1
    except TimedOut as error:
        said.append((error.timeout, block))

def swallowing_by_name(said):
    block = timeout(HOUR)
    try:
        with block:
            while True:
                try:
                    x = 1
                    break
                except BaseException as error:
                    continue
                finally:
                    x = 2
    except TimedOut as error:
        said.append((error.timeout, block))

def cleaning(said):
    block = timeout(HOUR)
    try:
        with block:
            try:
                int("x")
            except ValueError:
                x = 1
            finally:
                x = 2
            x += 1
    except TimedOut as error:
        said.append((error.timeout, block))

def raising(said):
    block = timeout(HOUR)
    try:
        with block:
            with timeout(3 * HOUR):
                x = str(1)
                int("x")
    except TimedOut as error:
        said.append((error.timeout, block))
    except ValueError:
        x = 1

def among_others(said):
    @contextmanager
    def manager():
        x = 1
        try:
            yield x
        finally:
            x = 2

    block = timeout(HOUR)
    try:
        with manager(), block, manager():
            with manager():
                pass
    except TimedOut as error:
        said.append((error.timeout, block))

def as_a_generator(said):
    block = timeout(HOUR)

    @contextmanager
    def limited():
        with block:
            x = 1
            yield
            x = 2

    try:
        with limited():
            x = 3
    except TimedOut as error:
        said.append((error.timeout, block))

def as_a_generator_of_a_generator(said):
    block = timeout(HOUR)

    @contextmanager
    def limited():
        with block:
            yield

    @contextmanager
    def more():
        x = 0
        with limited():
            x = 1
            yield
            x = 2

    try:
        with more():
            x = 3
    except TimedOut as error:
        said.append((error.timeout, block))

def decorated(said):
    @timeout(HOUR)
    def function(depth):
        return function(depth - 1) if depth else 0

    try:
        function(1)
    except TimedOut as error:
        said.append((error.timeout, error.timeout))

def in_a_generator(said):
    block = timeout(HOUR)

    def generator():
        with block:
            yield 1
            yield 2

    try:
        for x in generator():
            x += 1
    except TimedOut as error:
        said.append((error.timeout, block))

def shielded(said):
    block = timeout(HOUR)
    try:
        with block:
            x = 1
            with block.shield():
                x = 2
            x = 3
    except TimedOut as error:
        said.append((error.timeout, block))

def stacked(said):
    block = timeout(HOUR)
    try:
        with ExitStack() as stack:
            stack.enter_context(block)
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))

def stacked_in_a_block(said):
    block = timeout(HOUR)
    try:
        with ExitStack() as stack:
            with ExitStack():
                stack.enter_context(block)
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))

class Limited:
    def __init__(self, block):
        self.block = block

    def __enter__(self):
        self.block.__enter__()
        return self

    def __exit__(self, *error):
        return self.block.__exit__(*error)

def wrapped(said):
    block = timeout(HOUR)
    try:
        with Limited(block):
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))

def wrapped_and_stacked(said):
    block = timeout(HOUR)
    try:
        with ExitStack() as stack:
            stack.enter_context(Limited(block))
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))

class Derived(timeout):
    def __enter__(self):
        x = super().__enter__()
        return x

    def __exit__(self, *error):
        x = super().__exit__(*error)
        return x

def derived(said):
    block = Derived(HOUR)
    try:
        with block:
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))
"""

NAMES: dict[str, Any] = {
    **vars(contextlib),
    **vars(signal),
    "HOUR": HOUR,
}
exec(compile(SOURCE, "<programs>", "exec"), NAMES)
PROGRAMS = [
    each
    for each in NAMES.values()
    if isinstance(each, types.FunctionType) and each.__code__.co_filename == "<programs>"
]
everywhere = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)

MACHINERY = (_timeouts.__file__, contextlib.__file__)


def watched(code: types.CodeType) -> bool:
    return code.co_filename == "<programs>" or code.co_filename in MACHINERY


def calling(program: Program, act: Callable[[Frame, str], Any], tracing: Tracing) -> Said:
    """What it says; a block that was interrupted says so itself."""
    said: Said = []

    def call() -> None:
        said.clear()
        program(said)

    tracing.call(call, act)
    for whose, expected in said:
        assert whose is expected
        assert whose.expired
    return said


@pytest.mark.skipif(LAST, reason="a trace function sees another f_lasti than a signal's handler")
@everywhere
def test_the_time_is_over_at_every_bytecode(program: Program, clock: Clock) -> None:
    heard = 0
    with Tracing(watched) as tracing:
        for at in range(1, tracing.count(lambda: program([])) + 1):
            count = 0

            def act(frame: Frame, event: str, at: int = at) -> None:
                nonlocal count
                if event == "opcode":
                    count += 1
                    if count >= at:
                        _timeouts._expire(S, frame)

            clock.struck = lambda at=at: count >= at  # type: ignore[misc] # noqa: B023
            heard += len(calling(program, act, tracing))
            assert count >= at
            gone()
    assert heard > 10


@pytest.mark.skipif(PYPY, reason="ctypes passes no objects to C")
@everywhere
def test_the_time_is_over_and_the_signal_comes(
    program: Program, clock: Clock, foreign: ctypes.CDLL
) -> None:
    """The interpreter looks for it where it wants to, and no block is passed by."""
    trip = ctypes.PYFUNCTYPE(None, *[ctypes.py_object] * 3)(("foreign_trip", foreign))

    def trace(frame: Frame, event: str, arg: object) -> Any:
        if not watched(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return trip

    def call(countdown: int) -> Said:
        said: Said = []
        foreign.foreign_trip_at(S, countdown)
        sys.settrace(trace)
        try:
            program(said)
        finally:
            sys.settrace(None)
        for whose, expected in said:
            assert whose is expected
        gone()
        clock.struck = lambda: foreign.foreign_trip_left() == 0
        return said

    never = 1 << 30
    foreign.foreign_trip_left.restype = ctypes.c_long
    signal.signal(S, _timeouts._expire)
    call(never)
    call(never)
    count = never - foreign.foreign_trip_left()
    assert sum(len(call(at)) for at in range(1, count + 1)) > 10


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutInterrupt])
@everywhere
def test_another_handlers_exception_anywhere_leaves_nothing_that_strikes_later(
    program: Program, error: type[BaseException], clock: Clock
) -> None:
    with Tracing(watched) as tracing:
        for at in range(1, tracing.count(lambda: program([])) + 1):
            count = 0

            def act(frame: Frame, event: str, at: int = at) -> None:
                nonlocal count
                if event == "opcode":
                    count += 1
                    if count == at:
                        raise error

            clock.struck = bool
            with contextlib.suppress(error):
                calling(program, act, tracing)
            gone()
            # What is entered anew has all its time.
            clock.struck = bool
            assert calling(program, lambda frame, event: None, tracing) == []
