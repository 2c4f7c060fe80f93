"""What a signal carries: the names of its codes, its fields, and the line for people."""

from __future__ import annotations

import copy
import os
import pickle
import platform
import re
import signal as standard
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import child_that_exits_with

import sigcffi
from sigcffi._core import names as _names
from sigcffi._core import siginfo as _siginfo
from sigcffi._core.names import code_name
from sigcffi._core.siginfo import SigInfo
from sigcffi._sigcffi import lib

SEVEN = ["si_signo", "si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"]
FIELDS = [*SEVEN, "si_value", "si_addr", "si_fd", "si_timerid", "si_overrun", "time_ns"]
PID, UID, STATUS, BAND, VALUE, ADDR, FD, TIMERID, OVERRUN = (1 << bit for bit in range(9))

linux = pytest.mark.skipif(sys.platform != "linux", reason="codes of Linux")


def record(
    known: int = 0,
    *,
    signo: int = standard.SIGUSR1,
    code: int = 0,
    error: int = 0,
    pid: int = 101,
    uid: int = 102,
    status: int = 103,
    fd: int = 104,
    timerid: int = 105,
    overrun: int = 106,
    value: int = 107,
    addr: int = 108,
    band: int = 109,
    time_ns: int = 110,
) -> SigInfo:
    """Made as the dispatcher makes it: from a record of the C ring."""
    raw = struct.pack(
        "=QiiiIiIiiiiiiQqq",
        *(1, signo, code, error, known, pid, uid, status, fd, timerid, overrun, value, -1),
        *(addr, band, time_ns),
    )
    assert len(raw) == 80
    _sequence, signo, payload = struct.unpack("=Qi68s", raw)
    return SigInfo(signo, payload)


def fields_of(info: SigInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in FIELDS}


# --- codes ---


PREFIXES = ("SI_", "CLD_", "ILL_", "FPE_", "SEGV_", "BUS_", "TRAP_", "POLL_", "SYS_")
DECLARED = {name for name in dir(lib) if name.startswith(PREFIXES)}


def test_every_declared_code_that_the_c_library_has_is_there_and_no_other() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/bits/siginfo-consts.h")
    if not header.exists() or platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library or machine")
    defined = set(re.findall(r"^#\s*define\s+(\w+)\s", header.read_text(), re.MULTILINE))
    assert defined & DECLARED == set(_names.CODES)


@linux
def test_codes_have_the_kernels_numbers() -> None:
    expected = {
        "SI_USER": 0,
        "SI_QUEUE": -1,
        "SI_TIMER": -2,
        "SI_MESGQ": -3,
        "SI_ASYNCIO": -4,
        "SI_SIGIO": -5,
        "SI_TKILL": -6,
        "SI_KERNEL": 0x80,
        "CLD_CONTINUED": 6,
        "ILL_BADSTK": 8,
        "FPE_FLTSUB": 8,
        "SEGV_ACCERR": 2,
        "BUS_OBJERR": 3,
        "TRAP_TRACE": 2,
        "POLL_HUP": 6,
    }
    assert {name: _names.CODES[name] for name in expected} == expected


def test_codes_are_public_ints_and_those_the_platform_lacks_are_left_out() -> None:
    assert sorted(_names.__all__) == sorted(_names.CODES)
    for name, value in _names.CODES.items():
        assert type(value) is int
        assert value != lib.SIGCFFI_ABSENT
        assert getattr(_names, name) == value
    absent = {name for name in DECLARED if getattr(lib, name) == lib.SIGCFFI_ABSENT}
    assert DECLARED - absent == set(_names.CODES)


@pytest.mark.parametrize(
    ("signame", "prefix"),
    [
        ("SIGCHLD", "CLD_"),
        ("SIGILL", "ILL_"),
        ("SIGFPE", "FPE_"),
        ("SIGSEGV", "SEGV_"),
        ("SIGBUS", "BUS_"),
        ("SIGTRAP", "TRAP_"),
        ("SIGIO", "POLL_"),
        ("SIGUSR1", "POLL_"),
        ("SIGRTMIN", "POLL_"),
    ],
)
def test_a_positive_code_is_named_by_its_signal(signame: str, prefix: str) -> None:
    signum = getattr(standard, signame)
    named = {name: value for name, value in _names.CODES.items() if name.startswith(prefix)}
    assert named
    for name, value in named.items():
        assert code_name(signum, value) == name
        assert SigInfo.of(signum, value).code_name == name


