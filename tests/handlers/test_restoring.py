"""What ``sigaction`` and ``getsignal`` have handed out, put back: exactly what was there."""

from __future__ import annotations

import ctypes
import os
import signal as standard
from types import FrameType
from typing import Any

import pytest
from support import (
    Recorder,
    disposition,
    flags_of,
    python_says,
)

import sigcffi as signal
from sigcffi import Action, SigInfo, sigaction

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN


HERE = os.getpid()


def nothing(info: SigInfo, frame: FrameType | None) -> None:
    pass


def look() -> None:
    """PyPy looks for due handlers when asked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_default_and_an_ignored_signal_come_back() -> None:
    for former in (signal.SIG_DFL, signal.SIG_IGN):
        signal.signal(S, former)
        before = disposition(S)
        action = sigaction(S, nothing)
        assert action.handler == former
        installed = sigaction(S, action)
        assert installed.handler is nothing
        assert disposition(S) == before
        assert signal.getsignal(S) == standard.getsignal(S) == former


def test_a_handler_of_signal_comes_back_with_its_flag() -> None:
    seen: list[int] = []

    def plain(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)

    signal.signal(S, plain)
    signal.siginterrupt(S, False)
    before = disposition(S)
    action = sigaction(S, nothing)
    assert action.handler is plain
    assert not action.flags & signal.SA_SIGINFO
    assert action.flags & signal.SA_RESTART
    assert not flags_of(S) & signal.SA_RESTART
    sigaction(S, action)
    assert disposition(S) == before
    assert signal.getsignal(S) is standard.getsignal(S) is plain
    os.kill(HERE, S)
    look()
    assert seen == [S]


def test_the_handler_that_the_interpreter_installed_comes_back_as_it_was() -> None:
    code = """
        import sigcffi as signal
        from sigcffi._sigcffi import ffi, lib

        def raw():
            action = ffi.new("struct sigaction *")
            lib.sigaction(signal.SIGINT, ffi.NULL, action)
            whole, mask = bytes(ffi.buffer(action)), ffi.addressof(action, "sa_mask")
            # Behind the kernel's 64 signals a mask holds what was in memory before.
            start = ffi.cast("char *", mask) - ffi.cast("char *", action)
            return whole[: start + 8] + whole[start + ffi.sizeof(mask[0]) :]

        before = raw()
        former = signal.sigaction(signal.SIGINT, lambda info, frame: None)
        assert raw() != before
        signal.sigaction(signal.SIGINT, former)
        assert raw() == before
        with signal.subscribe(signal.SIGINT, lambda info, frame: None):
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert raw() == before
        try:
            signal.raise_signal(signal.SIGINT)
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert python_says(code) == "interrupted\n"


def test_a_sigaction_handler_comes_back_with_mask_and_flags() -> None:
    seen = Recorder()
    sigaction(S, seen, mask=[T], flags=signal.SA_RESTART)
    before = disposition(S)
    former = sigaction(S, nothing)
    sigaction(S, former)
    assert sigaction(S) == former == Action(seen, [T], signal.SA_RESTART)
    assert disposition(S) == before
    os.kill(HERE, S)
    look()
    assert len(seen.infos) == 1


def test_a_c_librarys_handler_comes_back_byte_for_byte(foreign: ctypes.CDLL) -> None:
    assert foreign.foreign_install(S, signal.SA_RESTART | signal.SA_NODEFER) == 0
    before = disposition(S)
    action = sigaction(S, nothing)
    assert action.handler is None
    assert action.mask == {signal.SIGUSR2, signal.SIGWINCH}
    assert action.flags & (signal.SA_RESTART | signal.SA_NODEFER | signal.SA_SIGINFO)
    assert signal.getsignal(S) is not None
    sigaction(S, action)
    assert disposition(S) == before
    assert signal.getsignal(S) is None
    calls = foreign.foreign_calls()
    os.kill(HERE, S)
    assert foreign.foreign_calls() == calls + 1


def test_a_restorer_of_its_own_comes_back_with_a_foreign_handler(foreign: ctypes.CDLL) -> None:
    if not hasattr(foreign, "foreign_install_raw"):
        pytest.skip("how a handler returns on this processor is not known here")
    assert foreign.foreign_install_raw(S) == 0
    restorer = foreign.foreign_restorer
    restorer.restype = ctypes.c_void_p
    before = restorer(S)
    former = sigaction(S, nothing)
    assert restorer(S) != before
    sigaction(S, former)
    assert restorer(S) == before


def test_getsignal_hands_out_what_signal_takes_back() -> None:
    seen = Recorder()
    sigaction(S, seen, mask=[T])
    former = signal.signal(S, signal.SIG_IGN)
    assert callable(former)
    assert signal.signal(S, former) is signal.SIG_IGN
    assert sigaction(S) == Action(seen, [T])
    signal.signal(S, signal.getsignal(S))
    os.kill(HERE, S)
    look()
    assert [info.si_pid for info in seen.infos] == [HERE]


def test_an_action_can_be_called_like_the_handler_it_stands_for() -> None:
    seen = Recorder()
    action: Any = Action(seen)
    action(S, None)
    assert (seen.infos[0].si_signo, seen.infos[0].si_code) == (S, None)
    standard.signal(S, action)
    standard.raise_signal(S)
    look()
    assert len(seen.infos) == 2
    with pytest.raises(TypeError):
        Action(signal.SIG_IGN)(S, None)
