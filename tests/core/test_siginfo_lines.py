"""``SigInfo`` for people: its repr, and the line that says who sent it, how and with what."""

from __future__ import annotations

import os
import signal as standard
import sys

import pytest
from records import PID, STATUS, UID, VALUE, record
from support import child_that_exits_with

import sigcffi
from sigcffi._core import names as _names
from sigcffi._core.siginfo import SigInfo
from sigcffi._sigcffi import lib

linux = pytest.mark.skipif(sys.platform != "linux", reason="codes of Linux")


def test_its_repr_names_the_code_and_leaves_out_what_is_not_known() -> None:
    assert repr(record(PID | VALUE, code=lib.SI_QUEUE)) == (
        "SigInfo(si_signo=<Signals.SIGUSR1: 10>, si_code=SI_QUEUE, si_errno=0, si_pid=101, "
        "si_value=107, time_ns=110)"
    )
    assert repr(SigInfo.of(standard.SIGSEGV, 77, si_addr=16)) == (
        "SigInfo(si_signo=<Signals.SIGSEGV: 11>, si_code=77, si_addr=0x10)"
    )
    assert (
        repr(SigInfo(standard.SIGRTMIN + 1, None)) == f"SigInfo(si_signo={standard.SIGRTMIN + 1})"
    )


BY = {"si_pid": 123, "si_uid": 1000}


RT = standard.SIGRTMIN


@linux
@pytest.mark.parametrize(
    ("signum", "code", "fields", "line"),
    [
        ("SIGUSR1", "SI_USER", BY, "SIGUSR1 sent with kill by process 123 of user 1000"),
        ("SIGUSR1", "SI_USER", {"si_pid": 123}, "SIGUSR1 sent with kill by process 123"),
        ("SIGUSR1", "SI_USER", {}, "SIGUSR1 sent with kill"),
        (
            *("SIGUSR1", "SI_USER", {"si_pid": 0, "si_uid": 0}),
            "SIGUSR1 sent with kill by a process out of sight",
        ),
        ("SIGUSR1", "SI_TKILL", BY, "SIGUSR1 sent with tgkill by process 123 of user 1000"),
        (
            *(RT + 1, "SI_QUEUE", {**BY, "si_value": 7}),
            "SIGRTMIN+1 queued with value 7 by process 123 of user 1000",
        ),
        (
            *(RT, "SI_TIMER", {"si_timerid": 3, "si_value": 7, "si_overrun": 2}),
            "SIGRTMIN: timer 3 expired with value 7, 2 overruns",
        ),
        (
            *("SIGALRM", "SI_TIMER", {"si_timerid": 0, "si_value": 0, "si_overrun": 1}),
            "SIGALRM: timer 0 expired with value 0, 1 overrun",
        ),
        (
            *("SIGALRM", "SI_TIMER", {"si_timerid": 0, "si_value": 0, "si_overrun": 0}),
            "SIGALRM: timer 0 expired with value 0",
        ),
        (
            *("SIGUSR2", "SI_MESGQ", {**BY, "si_value": 7}),
            "SIGUSR2: a message came into an empty queue by process 123 of user 1000 with value 7",
        ),
        ("SIGUSR2", "SI_MESGQ", {}, "SIGUSR2: a message came into an empty queue"),
        (
            "SIGUSR2",
            "SI_ASYNCIO",
            {"si_value": 7},
            "SIGUSR2: asynchronous I/O has ended with value 7",
        ),
        ("SIGALRM", "SI_KERNEL", {}, "SIGALRM sent by the kernel"),
        ("SIGKILL", "SI_DETHREAD", {}, "SIGKILL sent by execve in another thread"),
        (
            *("SIGCHLD", "CLD_EXITED", {"si_pid": 55, "si_uid": 0, "si_status": 3}),
            "SIGCHLD: child 55 exited with status 3",
        ),
        (
            *("SIGCHLD", "CLD_KILLED", {"si_pid": 55, "si_status": 9}),
            "SIGCHLD: child 55 was killed by SIGKILL",
        ),
        (
            *("SIGCHLD", "CLD_DUMPED", {"si_pid": 55, "si_status": 11}),
            "SIGCHLD: child 55 dumped core by SIGSEGV",
        ),
        (
            *("SIGCHLD", "CLD_STOPPED", {"si_pid": 55, "si_status": 20}),
            "SIGCHLD: child 55 was stopped by SIGTSTP",
        ),
        (
            *("SIGCHLD", "CLD_TRAPPED", {"si_pid": 55, "si_status": 5 | 3 << 8}),
            "SIGCHLD: child 55 was trapped by SIGTRAP",
        ),
        (
            *("SIGCHLD", "CLD_CONTINUED", {"si_pid": 55, "si_status": 18}),
            "SIGCHLD: child 55 continued",
        ),
        ("SIGCHLD", "CLD_KILLED", {}, "SIGCHLD: a child was killed"),
        ("SIGSEGV", "SEGV_MAPERR", {"si_addr": 16}, "SIGSEGV at address 0x10 (SEGV_MAPERR)"),
        ("SIGFPE", 77, {"si_addr": 0}, "SIGFPE at address 0x0 (code 77)"),
        ("SIGIO", "POLL_IN", {"si_fd": 5, "si_band": 1}, "SIGIO: fd 5 (POLL_IN)"),
        ("SIGUSR1", "POLL_HUP", {"si_fd": 0}, "SIGUSR1: fd 0 (POLL_HUP)"),
        ("SIGTRAP", "SI_SIGIO", {"si_fd": 5}, "SIGTRAP: fd 5 (SI_SIGIO)"),
        ("SIGIO", "POLL_IN", {}, "SIGIO (POLL_IN)"),
        (
            *("SIGUSR1", -99, {**BY, "si_value": 7}),
            "SIGUSR1 (code -99) with value 7 by process 123 of user 1000",
        ),
        ("SIGUSR1", None, {"si_pid": 4}, "SIGUSR1 by process 4"),
        ("SIGINT", None, {}, "SIGINT, nothing known about its sender"),
        (RT + 2, None, {}, "SIGRTMIN+2, nothing known about its sender"),
    ],
)
def test_it_describes_who_sent_it_how_and_with_what(
    signum: str | int, code: str | int | None, fields: dict[str, int], line: str
) -> None:
    signum = getattr(standard, signum) if isinstance(signum, str) else signum
    if isinstance(code, str):
        if code not in _names.CODES:
            pytest.skip(f"the C library has no {code}")
        code = _names.CODES[code]
    assert SigInfo.of(signum, code, **fields).describe() == line


