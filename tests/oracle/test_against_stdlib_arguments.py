"""Whatever a call is given, it does what the standard module does; a refusal changes nothing."""

from __future__ import annotations

import errno
import os
import signal as standard
import threading
from decimal import Decimal
from typing import Any

import pytest
from oracle.outcomes import (
    EVERYTHING,
    ODD_INTEGERS,
    WRONG_TYPES,
    Outcome,
    StrChild,
    Thing,
    is_pypys_mistake,
    same,
)
from support import PYPY, join, kernel, shown

import sigcffi as signal

SIGNALS = [*EVERYTHING, 9, 19, 32, 33, 34, 64, signal.SIGUSR1, 10.0, "10", b"10", StrChild("10")]


def nothing(signum: int, frame: object) -> None:
    pass


def refused_or_same(name: str, *arguments: Any) -> None:
    before = kernel()
    outcome = same(signal, standard, name, *arguments)
    if outcome.error is not None:
        assert kernel() == before


@pytest.mark.parametrize("signum", SIGNALS, ids=shown)
def test_getsignal(signum: Any) -> None:
    refused_or_same("getsignal", signum)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, nothing], ids=["SIG_DFL", "callable"])
@pytest.mark.parametrize("signum", SIGNALS, ids=shown)
def test_signal_numbers(signum: Any, handler: Any) -> None:
    before = kernel()
    outcome = Outcome(signal.signal, signum, handler)
    after = kernel()
    if outcome.error is None:
        standard.signal(signum, standard.SIG_DFL)
    expected = Outcome(standard.signal, signum, handler)
    if expected.error is None:
        standard.signal(signum, standard.SIG_DFL)
    if outcome != expected:
        number = int(signum) if str(signum).isdigit() else signum
        assert is_pypys_mistake("signal", (number,)), (outcome, expected)
    if outcome.error is not None:
        assert after == before


HANDLERS = [
    *(None, 0, 1, 2, -1, True, False, 0.0, 1.0, 2.5, "0", "1", b"0", "x", Decimal(0), Decimal(1)),
    *(Thing(), [], 2**70, signal.SIG_DFL, signal.SIG_IGN, signal.SIGINT, signal.Handlers, nothing),
    *(print, signal.default_int_handler, len, type, StrChild("0"), *ODD_INTEGERS),
]


@pytest.mark.parametrize("handler", HANDLERS, ids=shown)
def test_signal_handlers(handler: Any) -> None:
    before = kernel()
    outcome = Outcome(signal.signal, signal.SIGUSR1, handler)
    installed = signal.getsignal(signal.SIGUSR1)
    if outcome.error is not None:
        assert kernel() == before
    standard.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert outcome == Outcome(standard.signal, signal.SIGUSR1, handler)
    assert installed == standard.getsignal(signal.SIGUSR1)


def test_signal_takes_its_arguments_by_name() -> None:
    assert signal.signal(signalnum=signal.SIGUSR1, handler=nothing) is signal.SIG_DFL
    assert signal.getsignal(signalnum=signal.SIGUSR1) is nothing


@pytest.mark.parametrize("flag", [True, False, *WRONG_TYPES, *ODD_INTEGERS, 2**31], ids=shown)
def test_siginterrupt_flags(flag: Any) -> None:
    refused_or_same("siginterrupt", signal.SIGUSR1, flag)


@pytest.mark.parametrize("signum", SIGNALS, ids=shown)
def test_siginterrupt_numbers(signum: Any) -> None:
    refused_or_same("siginterrupt", signum, True)


@pytest.mark.parametrize("signum", SIGNALS, ids=shown)
def test_strsignal(signum: Any) -> None:
    refused_or_same("strsignal", signum)


