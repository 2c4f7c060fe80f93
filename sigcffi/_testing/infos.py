"""Signals that have not come: ``fake_info``.

Law: what a program does not say is as the kernel would have it.
"""

from __future__ import annotations

import os
from signal import SIGCHLD
from time import monotonic_ns

from sigcffi._core.arguments import signal_number
from sigcffi._core.names import CODES, code_name, name_of
from sigcffi._core.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, SupportsIndex

__all__ = ["fake_info"]

_SENDER = ("si_pid", "si_uid")
# What a signal carries, by the name of its si_code or by what that begins with.
_CARRIED = {
    "SI_USER": _SENDER,
    "SI_TKILL": _SENDER,
    "SI_QUEUE": (*_SENDER, "si_value"),
    "SI_MESGQ": (*_SENDER, "si_value"),
    "SI_TIMER": ("si_timerid", "si_overrun", "si_value"),
    "SI_ASYNCIO": ("si_value",),
    "CLD": (*_SENDER, "si_status"),
    "POLL": ("si_fd", "si_band"),
    **dict.fromkeys(("SEGV", "BUS", "FPE", "ILL", "TRAP"), ("si_addr",)),
}
# How a signal was sent that carries such a field: the first of these counts.
_CODES = {
    "si_timerid": "SI_TIMER",
    "si_overrun": "SI_TIMER",
    "si_value": "SI_QUEUE",
    "si_status": "CLD_EXITED",
    "si_fd": "POLL_IN",
    "si_band": "POLL_IN",
}
_FAULTS = {
    "SIGSEGV": "SEGV_MAPERR",
    "SIGBUS": "BUS_ADRERR",
    "SIGFPE": "FPE_INTDIV",
    "SIGILL": "ILL_ILLOPC",
    "SIGTRAP": "TRAP_BRKPT",
}


def fake_info(signum: SupportsIndex, **fields: Any) -> SigInfo:
    """A ``SigInfo`` for a call of a handler in a test, as if such a signal had just come.

    *fields* are those of ``SigInfo``, by name. Where ``si_code`` is not among them it follows from
    those that are: with ``si_value`` the signal was queued, with ``si_timerid`` or ``si_overrun``
    it is a POSIX timer's, with ``si_addr`` a fault, with ``si_fd`` or ``si_band`` input or output,
    with ``si_status``, and without anything for SIGCHLD, the end of a child; else this process has
    sent it with kill(2). Fields that such a signal carries and that are not given have the values
    of this process and this moment, or 0. (``SigInfo.of`` gives exactly what it is told.)

    Raises ValueError for a number that is not a signal's, and for ``si_addr`` with a signal that is
    no fault; TypeError for a field that there is not.

    Threads: any may call it.
    """
    number = signal_number(signum)
    SigInfo.of(number, **fields)  # refuses what is no field
    if "si_code" not in fields:
        fields["si_code"] = CODES[_code(number, fields)]
    name = code_name(number, fields["si_code"]) or ""
    usual = dict.fromkeys(_CARRIED.get(name) or _CARRIED.get(name.partition("_")[0], ()), 0)
    if "si_pid" in usual:
        usual |= {"si_pid": os.getpid(), "si_uid": os.getuid()}
    usual |= {"si_errno": 0, "time_ns": monotonic_ns()}
    return SigInfo.of(number, **usual | fields)


def _code(number: int, fields: dict[str, Any]) -> str:
    if "si_addr" in fields:
        if name_of(number) not in _FAULTS:
            raise ValueError(f"{name_of(number)} is no fault: it has no address")
        return _FAULTS[name_of(number)]
    usual = "CLD_EXITED" if number == SIGCHLD else "SI_USER"
    return next((_CODES[each] for each in _CODES if each in fields), usual)