@pytest.mark.parametrize("signum", [standard.SIGUSR1, standard.SIGCHLD, standard.SIGSEGV, 40])
def test_what_any_signal_may_carry_has_one_name(signum: int) -> None:
    for name, value in _names.CODES.items():
        if name.startswith("SI_"):
            assert code_name(signum, value) == name


@linux
def test_an_unknown_code_has_no_name() -> None:
    for signum, code in [
        (standard.SIGSEGV, 77),
        (standard.SIGUSR1, -99),
        (standard.SIGUSR1, 7),
        (standard.SIGCHLD, 7),
        (standard.SIGSYS, 3),  # nor is it POLL_MSG
        (standard.SIGTRAP, standard.SIGTRAP | 3 << 8),  # ptrace
        (standard.SIGUSR1, lib.SIGCFFI_ABSENT),
    ]:
        assert code_name(signum, code) is None
        assert SigInfo.of(signum, code).code_name is None
    assert SigInfo(standard.SIGUSR1, None).code_name is None


# --- fields ---


def test_fields_that_mean_nothing_are_none() -> None:
    assert fields_of(record(code=5, error=6)) == {
        **dict.fromkeys(FIELDS),
        "si_signo": standard.SIGUSR1,
        "si_code": 5,
        "si_errno": 6,
        "time_ns": 110,
    }


@pytest.mark.parametrize(
    ("bit", "name", "value"),
    [
        (PID, "si_pid", 101),
        (UID, "si_uid", 102),
        (STATUS, "si_status", 103),
        (FD, "si_fd", 104),
        (TIMERID, "si_timerid", 105),
        (OVERRUN, "si_overrun", 106),
        (VALUE, "si_value", 107),
        (ADDR, "si_addr", 108),
        (BAND, "si_band", 109),
    ],
)
def test_each_bit_of_the_record_gives_one_field(bit: int, name: str, value: int) -> None:
    assert fields_of(record(bit)) == {**fields_of(record()), name: value}


def test_numbers_have_the_sign_and_width_of_their_c_type() -> None:
    info = record(-1 & 0x1FF, pid=-1, uid=2**32 - 1, value=-(2**31), addr=2**64 - 1, band=-(2**63))
    assert (info.si_pid, info.si_uid, info.si_value) == (-1, 2**32 - 1, -(2**31))
    assert (info.si_addr, info.si_band) == (2**64 - 1, -(2**63))


def test_without_a_record_only_the_number_is_known() -> None:
    info = SigInfo(standard.SIGINT, None)
    assert fields_of(info) == {**dict.fromkeys(FIELDS), "si_signo": standard.SIGINT}


def test_the_signal_is_a_member_of_the_enum_where_there_is_one() -> None:
    assert SigInfo(int(standard.SIGINT), None).si_signo is standard.SIGINT
    assert SigInfo.of(int(standard.SIGINT)).si_signo is standard.SIGINT
    beyond = SigInfo(standard.SIGRTMIN + 1, None).si_signo
    assert type(beyond) is int
    assert beyond == standard.SIGRTMIN + 1


def test_one_can_be_made_from_public_fields() -> None:
    info = record(0x1FF)
    assert SigInfo.of(**fields_of(info)) == info
    assert SigInfo.of(*fields_of(info).values()) == info
    assert fields_of(SigInfo.of(si_signo=standard.SIGINT, si_pid=3)) == {
        **dict.fromkeys(FIELDS),
        "si_signo": standard.SIGINT,
        "si_pid": 3,
    }


@pytest.mark.parametrize("name", [*FIELDS, "code_name", "something_new"])
def test_nothing_can_be_assigned_or_deleted(name: str) -> None:
    info = record()
    with pytest.raises(AttributeError):
        setattr(info, name, 1)
    with pytest.raises(AttributeError):
        delattr(info, name)
    assert not hasattr(info, "__dict__")


