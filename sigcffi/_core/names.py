"""What numbers are called: signals, and the values of ``si_code``.

Law: every number is the compiler's, read from the C half; here stands only what belongs together.
Knows nothing of a particular signal that has arrived. An object that programs compare or catch is
the standard module's own, so that ``sigcffi.SIGINT is signal.SIGINT``; two that PyPy's standard
module lacks are made here.

Source: sigaction(2), POSIX.1-2008 <signal.h>.
"""

from __future__ import annotations

import signal as _standard
from signal import SIGRTMAX, SIGRTMIN, Signals

from sigcffi._core.ffi import lib

# Whose positive codes are whose. SIGPOLL's belong to every other signal, too: fcntl(F_SETSIG)
# chooses which one tells of a file descriptor.
_PREFIX_OF = {
    int(getattr(_standard, signal)): prefix
    for signal, prefix in {
        "SIGILL": "ILL",
        "SIGFPE": "FPE",
        "SIGSEGV": "SEGV",
        "SIGBUS": "BUS",
        "SIGTRAP": "TRAP",
        "SIGCHLD": "CLD",
        "SIGSYS": "SYS",
    }.items()
    if hasattr(_standard, signal)
}
_PREFIXES = {"SI", "POLL", *_PREFIX_OF.values()}

CODES = {
    name: value
    for name in dir(lib)
    if name.isupper()  # not SYS_read, the number of a system call
    and name.partition("_")[0] in _PREFIXES
    and (value := getattr(lib, name)) != lib.SIGCFFI_ABSENT  # the platform has it
}
globals().update(CODES)

_NAME_OF_CODE = {(name.partition("_")[0], value): name for name, value in CODES.items()}

__all__ = list(CODES)


def code_name(signum: int, code: int) -> str | None:
    """The name of a signal's ``si_code``, None if it has none.

    SI_USER and its like may come with any signal, and no signal has a code of its own with one of
    their numbers: on Linux its own are positive and small, theirs 0, negative or SI_KERNEL.
    """
    return _NAME_OF_CODE.get(("SI", code)) or _NAME_OF_CODE.get(
        (_PREFIX_OF.get(signum, "POLL"), code)
    )


# Asking the enum for what it does not have costs an exception.
_MEMBERS = {int(signum): signum for signum in Signals}


def member(signum: int) -> Signals:
    """The enum member of a signal, or its number if it has none."""
    return _MEMBERS.get(signum, signum)  # type: ignore[arg-type]  # a real-time signal


def name_of(signum: int) -> str:
    """The name of a signal; a real-time signal is named by its distance from the first."""
    if signum in _MEMBERS:
        return _MEMBERS[signum].name
    if SIGRTMIN < signum < SIGRTMAX:
        return f"SIGRTMIN+{signum - SIGRTMIN}"
    return f"SIG{signum}"


# ---- What PyPy's standard module lacks ----

if not hasattr(_standard, "SIGSTKFLT") and lib.SIGCFFI_SIGSTKFLT:  # PyPy
    # A member of the enum like every signal, but the enum itself stays as it is.
    SIGSTKFLT = int.__new__(Signals, lib.SIGCFFI_SIGSTKFLT)
    SIGSTKFLT._name_ = "SIGSTKFLT"
    SIGSTKFLT._value_ = lib.SIGCFFI_SIGSTKFLT

if hasattr(_standard, "struct_siginfo"):
    struct_siginfo = _standard.struct_siginfo
else:  # PyPy
    from collections import namedtuple

    class struct_siginfo(  # type: ignore[no-redef]
        namedtuple("struct_siginfo", "si_signo si_code si_errno si_pid si_uid si_status si_band")
    ):
        """What the standard module's ``sigwaitinfo`` and ``sigtimedwait`` return: a tuple with
        seven fields, made of any *sequence* of seven, TypeError for another number.

        Threads: any may look at it.
        """

        __slots__ = ()

        def __new__(cls, sequence):  # type: ignore[no-untyped-def]
            return super().__new__(cls, *sequence)
