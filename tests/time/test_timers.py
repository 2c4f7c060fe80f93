"""``Timer``: a POSIX timer sends its signal, says what it does, and is gone when it is closed."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from oracle.outcomes import Float, Index, Outcome
from support import asleep, join, until

import sigcffi as signal
from sigcffi._sigcffi import lib

pytestmark = pytest.mark.skipif(not lib.SIGCFFI_HAS_POSIX_TIMERS, reason="no timer_create(2)")

A, Q = signal.SIGUSR1, signal.SIGRTMIN
NS = 10**9
Make = Callable[..., Any]


@pytest.fixture
def infos() -> Iterator[list[signal.SigInfo]]:
    """What a handler of Q is given."""
    seen: list[signal.SigInfo] = []
    with signal.handling(Q, lambda info, frame: seen.append(info)):
        yield seen


def is_set(timer: Any, value: float, interval: float = 0) -> bool:
    left, repeat = timer.gettime()
    return value - 30 < left <= value and repeat == interval


# ---- Expiring ----


def test_a_handler_is_told_all_about_it(make: Make, infos: list[signal.SigInfo]) -> None:
    timer = make(Q, value=-7)
    assert timer.settime(0.001) == (0.0, 0.0)
    until(lambda: infos, "the timer")
    [info] = infos
    assert (info.si_signo, info.si_code, info.si_value) == (Q, signal.SI_TIMER, -7)
    assert (info.si_timerid, info.si_overrun) == (timer.timerid, 0)
    assert timer.gettime() == (0.0, 0.0)


def test_a_receiver_gets_it_too(make: Make) -> None:
    timer = make(Q, value=3)
    with signal.open_signal_receiver(Q) as receiver:
        timer.settime_ns(1)
        info = receiver.wait(60)
    assert (info.si_code, info.si_value, info.si_timerid) == (signal.SI_TIMER, 3, timer.timerid)


def test_a_plain_handler_is_called_for_sigalrm(make: Make) -> None:
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda signum, frame: seen.append(signum))
    make().settime(0.001)
    until(lambda: seen, "the timer")
    assert seen == [signal.SIGALRM]


def test_with_an_interval_it_goes_on(make: Make, infos: list[signal.SigInfo]) -> None:
    timer = make(Q)
    timer.settime(0.001, 0.001)
    until(lambda: len(infos) >= 5, "five times")
    assert timer.gettime_ns()[1] == 10**6
    assert timer.settime(0)[1] == 0.001
    assert timer.gettime() == (0.0, 0.0)


def test_what_expires_while_its_signal_is_pending_is_an_overrun(
    make: Make, infos: list[signal.SigInfo]
) -> None:
    timer = make(Q)
    with signal.blocked(Q):
        timer.settime_ns(1, 10_000)
        start = time.monotonic_ns()
        until(lambda: time.monotonic_ns() - start > 10**7, "a thousand times")
        info = signal.sigwaitinfo({Q})
        assert info.si_overrun is not None
        assert info.si_overrun >= 999
        assert timer.overrun >= 0  # of the next signal, perhaps
        timer.settime(0)


def test_several_timers_are_told_apart(make: Make, infos: list[signal.SigInfo]) -> None:
    timers = [make(Q, value=number) for number in range(10)]
    for timer in reversed(timers):
        timer.settime_ns(1)
    until(lambda: len(infos) == 10, "all of them")
    assert {info.si_timerid: info.si_value for info in infos} == {
        timer.timerid: timer.value for timer in timers
    }


@pytest.mark.parametrize(
    "name",
    [
        *("CLOCK_MONOTONIC", "CLOCK_REALTIME", "CLOCK_BOOTTIME"),
        *("CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID"),
    ],
)
def test_every_clock_drives_a_timer(name: str, make: Make, infos: list[signal.SigInfo]) -> None:
    # PyPy's module time has fewer names.
    clock = getattr(time, name, {"CLOCK_BOOTTIME": 7, "CLOCK_REALTIME": 0}.get(name))
    assert clock is not None
    timer = make(Q, clock=clock)
    assert timer.clock == clock
    timer.settime(0.001)
    until(lambda: infos, "the timer")
    timer.settime_ns(time.clock_gettime_ns(clock) + 10**6, absolute=True)
    until(lambda: len(infos) == 2, "the timer")


def test_a_clock_of_another_threads_processor_time(make: Make) -> None:
    if not hasattr(time, "pthread_getcpuclockid"):
        pytest.skip("this interpreter cannot name the clock")
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    until(lambda: asleep(thread.native_id or 0), "the thread")
    timer = make(Q, clock=time.pthread_getcpuclockid(thread.ident or 0))
    timer.settime(1000)
    left = timer.gettime()[0]
    sum(range(10**5))
    assert timer.gettime()[0] == left  # it does nothing
    end.set()
    join(thread)


@pytest.mark.parametrize("name", ["CLOCK_REALTIME_ALARM", "CLOCK_BOOTTIME_ALARM"])
def test_clocks_that_wake_the_machine_where_that_is_permitted(
    name: str, make: Make, infos: list[signal.SigInfo]
) -> None:
    try:
        timer = make(Q, clock=getattr(signal, name))
    except PermissionError:
        pytest.skip("not permitted")
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("the machine has no clock that could wake it")
    timer.settime(0.001)
    until(lambda: infos, "the timer")


def test_an_absolute_time_that_is_over_is_now(make: Make, infos: list[signal.SigInfo]) -> None:
    make(Q).settime(0.001, absolute=True)
    until(lambda: infos, "the timer")


def test_an_absolute_time_is_shown_as_what_is_left(make: Make) -> None:
    timer = make(Q)
    timer.settime(time.monotonic() + 1000, 5, absolute=True)
    assert is_set(timer, 1000, 5)


def test_a_thread_can_be_chosen(make: Make) -> None:
    """Its signal goes to that thread, though another would take it."""
    taken: list[Any] = []
    ready, accept = threading.Event(), threading.Event()

    def run() -> None:
        with signal.blocked(Q):
            ready.set()
            accept.wait()
            taken.append(signal.sigtimedwait({Q}, 60))

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    with signal.handling(Q, lambda info, frame: pytest.fail("it went to the main thread")):
        timer = make(Q, value=5, thread_id=thread.ident)
        assert timer.thread_id == thread.ident
        timer.settime_ns(1)
        start = time.monotonic_ns()
        until(lambda: timer.gettime()[0] == 0 and time.monotonic_ns() > start, "the timer")
        accept.set()
        join(thread)
    assert taken[0].si_value == 5


def test_the_calling_thread_can_be_chosen(make: Make) -> None:
    """Also one that the module threading has not started."""
    taken: list[Any] = []
    lock = threading.Lock()
    lock.acquire()

    def run() -> None:
        with signal.blocked(Q):
            timer = make(Q, thread_id=threading.get_ident())
            timer.settime_ns(1)
            taken.append(signal.sigtimedwait({Q}, 60))
        lock.release()

    import _thread

    _thread.start_new_thread(run, ())
    assert lock.acquire(timeout=60)
    assert taken[0].si_code == signal.SI_TIMER


def test_where_threading_was_not_imported_it_knows_no_thread_and_does_not_import_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = threading.get_ident() + 1
    monkeypatch.delitem(sys.modules, "threading")
    with pytest.raises(ProcessLookupError, match=f"{ident}$"):
        make(Q, thread_id=ident)
    assert "threading" not in sys.modules


# ---- Setting and reading ----


def test_settime_returns_the_former_setting(make: Make) -> None:
    timer = make(Q)
    assert timer.settime(1000, 5) == (0.0, 0.0)
    left, interval = timer.settime_ns(2000 * NS, 1)
    assert 970 * NS < left <= 1000 * NS
    assert interval == 5 * NS
    left, interval = timer.settime(0)
    assert 1970 < left <= 2000
    assert interval == 1e-9


def test_the_smallest_time_still_expires(make: Make, infos: list[signal.SigInfo]) -> None:
    timer = make(Q)
    for number, seconds in enumerate([5e-324, 1e-10, 1e-9]):
        timer.settime(seconds)
        until(lambda: len(infos) > number, f"{seconds} s")  # noqa: B023
    timer.settime(1000, 1e-10)
    assert timer.gettime_ns()[1] == 1


def test_it_takes_what_counts_as_a_number(make: Make) -> None:
    timer = make(Q)
    timer.settime(True, True)
    assert timer.gettime_ns()[1] == NS
    timer.settime(1000.5, 0.25)
    assert timer.gettime_ns()[1] == NS // 4
    timer.settime_ns(1000 * NS, True)
    assert timer.gettime_ns()[1] == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (-1, signal.ItimerError),
        (-1e-9, signal.ItimerError),
        (float("nan"), ValueError),
        (float("inf"), OverflowError),
        (float("-inf"), OverflowError),
        (2**63 / 1e9, OverflowError),
        (2**40, OverflowError),
        (2**70, OverflowError),
        (None, TypeError),
        ("1", TypeError),
        (1j, TypeError),
    ],
)
def test_a_wrong_time_is_refused_and_changes_nothing(
    wrong: Any, error: type[Exception], make: Make
) -> None:
    timer = make(Q)
    timer.settime(1000, 5)
    for arguments in [(wrong,), (1, wrong), (wrong, wrong)]:
        with pytest.raises(error):
            timer.settime(*arguments)
    assert is_set(timer, 1000, 5)


@pytest.mark.parametrize("odd", [Decimal("1.5"), Decimal(1), Fraction(1, 2), Index(2), Float(0.5)])
def test_what_may_count_as_a_number_does_so_as_in_setitimer(odd: Any, make: Make) -> None:
    timer = make(Q)
    outcome = Outcome(timer.settime, 1000, odd)
    expected = Outcome(signal.setitimer, signal.ITIMER_VIRTUAL, 1000, odd)
    assert (outcome.error, outcome.warned) == (expected.error, expected.warned)
    former = signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    assert timer.gettime()[1] == pytest.approx(former[1])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (-1, signal.ItimerError),
        (2**63, OverflowError),
        (-(2**63) - 1, OverflowError),
        (1.0, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
def test_a_wrong_number_of_nanoseconds_is_refused_and_changes_nothing(
    wrong: Any, error: type[Exception], make: Make
) -> None:
    timer = make(Q)
    timer.settime(1000, 5)
    for arguments in [(wrong,), (1, wrong)]:
        with pytest.raises(error):
            timer.settime_ns(*arguments)
    assert is_set(timer, 1000, 5)


def test_it_says_what_it_does(make: Make) -> None:
    timer = make(Q, clock=time.CLOCK_REALTIME)
    assert repr(timer) == f"<Timer {timer.timerid} on clock 0: signal {int(Q)}, not armed>"
    timer.settime(1000)
    assert ", expires in 99" in repr(timer)
    timer.settime(1000, 0.5)
    assert repr(timer).endswith(" s, every 0.500000 s>")
    assert (timer.signum, timer.value, timer.thread_id) == (Q, 0, None)


def test_the_calling_thread_may_have_an_ident_that_others_have_given_it(
    make: Make, infos: list[signal.SigInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greenlets have idents of their own, and gevent has ``threading`` tell those."""
    monkeypatch.setattr(threading, "get_ident", lambda: 4711)
    make(Q, thread_id=4711).settime(1e-9)
    until(lambda: infos, "the timer's signal")
