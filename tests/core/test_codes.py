"""The codes of siginfo: which there are, their numbers, and their names."""

from __future__ import annotations

import platform
import re
import signal as standard
import sys
from pathlib import Path

import pytest

from sigcffi._core import names as _names
from sigcffi._core.names import code_name
from sigcffi._core.siginfo import SigInfo
from sigcffi._sigcffi import lib

linux = pytest.mark.skipif(sys.platform != "linux", reason="codes of Linux")


PREFIXES = ("SI_", "CLD_", "ILL_", "FPE_", "SEGV_", "BUS_", "TRAP_", "POLL_", "SYS_")


# The numbers of system calls begin with SYS_, too: their names go on in small letters.
DECLARED = {name for name in dir(lib) if name.startswith(PREFIXES) and name.isupper()}


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
