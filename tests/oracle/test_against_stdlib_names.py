"""``import sigcffi as signal``: the names, the objects behind them, an import without effects."""

from __future__ import annotations

import enum
import inspect
import pickle
import signal as standard
import sys

import pytest
from support import PYPY, python_says

import sigcffi as signal
from sigcffi._core.names import CODES
from sigcffi._sigcffi import lib

PUBLIC = [name for name in dir(standard) if not name.startswith("_")]
OURS = list(signal.__all__)
FUNCTIONS = [name for name in OURS if inspect.isroutine(getattr(signal, name))]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_of_the_standard_module_is_there(name: str) -> None:
    ours, theirs = getattr(signal, name), getattr(standard, name)
    if inspect.isroutine(theirs) and name not in IDENTICAL_FUNCTIONS:
        assert callable(ours)
    else:
        assert ours is theirs


IDENTICAL_FUNCTIONS = {"default_int_handler", "raise_signal", "set_wakeup_fd"}


def test_nothing_else_is_public_but_what_is_meant_to_be() -> None:
    beyond = {
        *("Action", "SigInfo", "SignalState", "Subscription", "deferred", "deliveries"),
        *("dispositions", "dropped", "handling", "ignoring", "patch_stdlib"),
        *(["pthread_sigqueue"] if lib.SIGCFFI_HAS_PTHREAD_SIGQUEUE else []),
        *("sigaction", "sigqueue", "subscribe", "unpatch_stdlib"),
        *("AsyncShutdown", "ShutdownInterrupt", "shutdown"),
        *("ProcessSignals", "ThreadSignals", "process_signals"),
        *("DeadMansSwitch", "ForceQuit", "Receiver", "actions", "force_quit", "kill_after"),
        *("CLOCK_BOOTTIME_ALARM", "CLOCK_REALTIME_ALARM", "Timer", "blocked", "sigdrain"),
        *(
            "open_signal_receiver",
            "TimedOut",
            "TimeoutInterrupt",
            "set_timeout_signal",
            "timeout",
            "timeout_at",
            "signalfd",
            "signalfd_siginfo",
            "sigsuspend",
        ),
        *("TimedOut", "TimeoutInterrupt", "set_timeout_signal", "timeout", "timeout_at"),
        *CODES,
        *(name for name in dir(lib) if name.startswith("SA_")),
    }
    later = {"SIGSTKFLT", "pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "struct_siginfo"}
    assert set(OURS) - set(PUBLIC) - later == beyond


def test_constants_beyond_are_the_compilers_numbers() -> None:
    assert {"SI_USER", "SI_QUEUE", "CLD_EXITED", "SEGV_MAPERR"} <= set(CODES)
    for name, value in CODES.items():
        assert getattr(signal, name) == value == getattr(lib, name)
    flags = {name: getattr(lib, name) for name in dir(lib) if name.startswith("SA_")}
    assert {"SA_RESTART", "SA_NODEFER", "SA_RESETHAND", "SA_SIGINFO"} <= set(flags)
    assert {name: getattr(signal, name) for name in flags} == flags
    assert all(value > 0 and value & (value - 1) == 0 for value in flags.values())


@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux")
def test_names_of_later_versions_are_there_where_the_kernel_has_them() -> None:
    assert isinstance(signal.SIGSTKFLT, signal.Signals)
    assert signal.SIGSTKFLT == 16
    assert signal.SIGSTKFLT.name == "SIGSTKFLT"
    for name in ("sigtimedwait", "sigwaitinfo", "struct_siginfo"):
        assert hasattr(signal, name)
    assert hasattr(signal, "pidfd_send_signal") == bool(lib.SIGCFFI_HAS_PIDFD)


@pytest.mark.parametrize("name", ["CTRL_C_EVENT", "CTRL_BREAK_EVENT", "SIGBREAK"])
def test_names_of_other_platforms_are_absent(name: str) -> None:
    assert not hasattr(signal, name)


def test_enums_and_errors_are_the_standard_ones() -> None:
    assert signal.SIGINT is standard.SIGINT
    assert signal.SIG_DFL is standard.SIG_DFL
    assert isinstance(signal.SIGINT, enum.IntEnum)
    with pytest.raises(standard.ItimerError):
        signal.getitimer(99)


def test_results_are_members_of_the_enums() -> None:
    assert type(signal.getsignal(signal.SIGPIPE)) is standard.Handlers
    assert signal.valid_signals() == standard.valid_signals()
    types = {type(signum) for signum in signal.valid_signals()}
    assert types == {type(signum) for signum in standard.valid_signals()}


def test_a_result_is_the_callers_own_set() -> None:
    for call in (signal.valid_signals, signal.sigpending):
        call().add(signal.SIGINT)
        call().clear()
        assert call() == (standard.valid_signals() if call is signal.valid_signals else set())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_documented(name: str) -> None:
    if not (PYPY and name in IDENTICAL_FUNCTIONS):
        assert getattr(signal, name).__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_are_named_and_ordered_as_in_the_standard_module(name: str) -> None:
    try:
        theirs = inspect.signature(getattr(standard, name))
    except (AttributeError, ValueError):
        pytest.skip("the standard function has no signature to compare with")
    if PYPY:
        pytest.skip("PyPy's signatures are not those of the documentation")
    shape = [(p.name, p.kind, p.default) for p in theirs.parameters.values()]
    ours = inspect.signature(getattr(signal, name))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == shape


def test_functions_pickle_under_their_public_name() -> None:
    for name in ("alarm", "signal", "setitimer"):
        assert pickle.loads(pickle.dumps(getattr(signal, name))) is getattr(signal, name)


def test_star_import_brings_every_public_name() -> None:
    names: dict[str, object] = {}
    exec("from sigcffi import *", names)
    assert set(OURS) <= set(names)


@pytest.mark.parametrize("sigint", ["SIG_IGN", "SIG_DFL", "default_int_handler", "print"])
def test_importing_changes_nothing(sigint: str) -> None:
    """Every disposition with its flags and mask, the thread's mask, the timers, the wakeup fd."""
    code = f"""
        import ctypes, os, signal
        handler = print if {sigint!r} == "print" else getattr(signal, {sigint!r})
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, print)
        signal.siginterrupt(signal.SIGUSR1, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR2, signal.SIGTERM])
        signal.setitimer(signal.ITIMER_VIRTUAL, 1000, 5)
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)

        libc, pointer = ctypes.CDLL(None), ctypes.sizeof(ctypes.c_void_p)
        def state():
            rows = []
            for signum in range(1, signal.NSIG):
                raw = ctypes.create_string_buffer(512)
                libc.sigaction(signum, None, raw)
                rows.append(raw.raw[:pointer])  # the handler
                rows.append(raw.raw[pointer:][:8])  # the mask that the kernel knows
                rows.append(raw.raw[pointer + 128 :][:4])  # the flags
            interval = signal.getitimer(signal.ITIMER_VIRTUAL)[1]
            fd = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(fd)
            status = open("/proc/self/status").read()
            # Not SigQ, which other processes of the same user change.
            ours = ("SigPnd", "SigBlk", "SigIgn", "SigCgt", "ShdPnd")
            masks = [line for line in status.splitlines() if line.startswith(ours)]
            return rows, signal.pthread_sigmask(signal.SIG_BLOCK, ()), interval, fd, masks

        before = state()
        import sigcffi
        assert state() == before
        print("unchanged")
    """
    assert python_says(code) == "unchanged\n"
