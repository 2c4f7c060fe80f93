"""``fake_info``: a SigInfo as the kernel would have made it, for a handler that a test calls."""

from __future__ import annotations

import os
from time import monotonic_ns
from typing import Any

import pytest
from support import Recorder

import sigcffi as signal
from sigcffi.testing import fake_info


def test_a_handler_cannot_tell_it_from_a_signal_that_has_come() -> None:
    """But for the time: every field of a real one is there, and is what it says."""
    recorder = Recorder()
    signal.sigaction(signal.SIGUSR1, recorder)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.sigqueue(os.getpid(), signal.SIGUSR1, 5)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    faked = [fake_info(signal.SIGUSR1), fake_info(signal.SIGUSR1, si_value=5)]
    assert len(recorder.infos) == 2
    for real, fake in zip(recorder.infos, faked, strict=True):
        assert type(fake) is type(real)
        for name in (
            "si_signo",
            "si_code",
            "si_errno",
            "si_pid",
            "si_uid",
            "si_value",
            "si_status",
        ):
            assert getattr(fake, name) == getattr(real, name), name
        assert real.time_ns is not None
        assert fake.time_ns is not None
        assert real.time_ns < fake.time_ns <= monotonic_ns()


CODES: list[tuple[int, dict[str, Any], str]] = [
    (signal.SIGTERM, {}, "SI_USER"),
    (signal.SIGTERM, {"si_pid": 1}, "SI_USER"),
    (signal.SIGTERM, {"si_value": 7}, "SI_QUEUE"),
    (signal.SIGALRM, {"si_overrun": 2}, "SI_TIMER"),
    (signal.SIGALRM, {"si_timerid": 2, "si_value": 3}, "SI_TIMER"),
    (signal.SIGCHLD, {}, "CLD_EXITED"),
    (signal.SIGCHLD, {"si_status": 3}, "CLD_EXITED"),
    (signal.SIGIO, {"si_fd": 3}, "POLL_IN"),
    (signal.SIGSEGV, {"si_addr": 8}, "SEGV_MAPERR"),
    (signal.SIGFPE, {"si_addr": 8}, "FPE_INTDIV"),
]


@pytest.mark.parametrize(("signum", "fields", "code"), CODES)
def test_the_code_follows_from_what_is_given(
    signum: int, fields: dict[str, Any], code: str
) -> None:
    info = fake_info(signum, **fields)
    assert info.si_signo == signum
    assert f"{code}" in repr(info)
    for name, value in fields.items():
        assert getattr(info, name) == value


def test_a_code_that_is_given_counts() -> None:
    info = fake_info(signal.SIGCHLD, si_code=signal.CLD_KILLED, si_pid=17, si_status=9)
    assert (info.si_code, info.si_pid, info.si_status) == (signal.CLD_KILLED, 17, 9)


def test_what_is_no_field_or_no_signal_is_refused() -> None:
    with pytest.raises(ValueError, match="signal number"):
        fake_info(0)
    with pytest.raises(ValueError, match="no fault"):
        fake_info(signal.SIGTERM, si_addr=8)
    with pytest.raises(TypeError):
        fake_info(signal.SIGTERM, si_sender=8)
    with pytest.raises(TypeError):
        fake_info("SIGTERM")  # type: ignore[arg-type]