def test_it_is_decoded_once() -> None:
    info = record(PID, pid=100_000)
    assert info.si_pid is info.si_pid


def test_every_property_says_what_it_is() -> None:
    for name in [*FIELDS, "code_name", "describe", "of"]:
        assert getattr(SigInfo, name).__doc__


# --- the sequence of seven ---


def test_it_is_a_sequence_of_the_fields_of_struct_siginfo() -> None:
    info = record(PID | UID | VALUE)
    signo, code, error, pid, uid, status, band = info
    assert (signo, code, error, pid, uid, status, band) == (10, 0, 0, 101, 102, None, None)
    assert [getattr(info, name) for name in SEVEN] == list(info)
    assert isinstance(info, Sequence)
    assert len(info) == 7
    assert info[3] == info[-4] == 101
    assert info[:2] == (standard.SIGUSR1, 0)
    assert type(info[::2]) is tuple
    assert info
    assert 101 in info
    assert 107 not in info  # si_value, which is not one of the seven
    assert list(reversed(info)) == [None, None, 102, 101, 0, 0, 10]
    assert info.index(102) == 4
    assert info.count(None) == 2
    for index in (7, -8):
        with pytest.raises(IndexError):
            info[index]


def test_it_is_equal_to_what_sigwaitinfo_returns() -> None:
    seven = (standard.SIGCHLD, _names.CODES["CLD_EXITED"], 0, 55, 1000, 3, 0)
    info = SigInfo.of(*seven, time_ns=5)
    theirs = sigcffi.struct_siginfo(seven)
    for other in (seven, theirs):
        assert info == other
        assert other == info
        assert (info != other) is False
        assert hash(info) == hash(other)
        assert info != other[:6]
        assert info in {other}
    assert info != list(seven)  # as no tuple is
    assert info != (*seven[:6], 1)


def test_two_are_equal_if_all_their_fields_are() -> None:
    assert record(0x1FF) == record(0x1FF)
    assert hash(record(0x1FF)) == hash(record(0x1FF))
    for name in ("code", "pid", "value", "addr", "fd", "timerid", "overrun", "time_ns"):
        assert record(0x1FF, **{name: 9}) != record(0x1FF)
    assert record(0) != record(PID)
    assert record(0, pid=1) == record(0, pid=2)  # what means nothing does not count
    assert SigInfo(standard.SIGINT, None) == SigInfo(standard.SIGINT, None)
    assert SigInfo(standard.SIGINT, None) != SigInfo(standard.SIGTERM, None)
    assert record() != "SIGUSR1"


# --- copies ---


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_pickles_as_its_public_fields(protocol: int) -> None:
    for info in (record(0x1FF), record(), SigInfo(standard.SIGRTMIN + 3, None)):
        pickled = pickle.dumps(info, protocol)
        again = pickle.loads(pickled)
        assert again == info
        assert type(again) is SigInfo
        assert fields_of(again) == fields_of(info)
        assert repr(again) == repr(info)
        assert again.describe() == info.describe()
        assert pickle.dumps(again, protocol) == pickled
        assert SigInfo.__module__.encode() in pickled


def test_it_can_be_copied() -> None:
    info = record(0x1FF)
    for again in (copy.copy(info), copy.deepcopy(info)):
        assert again == info
        assert again is not info


def test_a_subclass_stays_one_when_pickled() -> None:
    assert type(copy.copy(Derived.of(standard.SIGINT))) is Derived


class Derived(SigInfo):
    __slots__ = ()


def test_it_is_public_under_the_name_of_the_package() -> None:
    assert sigcffi.SigInfo is SigInfo
    assert SigInfo.__module__ == "sigcffi"
    for name, value in _names.CODES.items():
        assert getattr(sigcffi, name) == value
    assert _siginfo.__all__ == ["RECORD", "SigInfo", "decoded"]


# --- for people ---


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


# --- the kernel's own ---


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