@pytest.mark.parametrize("value", [*EVERYTHING, 1000, signal.SIGUSR1], ids=shown)
def test_alarm(value: Any) -> None:
    before = kernel()
    ours = Outcome(signal.alarm, value)
    if ours.error is not None:
        assert kernel() == before
    left = Outcome(signal.alarm, 0)
    theirs = Outcome(standard.alarm, value)
    # A long may show what is more than 2**31 as below zero; ours does not.
    expected = Outcome(lambda: standard.alarm(0) % 2**32)
    if (ours, left) != (theirs, expected):
        assert is_pypys_mistake("alarm", (value,)), (ours, theirs, left, expected)


WHICH = [*EVERYTHING, 2, 3, 99]


@pytest.mark.parametrize("which", WHICH, ids=shown)
def test_getitimer(which: Any) -> None:
    refused_or_same("getitimer", which)


@pytest.mark.parametrize("which", WHICH, ids=shown)
def test_setitimer_which(which: Any) -> None:
    refused_or_same("setitimer", which, 0)


@pytest.mark.parametrize(
    "how", [*EVERYTHING, 2, 3, signal.SIG_BLOCK, signal.SIG_SETMASK], ids=shown
)
def test_pthread_sigmask_how(how: Any) -> None:
    before = kernel()
    mask = {signal.SIGUSR2}
    ours, mask_ours = Outcome(signal.pthread_sigmask, how, mask), kernel().mask
    standard.pthread_sigmask(standard.SIG_SETMASK, before.mask)
    theirs = Outcome(standard.pthread_sigmask, how, mask)
    if (ours, mask_ours) != (theirs, kernel().mask):
        assert is_pypys_mistake("pthread_sigmask", (how,)), (ours, theirs)
    if ours.error is not None:
        assert mask_ours == before.mask


MASKS = [
    *((value,) for value in SIGNALS),
    *(None, 5, "ab", b"\x0a", {10: 1}, [10, 12], (), frozenset({10}), range(1, 32)),
    *([10, 0], [10, "x"], [signal.SIGUSR1, signal.SIGRTMIN], range(1, signal.NSIG)),
]


@pytest.mark.parametrize("mask", MASKS, ids=shown)
def test_pthread_sigmask_masks(mask: Any) -> None:
    before = kernel()
    ours, mask_ours = Outcome(signal.pthread_sigmask, signal.SIG_BLOCK, mask), kernel().mask
    standard.pthread_sigmask(standard.SIG_SETMASK, before.mask)
    theirs = Outcome(standard.pthread_sigmask, signal.SIG_BLOCK, mask)
    if (ours, mask_ours) != (theirs, kernel().mask):
        numbers = mask if isinstance(mask, (tuple, range)) else ()
        assert is_pypys_mistake("pthread_sigmask", (0, *numbers)), (ours, theirs)
    if ours.error is not None:
        assert mask_ours == before.mask


# What is a real number is another matter: see test_times.py.
NO_TIMES = [value for value in WRONG_TYPES if not hasattr(type(value), "__float__")]


@pytest.mark.parametrize("timeout", [*NO_TIMES, -1, -1e-7, -1e-10, -(2**70)], ids=shown)
def test_sigtimedwait_timeouts(timeout: Any) -> None:
    same(signal, standard, "sigtimedwait", (), timeout)


@pytest.mark.parametrize("sigset", [[0], [65], None, 5, ["x"], [2**70], [None], "1"], ids=shown)
@pytest.mark.parametrize("name", ["sigwait", "sigwaitinfo"])
def test_sigsets_to_wait_for(name: str, sigset: Any) -> None:
    outcome = Outcome(getattr(signal, name), sigset)
    if hasattr(standard, name) and not PYPY:
        assert outcome == Outcome(getattr(standard, name), sigset)
    assert outcome.error in (ValueError, TypeError)


@pytest.mark.parametrize("signum", [*EVERYTHING, 100], ids=shown)
def test_pthread_kill_numbers(signum: Any) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what several of them mean
    refused_or_same("pthread_kill", threading.get_ident(), signum)


