"""``flood`` and ``send_when_blocked_in``: signals by the thousand, and one at the right moment."""

from __future__ import annotations

import os
import resource
import select
import signal as standard
import subprocess
import threading
import time
from typing import Any

import pytest
from support import DEADLINE, PYPY, Recorder, in_thread, join

import sigcffi as signal
from sigcffi._testing import sending as _sending
from sigcffi.testing import flood, send_when_blocked_in

S, R = signal.SIGUSR1, signal.SIGRTMIN
SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it


# ---- flood ----


def test_each_signal_of_a_flood_arrives_once_and_each_senders_in_order() -> None:
    with signal.blocked(R):
        thread = in_thread(lambda: flood(R, 3000, senders=3))
        values = [signal.sigwaitinfo({R}).si_value or 0 for _ in range(3000)]
        join(thread)
    assert sorted(values) == list(range(3000))
    for sender in range(3):
        mine = [value for value in values if value % 3 == sender]
        assert mine == sorted(mine)


def test_handlers_run_within_the_flood() -> None:
    recorder = Recorder()
    signal.sigaction(R, recorder)
    flood(R, 3000, senders=3)
    assert sorted(value or 0 for value in recorder.values) == list(range(3000))


def test_values_are_those_that_are_given() -> None:
    recorder = Recorder()
    signal.sigaction(R, recorder)
    flood(R, 3, values=(value * value for value in range(-5, 5)))
    assert recorder.values == [25, 16, 9]
    assert {info.si_pid for info in recorder.infos} == {os.getpid()}
    flood(R, 0)
    assert len(recorder.values) == 3


def test_it_waits_while_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()
    monkeypatch.setattr(_sending, "sleep", lambda seconds: full.set())
    soft, hard = resource.getrlimit(SIGPENDING)
    with signal.blocked(R):
        resource.setrlimit(SIGPENDING, (0, hard))
        try:
            thread = in_thread(lambda: flood(R, 200))
            assert full.wait(DEADLINE)
        finally:
            resource.setrlimit(SIGPENDING, (soft, hard))
        values = [signal.sigwaitinfo({R}).si_value for _ in range(200)]
        join(thread)
    assert values == list(range(200))


def test_a_handlers_exception_comes_out_and_leaves_nobody_who_sends() -> None:
    came = []

    def handler(info: signal.SigInfo, frame: object) -> None:
        came.append(info.si_value)
        if len(came) == 5:
            raise KeyError("the handler's own")

    signal.sigaction(R, handler)
    with pytest.raises(KeyError, match="the handler's own"):
        flood(R, 3000, senders=2)
    assert not [each for each in threading.enumerate() if each.name == "sigcffi.testing"]
    assert 5 <= len(came) <= 3000


def test_a_flood_that_cannot_be_is_refused_before_anything_is_sent() -> None:
    recorder = Recorder()
    signal.sigaction(R, recorder)
    bad: list[tuple[type[Exception], tuple[Any, ...], dict[str, Any]]] = [
        (ValueError, (0, 1), {}),
        (TypeError, ("SIGUSR1", 1), {}),
        (ValueError, (R, -1), {}),
        (ValueError, (R, 1, 0), {}),
        (ValueError, (R, 2), {"values": [1]}),
        (OverflowError, (R, 1), {"values": [2**31]}),
        (TypeError, (R, 1.5), {}),
        (ValueError, (S, 1), {}),  # has no handler
    ]
    for error, arguments, how in bad:
        with pytest.raises(error):
            flood(*arguments, **how)
    assert recorder.infos == []


# ---- send_when_blocked_in ----


@pytest.fixture
def pipe() -> Any:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


class Struck(BaseException):
    pass


def strike(signum: int, frame: object) -> None:
    raise Struck


def test_this_threads_read_is_interrupted(pipe: tuple[int, int]) -> None:
    standard.signal(S, strike)
    with pytest.raises(Struck), send_when_blocked_in(threading.current_thread(), "read", S):
        os.read(pipe[0], 1)


CALLS = {
    "sleep": lambda: time.sleep(1000),
    "wait": lambda: os.waitid(os.P_PID, child, os.WEXITED),
    "select": lambda: select.select([], [], [], 1000),
    "poll": lambda: select.poll().poll(1_000_000),
    "epoll_wait": lambda: select.epoll().poll(1000),
    "sigwait": lambda: signal.sigtimedwait({signal.SIGUSR2}, 1000),
    "pause": lambda: signal.pause(),
}
child = 0


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                PYPY and name in ("sleep", "wait"),
                reason="PyPy sleeps in another system call, and has no os.waitid",
            ),
        )
        for name in CALLS
    ],
)
def test_whatever_the_c_library_calls_is_known(call: str) -> None:
    global child
    reader, writer = os.pipe()
    standard.signal(S, strike)
    if call == "wait":
        process = subprocess.Popen(["cat"], stdin=reader)
        child = process.pid
    with pytest.raises(Struck), send_when_blocked_in(threading.current_thread(), call, S):
        CALLS[call]()
    os.close(reader)
    os.close(writer)
    if call == "wait":
        process.wait()


def test_another_thread_is_waited_for_and_gets_the_signal_itself(pipe: tuple[int, int]) -> None:
    recorder = Recorder()
    signal.sigaction(R, recorder)
    thread = in_thread(lambda: os.read(pipe[0], 1))
    with send_when_blocked_in(thread, "read", R, value=7):
        assert thread.is_alive()
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    while not recorder.infos:
        signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert [info.si_value for info in recorder.infos] == [7]
    os.write(pipe[1], b".")
    join(thread)


def test_a_thread_that_does_not_come_there_is_told(pipe: tuple[int, int]) -> None:
    recorder = Recorder()
    signal.sigaction(S, recorder)
    here = threading.current_thread()
    told = pytest.raises(TimeoutError, match=f"{here.name} was not seen asleep in read")
    with told, send_when_blocked_in(here, "read", S):
        pass
    thread = in_thread(lambda: os.read(pipe[0], 1))
    told = pytest.raises(TimeoutError, match="in write")
    with told, send_when_blocked_in(thread, "write", S, timeout=0.05):
        pass
    os.write(pipe[1], b".")
    join(thread)
    gone = pytest.raises(ProcessLookupError, match="has ended")
    with gone, send_when_blocked_in(thread, "read", S):
        pass
    assert recorder.infos == []


def test_an_exception_of_the_block_ends_the_waiting() -> None:
    standard.signal(S, strike)
    threads = threading.active_count()
    with pytest.raises(KeyError), send_when_blocked_in(threading.current_thread(), "read", S):
        raise KeyError
    assert threading.active_count() == threads


def test_what_cannot_be_waited_for_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    standard.signal(S, strike)
    here = threading.current_thread()
    with pytest.raises(ValueError, match="one of read, readv"):
        send_when_blocked_in(here, "raed", S)
    with pytest.raises(ValueError, match="not started"):
        send_when_blocked_in(threading.Thread(), "read", S)
    with pytest.raises(ValueError, match="has no handler"):
        send_when_blocked_in(here, "read", signal.SIGUSR2)
    with pytest.raises(ValueError, match="positive"):
        send_when_blocked_in(here, "read", S, timeout=0)
    with pytest.raises(TypeError):
        send_when_blocked_in(here.ident, "read", S)  # type: ignore[arg-type]
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    with pytest.raises(NotImplementedError, match="syscall"):
        send_when_blocked_in(here, "read", S)
