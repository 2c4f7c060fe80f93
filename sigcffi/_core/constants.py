"""Names that the standard module lacks in some version although the platform has them.

Law: an object that programs compare or catch is the standard module's own, where it has one: so
that ``sigcffi.SIGINT is signal.SIGINT`` and ``except signal.ItimerError`` catches ours. Here stands
only what is missing there, with the compiler's numbers.
"""

from __future__ import annotations

import signal as _standard

from sigcffi._core.ffi import lib

__all__ = ["struct_siginfo"]

if not hasattr(_standard, "SIGSTKFLT") and lib.SIGCFFI_SIGSTKFLT:  # PyPy
    # A member of its enum like every signal, but the standard module's own enum stays as it is.
    SIGSTKFLT = int.__new__(_standard.Signals, lib.SIGCFFI_SIGSTKFLT)
    SIGSTKFLT._name_ = "SIGSTKFLT"
    SIGSTKFLT._value_ = lib.SIGCFFI_SIGSTKFLT
    __all__ += ["SIGSTKFLT"]

if hasattr(_standard, "struct_siginfo"):
    struct_siginfo = _standard.struct_siginfo
else:  # PyPy
    from collections import namedtuple

    class struct_siginfo(  # type: ignore[no-redef]
        namedtuple("struct_siginfo", "si_signo si_code si_errno si_pid si_uid si_status si_band")
    ):
        """The result of ``sigwaitinfo`` and ``sigtimedwait``."""

        __slots__ = ()

        def __new__(cls, sequence):  # type: ignore[no-untyped-def]
            return super().__new__(cls, *sequence)
