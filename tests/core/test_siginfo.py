"""What a signal carries: the names of its codes, its fields, and the line for people."""

from __future__ import annotations

import copy
import pickle
import signal as standard
from collections.abc import Sequence
from typing import Any

import pytest
from records import ADDR, BAND, FD, OVERRUN, PID, STATUS, TIMERID, UID, VALUE, record

import sigcffi
from sigcffi._core import names as _names
from sigcffi._core import siginfo as _siginfo
from sigcffi._core.siginfo import SigInfo

SEVEN = ["si_signo", "si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"]


FIELDS = [*SEVEN, "si_value", "si_addr", "si_fd", "si_timerid", "si_overrun", "time_ns"]


def fields_of(info: SigInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in FIELDS}


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
