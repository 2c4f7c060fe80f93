"""Records as handlers write them into the ring, made by hand."""

from __future__ import annotations

import signal
import struct

from sigcffi import SigInfo

# What a record knows, by bit.
PID, UID, STATUS, BAND, VALUE, ADDR, FD, TIMERID, OVERRUN = (1 << bit for bit in range(9))


def record(
    known: int = 0,
    *,
    signo: int = signal.SIGUSR1,
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