def test_every_known_code_of_every_signal_can_be_described() -> None:
    for signum in range(1, standard.NSIG):
        for code in {*_names.CODES.values(), -1000, 1000}:
            for known in (0, 0x1FF):
                line = record(known, signo=signum, code=code).describe()
                assert line.startswith(_names.name_of(signum))
                assert "{" not in line
                assert "None" not in line
                assert "\n" not in line


@pytest.mark.skipif(not hasattr(sigcffi, "sigtimedwait"), reason="the platform has no sigtimedwait")
def test_it_says_what_the_kernel_says() -> None:
    sigcffi.pthread_sigmask(standard.SIG_BLOCK, [standard.SIGUSR1])
    os.kill(os.getpid(), standard.SIGUSR1)
    theirs = sigcffi.sigtimedwait([standard.SIGUSR1], 60)
    assert theirs is not None
    info = record(PID | UID, code=theirs.si_code, pid=theirs.si_pid, uid=theirs.si_uid)
    assert info[:5] == tuple(theirs)[:5]
    assert info.describe() == (
        f"SIGUSR1 sent with kill by process {os.getpid()} of user {os.getuid()}"
    )


@linux
def test_it_says_what_the_kernel_says_about_a_child() -> None:
    sigcffi.pthread_sigmask(standard.SIG_BLOCK, [standard.SIGCHLD])
    child = child_that_exits_with(3)
    theirs = sigcffi.sigtimedwait([standard.SIGCHLD], 60)
    child.wait()
    assert theirs is not None
    info = record(
        PID | UID | STATUS,
        signo=theirs.si_signo,
        code=theirs.si_code,
        pid=theirs.si_pid,
        uid=theirs.si_uid,
        status=theirs.si_status,
    )
    assert info[:6] == tuple(theirs)[:6]
    assert info.describe() == f"SIGCHLD: child {child.pid} exited with status 3"
