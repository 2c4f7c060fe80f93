"""``Timer``: what cannot be one is refused, and what is closed, or the parent's, says so."""

from __future__ import annotations

import errno
import gc
import os
import resource
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import join, kernel, python_says, run_python, with_room

import sigcffi as signal
from sigcffi._sigcffi import lib

pytestmark = pytest.mark.skipif(not lib.SIGCFFI_HAS_POSIX_TIMERS, reason="no timer_create(2)")

Q = signal.SIGRTMIN
Make = Callable[..., Any]


@pytest.fixture
def make() -> Iterator[Make]:
    """Timers that are closed after the test."""
    timers: list[Any] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        timers.append(with_room(lambda: signal.Timer(*args, **kwargs)))
        return timers[-1]

    yield call
    for timer in timers:
        timer.close()


# ---- Making ----


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"signum": 0}, ValueError, "out of range"),
        ({"signum": signal.NSIG}, ValueError, "out of range"),
        ({"signum": 32}, ValueError, "belongs to the C library"),
        ({"signum": "x"}, TypeError, ""),
        ({"clock": 4711}, OSError, f"clock 4711: {os.strerror(errno.EINVAL)}"),
        # CLOCK_MONOTONIC_RAW
        ({"clock": 4}, OSError, f"clock 4: {os.strerror(errno.EOPNOTSUPP)}"),
        ({"clock": 2**31}, OverflowError, ""),
        ({"clock": None}, TypeError, ""),
        ({"clock": 1.0}, TypeError, ""),
        ({"value": 2**31}, OverflowError, ""),
        ({"value": "x"}, TypeError, ""),
        ({"thread_id": 1}, ProcessLookupError, "no running thread of this process is 1"),
        ({"thread_id": 2**70}, ProcessLookupError, "no running thread"),
        ({"thread_id": "x"}, TypeError, ""),
        ({"nothing": 1}, TypeError, ""),
    ],
)
def test_what_cannot_be_a_timer_is_refused(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text or None):
        with_room(lambda: signal.Timer(**arguments))


def test_a_thread_that_has_ended_cannot_be_chosen() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    join(thread)
    with pytest.raises(ProcessLookupError):
        signal.Timer(thread_id=thread.ident)


def test_too_many_are_refused_with_eagain() -> None:
    code = """
        import resource, sigcffi as signal
        SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it
        resource.setrlimit(SIGPENDING, (0, 0))
        try:
            signal.Timer()
        except BlockingIOError as error:
            print(error)
    """
    assert python_says(code) == "[Errno 11] Resource temporarily unavailable\n"
    assert resource.getrlimit(getattr(resource, "RLIMIT_SIGPENDING", 11))[0] > 0


# ---- The end ----


def test_a_closed_timer_says_so_and_sends_nothing(make: Make) -> None:
    with signal.blocked(Q):
        with make(Q) as timer:
            timer.settime(1000)
            assert not timer.closed
        assert timer.closed
        timer.close()
        calls: list[Callable[[], Any]] = [
            lambda: timer.settime(1),
            lambda: timer.settime_ns(1),
            timer.gettime,
            timer.gettime_ns,
            lambda: timer.overrun,
        ]
        for call in calls:
            with pytest.raises(ValueError, match="the timer is closed"):
                call()
        assert repr(timer) == "<Timer, closed>"
        assert signal.sigpending() == set()


def test_one_that_another_thread_is_just_closing_says_so_too(make: Make) -> None:
    """The kernel has given it up already, and the object does not know yet."""
    timer = make(Q)
    lib.sigcffi_timers_delete(timer._handle)
    for call in (timer.gettime, lambda: timer.settime(1), lambda: timer.overrun):
        with pytest.raises(ValueError, match="the timer is closed"):
            call()
    with pytest.raises(signal.ItimerError):
        timer.settime(-1)
    assert timer.closed


def test_one_that_is_not_closed_is_closed_when_it_is_collected(make: Make) -> None:
    timer = with_room(lambda: signal.Timer(Q))
    timer.settime(1000)
    handle, text = timer._handle, repr(timer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del timer
        gc.collect()  # of whatever else is there, which may have its own warnings
    told = [one for one in caught if one.category is ResourceWarning]
    assert [one for one in told if str(one.message).startswith(f"unclosed {text}"[:20])]
    assert lib.sigcffi_timers_overrun(handle) < 0


def test_one_that_was_never_made_is_collected_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(OSError, match="clock"):
            signal.Timer(clock=4711)
        with pytest.raises(TypeError):
            signal.Timer(nothing=1)  # type: ignore[call-arg]
        gc.collect()


def test_threads_that_set_and_close_one_timer_meet_no_other(make: Make) -> None:
    """Who is late is told that it is closed, and nothing happens to the timers made meanwhile."""
    others = []
    for _ in range(200):
        timer = make(Q)
        refusals: list[str] = []
        start = threading.Barrier(3)

        def use(timer: Any = timer, start: Any = start, refusals: list[str] = refusals) -> None:
            start.wait()
            try:
                for _ in range(20):
                    timer.settime(1000)
            except ValueError as error:
                refusals.append(str(error))

        threads = [threading.Thread(target=use) for _ in range(2)]
        for thread in threads:
            thread.start()
        start.wait()
        timer.close()
        others.append(make(Q))
        for thread in threads:
            thread.join(60)
        assert set(refusals) <= {"the timer is closed"}
        assert timer.closed
    assert {other.gettime() for other in others} == {(0.0, 0.0)}


def test_a_forked_child_has_none_and_says_so(make: Make) -> None:
    code = """
        import os, sys, sigcffi as signal
        def make(signum):
            while True:
                try:
                    return signal.Timer(signum)
                except BlockingIOError:  # another process has filled the queue
                    pass
        timer = make(signal.SIGRTMIN)
        timer.settime(1000)
        child = os.fork()
        if child == 0:
            own = make(signal.SIGRTMIN)
            assert own.timerid == timer.timerid  # the numbers begin anew
            for call in (lambda: timer.settime(1), timer.gettime, lambda: timer.overrun):
                try:
                    call()
                except ValueError as error:
                    print(error)
            print(timer.closed, repr(timer))
            timer.close()
            print(own.settime(5) == (0.0, 0.0), own.closed, flush=True)
            own.close()
            os._exit(0)
        print(os.waitpid(child, 0)[1], timer.closed, timer.gettime()[0] > 900)
        timer.close()
    """
    theirs = "the timer belongs to the parent process: a forked child has none\n"
    assert python_says(code) == (3 * theirs + "True <Timer, closed>\nTrue False\n0 False True\n")


def test_a_program_that_ends_is_not_ended_by_its_timer() -> None:
    """The interpreter gives SIGALRM back to its default action before it is gone."""
    code = """
        import sigcffi as signal
        signal.signal(signal.SIGALRM, lambda signum, frame: None)
        timer = None
        while timer is None:
            try:
                timer = signal.Timer()
            except BlockingIOError:  # another process has filled the queue
                pass
        timer.settime(0.001, 0.001)  # with less a slow machine does nothing else
        class Slow:
            def __del__(self):
                sum(range(10**6))
        slow = Slow()
        slow.itself = slow
    """
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_else_is_touched(make: Make) -> None:
    before = kernel()
    timer = make(Q)
    timer.settime(1000)
    assert kernel() == before
