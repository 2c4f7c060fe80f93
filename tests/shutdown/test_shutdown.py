"""``shutdown`` in synchronous code: what it tells, whom, and when it interrupts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import threading
import time

import pytest
from support import DEADLINE, in_thread, join, until

import sigcffi as signal
from sigcffi import ShutdownInterrupt, SigInfo, shutdown

S, T = signal.SIGUSR1, signal.SIGUSR2
HERE = os.getpid()


def send(signum: int = S) -> None:
    os.kill(HERE, signum)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # its handler runs now


def for_ever() -> None:
    until(lambda: False, "the interruption")


# ---- The stages ----


def test_the_first_signal_asks_and_says_who_has_sent_it() -> None:
    with shutdown(S, T) as stop:
        assert (bool(stop), stop.stage, stop.reason) == (False, "running", None)
        send(T)
        assert (bool(stop), stop.stage) == (True, "draining")
        reason = stop.reason
        assert isinstance(reason, SigInfo)
        assert (reason.si_signo, reason.si_pid) == (T, HERE)
    assert (bool(stop), stop.stage, stop.reason) == (True, "draining", reason)


def test_without_signals_it_is_for_sigterm_and_sigint() -> None:
    with shutdown() as stop:
        send(signal.SIGINT)
        assert stop.stage == "draining"
    with shutdown() as stop:
        send(signal.SIGTERM)
        assert stop.stage == "draining"


def test_the_second_interrupts_and_that_ends_at_the_end_of_the_block() -> None:
    seen = []
    with shutdown(S, T) as stop:
        send()
        try:
            send(T)
            for_ever()
        except ShutdownInterrupt as error:
            seen.extend([error.shutdown, stop.stage])
            raise
    assert seen == [stop, "interrupted"]
    assert isinstance(stop.reason, SigInfo)
    assert stop.reason.si_signo == S


def test_except_exception_does_not_stop_the_interruption() -> None:
    with shutdown(S):
        send()
        with contextlib.suppress(Exception):
            send()
            for_ever()
        pytest.fail("the block went on")


def test_what_swallows_it_is_interrupted_anew() -> None:
    swallowed = 0
    with shutdown(S):
        send()
        while swallowed < 3:
            try:
                if not swallowed:
                    send()
                for_ever()
            except BaseException:
                swallowed += 1
        for_ever()
    assert swallowed


def test_grace_is_the_time_from_the_first_signal_to_the_interruption() -> None:
    began = time.monotonic()
    with shutdown(S, grace=0.2) as stop:
        send()
        for_ever()
    assert stop.stage == "interrupted"
    assert time.monotonic() - began >= 0.2


def test_a_second_signal_does_not_wait_for_the_grace() -> None:
    with shutdown(S, grace=3600) as stop:
        send()
        send()
        for_ever()
    assert stop.stage == "interrupted"


@pytest.mark.parametrize("grace", [0, 0.0, None])
def test_with_no_grace_at_all_the_first_interrupts(grace: float | None) -> None:
    asked = False
    with shutdown(S, grace=grace) as stop:
        send()
        asked = True
        if grace is None:
            send()
        for_ever()
    assert asked or stop
    assert stop.stage == "interrupted"


def test_an_exception_of_the_program_leaves_the_block_as_ever() -> None:
    with pytest.raises(LookupError), shutdown(S) as stop:
        send()
        raise LookupError
    assert stop.stage == "draining"


def test_an_exception_behind_the_interruption_leaves_the_block() -> None:
    with pytest.raises(LookupError) as left, shutdown(S):
        send()
        try:
            send()
            for_ever()
        finally:
            raise LookupError
    assert isinstance(left.value.__context__, ShutdownInterrupt)


def test_in_an_exit_stack_another_exception_is_not_swallowed_in_its_place() -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError), contextlib.ExitStack() as stack:
        stop = stack.enter_context(shutdown(S))
        stack.callback(fail)
        send()
        send()
        for_ever()
    assert stop.stage == "interrupted"


def test_within_a_shield_it_waits() -> None:
    shielded = False
    with shutdown(S) as stop:
        send()
        with stop.shield():
            send()
            end = time.monotonic() + 0.05
            until(lambda: time.monotonic() > end)
            shielded = True
        for_ever()
    assert shielded


def test_a_timeout_within_is_left_by_it() -> None:
    with shutdown(S) as stop:
        with signal.timeout(3600) as inner:
            send()
            send()
            for_ever()
        pytest.fail("the block went on")
    assert stop.stage == "interrupted"
    assert not inner.expired


def test_a_timeout_around_it_ends_with_timed_out() -> None:
    with pytest.raises(signal.TimedOut), signal.timeout(0.05), shutdown(S) as stop:
        send()
        for_ever()
    assert stop.stage == "draining"


def test_it_interrupts_a_system_call() -> None:
    read, write = os.pipe()
    with shutdown(S, grace=0.05) as stop:
        send()
        os.read(read, 1)
    assert stop.stage == "interrupted"
    os.close(read)
    os.close(write)


# ---- Who is told ----


def test_every_thread_may_wait_and_knows_the_reason() -> None:
    found: list[tuple[bool, object]] = []
    with shutdown(S) as stop:
        threads = [in_thread(lambda: found.append((stop.wait(), stop.reason))) for _ in range(3)]
        send()
        for thread in threads:
            join(thread)
        assert found == [(True, stop.reason)] * 3


def test_a_wait_in_the_main_thread_ends_when_another_thread_takes_the_signal() -> None:
    with shutdown(S) as stop:
        thread = in_thread(lambda: signal.pthread_kill(threading.get_ident(), S))
        assert stop.wait()
        join(thread)


def test_a_wait_ends_with_the_time_and_with_the_block() -> None:
    found: list[bool] = []
    with shutdown(S) as stop:
        assert not stop.wait(0)
        assert not stop.wait(0.01)
        thread = in_thread(lambda: found.append(stop.wait()))
    join(thread)
    assert found == [False]


def test_the_descriptor_can_be_read_from_the_first_signal_on() -> None:
    with shutdown(S) as stop:
        assert select.select([stop], [], [], 0)[0] == []
        send()
        assert select.select([stop], [], [], 0)[0] == [stop]
        assert select.select([stop.fileno()], [], [], 0)[0]
    with pytest.raises(ValueError, match="ended"):
        stop.fileno()


def test_code_without_python_sees_the_stage() -> None:
    with shutdown(S) as stop:
        cell = ctypes.c_int.from_address(stop.address)
        assert cell.value == 0
        send()
        assert cell.value == 1
        with contextlib.suppress(ShutdownInterrupt):
            send()
        assert cell.value == 2


def test_it_is_true_before_python_gets_to_its_handlers() -> None:
    with shutdown(S) as stop, signal.deferred():
        os.kill(HERE, S)
        assert stop
        assert stop.stage == "draining"
        assert isinstance(stop.reason, SigInfo)


# ---- Asked by the program ----


@pytest.mark.parametrize("in_another_thread", [False, True])
def test_the_program_may_ask_with_a_reason_of_its_own(in_another_thread: bool) -> None:
    with shutdown(S, grace=0.01) as stop:
        if in_another_thread:
            join(in_thread(lambda: stop.request("disk full")))
        else:
            stop.request("disk full")
        assert stop
        assert stop.reason == "disk full"
        assert select.select([stop], [], [], 0)[0]
        for_ever()
    assert stop.stage == "interrupted"
    assert stop.reason == "disk full"


def test_a_request_in_another_thread_ends_a_system_call_when_grace_is_over() -> None:
    """Also if it comes as the main thread gives up the GIL, and has not begun to wait yet."""
    read, write = os.pipe()
    for _ in range(50):
        with signal.timeout(DEADLINE), shutdown(S, grace=0.005) as stop:
            thread = in_thread(stop.request)
            os.read(read, 1)
        join(thread)
        assert stop.stage == "interrupted"
        assert stop.reason is None
    os.close(read)
    os.close(write)


def test_a_request_behind_a_signal_changes_nothing() -> None:
    with shutdown(S) as stop:
        send()
        stop.request("late")
        assert stop.stage == "draining"
        assert isinstance(stop.reason, SigInfo)


def test_a_signal_behind_a_request_interrupts() -> None:
    with shutdown(S) as stop:
        stop.request(1)
        stop.request(2)
        assert (stop.stage, stop.reason) == ("draining", 1)
        send()
        for_ever()
    assert (stop.stage, stop.reason) == ("interrupted", 1)


def test_a_request_after_the_end_changes_nothing() -> None:
    with shutdown(S) as stop:
        pass
    stop.request()
    assert not stop


# ---- Around it ----
