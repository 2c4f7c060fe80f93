"""SigInfo: any record is read back, behaves as a tuple of seven, and keeps its laws when copied."""

from __future__ import annotations

import copy
import os
import pickle
import signal as standard
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sigcffi
from sigcffi._core.siginfo import SigInfo

I32 = st.integers(-(2**31), 2**31 - 1)
U32 = st.integers(0, 2**32 - 1)
SIGNALS = st.integers(1, standard.NSIG - 1)

# In the order of the record, from the code on; "known" says which of the others mean something.
TYPES = {
    "si_code": I32 | st.integers(-8, 8) | st.just(0x80),
    "si_errno": I32,
    "known": st.integers(0, 0x1FF),
    "si_pid": I32,
    "si_uid": U32,
    "si_status": I32,
    "si_fd": I32,
    "si_timerid": I32,
    "si_overrun": I32,
    "si_value": I32,
    "unused": I32,
    "si_addr": st.integers(0, 2**64 - 1),
    "si_band": st.integers(-(2**63), 2**63 - 1),
    "time_ns": st.integers(0, 2**63 - 1),
}
BITS = {
    "si_pid": 1,
    "si_uid": 2,
    "si_status": 4,
    "si_band": 8,
    "si_value": 16,
    "si_addr": 32,
    "si_fd": 64,
    "si_timerid": 128,
    "si_overrun": 256,
}
SEVEN = ["si_signo", "si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"]
PUBLIC = [*SEVEN, "si_value", "si_addr", "si_fd", "si_timerid", "si_overrun", "time_ns"]


def info_of(signo: int, record: dict[str, int]) -> SigInfo:
    raw = struct.pack("=QiiiIiIiiiiiiQqq", 0, signo, *(record[name] for name in TYPES))
    _sequence, signo, payload = struct.unpack_from("=Qi68s", raw)
    return SigInfo(signo, payload)


def expected(signo: int, record: dict[str, int]) -> dict[str, int | None]:
    fields: dict[str, int | None] = {"si_signo": signo, **record}
    for name, bit in BITS.items():
        if not record["known"] & bit:
            fields[name] = None
    return {name: fields[name] for name in PUBLIC}


records = st.fixed_dictionaries(TYPES)
infos = st.builds(info_of, SIGNALS, records) | st.builds(SigInfo, SIGNALS, st.none())
# Few different ones, so that equal ones are found.
small = st.sampled_from([0, 1])
similar = st.builds(
    SigInfo.of, st.sampled_from([1, 2]), small, si_pid=st.none() | small, si_value=small
)


@given(SIGNALS, records, st.permutations(PUBLIC))
def test_every_field_is_read_back_in_whatever_order_one_looks(
    signo: int, record: dict[str, int], order: list[str]
) -> None:
    info = info_of(signo, record)
    seen = {name: getattr(info, name) for name in order}
    assert seen == expected(signo, record)


INDICES = st.integers(-10, 10)


@given(infos, INDICES, st.none() | INDICES, st.none() | INDICES, st.none() | INDICES)
def test_it_does_what_a_tuple_does(
    info: SigInfo, index: int, start: int | None, stop: int | None, step: int | None
) -> None:
    model = tuple(getattr(info, name) for name in SEVEN)
    assert tuple(info) == model
    assert len(info) == len(model)
    assert tuple(reversed(info)) == model[::-1]
    if -7 <= index < 7:
        assert info[index] == model[index]
    else:
        with pytest.raises(IndexError):
            info[index]
    if step != 0:
        assert info[start:stop:step] == model[start:stop:step]
    else:
        with pytest.raises(ValueError, match="slice step"):
            info[start:stop:step]
    for value in (*model, index, None):
        assert (value in info) == (value in model)
        assert info.count(value) == model.count(value)
    assert info == model
    assert hash(info) == hash(model)


@given(infos, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_pickling_and_copying_keep_all_of_it(info: SigInfo, protocol: int) -> None:
    pickled = pickle.loads(pickle.dumps(info, protocol))
    for again in (pickled, copy.copy(info), copy.deepcopy(info)):
        assert again == info
        assert hash(again) == hash(info)
        assert repr(again) == repr(info)
        assert [getattr(again, name) for name in PUBLIC] == [getattr(info, name) for name in PUBLIC]


@given(similar, similar, similar)
def test_equality_is_an_equivalence_and_agrees_with_the_hash(
    one: SigInfo, two: SigInfo, three: SigInfo
) -> None:
    def fields(info: SigInfo) -> list[Any]:
        return [getattr(info, name) for name in PUBLIC]

    assert one == one
    assert (one == two) == (two == one) == (fields(one) == fields(two))
    assert (one != two) == (fields(one) != fields(two))
    assert not (one == two and two == three) or one == three
    assert one != two or hash(one) == hash(two)
    assert one != tuple(two) or hash(one) == hash(tuple(two))


@given(infos)
def test_it_can_always_be_shown(info: SigInfo) -> None:
    assert repr(info).startswith("SigInfo(si_signo=")
    assert info.describe().startswith("SIG")
    assert "None" not in repr(info) + info.describe()


WAITED = [standard.SIGUSR1, standard.SIGWINCH, standard.SIGRTMIN, standard.SIGRTMAX]


@pytest.mark.skipif(not hasattr(sigcffi, "sigtimedwait"), reason="the platform has no sigtimedwait")
@given(st.sampled_from(WAITED))
def test_its_seven_are_those_that_the_kernel_fills_in(signum: standard.Signals) -> None:
    wait = getattr(standard, "sigtimedwait", sigcffi.sigtimedwait)  # PyPy has none
    sigcffi.pthread_sigmask(standard.SIG_BLOCK, WAITED)
    os.kill(os.getpid(), signum)
    theirs = wait(WAITED, 60)
    assert theirs is not None
    record = dict.fromkeys(TYPES, 0)
    told = [name for name in SEVEN[1:] if getattr(theirs, name) is not None]
    record.update({name: getattr(theirs, name) for name in told})
    record["known"] = sum(BITS[name] for name in SEVEN[3:] if name in told)
    info = info_of(theirs.si_signo, record)
    seven = theirs if isinstance(theirs, tuple) else tuple(theirs)
    assert info == seven
    assert seven == info
    assert hash(info) == hash(seven)