@pytest.mark.parametrize("thread", [*WRONG_TYPES, "x"], ids=shown)
def test_pthread_kill_threads(thread: Any) -> None:
    if isinstance(Outcome(int, thread).value, int) and not isinstance(thread, (str, bytes, float)):
        pytest.skip("a number that is no thread's is a wild pointer")
    refused_or_same("pthread_kill", thread, 0)


@pytest.mark.skipif(not hasattr(signal, "pidfd_send_signal"), reason="the platform has no pidfd")
def test_pidfd_send_signal() -> None:
    pidfds = [-1, 10**6, None, "x", 1.5, 2**31, 2**70]
    calls: list[tuple[Any, ...]] = [(pidfd, 0) for pidfd in pidfds]
    calls += [(10**6, 0, 1), (10**6, 0, None, 1), (10**6, "x"), (10**6, 0, None, None), (1,), ()]
    for arguments in calls:
        ours = Outcome(signal.pidfd_send_signal, *arguments)
        assert ours.error is not None
        if hasattr(standard, "pidfd_send_signal"):
            assert ours == Outcome(standard.pidfd_send_signal, *arguments), arguments
    assert Outcome(signal.pidfd_send_signal, 10**6, 0).errno == errno.EBADF


def closed_fd() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    return writing


@pytest.mark.parametrize("fd", [-2, "closed", "blocking", "x", 1.0, None, 2**31, 2**70], ids=shown)
def test_set_wakeup_fd_refuses_what_cannot_be_written_to(fd: Any) -> None:
    reading, writing = os.pipe()
    value = {"closed": closed_fd(), "blocking": writing}.get(fd, fd)
    refused_or_same("set_wakeup_fd", value)
    assert Outcome(signal.set_wakeup_fd, value).error is not None
    os.close(reading)
    os.close(writing)


def test_set_wakeup_fd_returns_the_fd_before_and_minus_one_disables() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    assert signal.set_wakeup_fd(writing) == -1
    assert signal.set_wakeup_fd(-1, warn_on_full_buffer=False) == writing
    assert signal.set_wakeup_fd(-1) == -1
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("signal", (signal.SIGUSR1, nothing)), ("signal", (0, nothing)), ("set_wakeup_fd", (-1,))],
)
def test_the_wrong_thread_is_refused_with_the_standard_text(
    name: str, arguments: tuple[Any, ...]
) -> None:
    texts: list[str] = []

    def attempt() -> None:
        for module in (signal, standard):
            try:
                getattr(module, name)(*arguments)
            except ValueError as error:
                texts.append(str(error))

    before = kernel()
    thread = threading.Thread(target=attempt)
    thread.start()
    join(thread)
    assert len(texts) == 2
    assert texts[0] == texts[1]
    assert kernel() == before


@pytest.mark.parametrize(
    ("name", "arguments", "keywords"),
    [
        ("signal", (), {}),
        ("signal", (1,), {}),
        ("signal", (1, 0, 0), {}),
        ("getsignal", (), {}),
        ("alarm", (), {"seconds": 0}),
        ("alarm", (0, 0), {}),
        ("setitimer", (0,), {}),
        ("setitimer", (0, 0, 0, 0), {}),
        ("setitimer", (0,), {"seconds": 0}),
        ("getitimer", (), {"which": 0}),
        ("siginterrupt", (10,), {"flag": True}),
        ("pause", (1,), {}),
        ("sigpending", (1,), {}),
        ("valid_signals", (1,), {}),
        ("strsignal", (), {"signalnum": 1}),
    ],
)
def test_the_number_and_the_names_of_arguments(
    name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        getattr(signal, name)(*arguments, **keywords)
    if not PYPY:  # some of PyPy's take any name
        with pytest.raises(TypeError):
            getattr(standard, name)(*arguments, **keywords)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_what_cannot_be_handled_is_remembered_by_nobody(signum: int) -> None:
    """Nor by PyPy's own module, which would take it."""
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        signal.signal(signum, nothing)
    assert standard.getsignal(signum) == signal.SIG_DFL
