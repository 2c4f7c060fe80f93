"""Names shared with the standard module: constants, enums, types.

Law: an object that programs compare or catch is the standard module's own, so that ``sigcffi.SIGINT
is signal.SIGINT`` and ``except signal.ItimerError`` catches ours. What this version of the standard
module lacks although the platform has it is added, with the compiler's numbers.
"""

from __future__ import annotations

import signal as _standard

from sigcffi._ffi import lib as _lib

if not hasattr(_standard, "SIGSTKFLT") and _lib.SIGCFFI_SIGSTKFLT:  # before CPython 3.11
    SIGSTKFLT: int = _lib.SIGCFFI_SIGSTKFLT

if hasattr(_standard, "struct_siginfo"):
    struct_siginfo = _standard.struct_siginfo
else:  # PyPy
    from collections import namedtuple as _namedtuple

    class struct_siginfo(  # type: ignore[no-redef]
        _namedtuple("struct_siginfo", "si_signo si_code si_errno si_pid si_uid si_status si_band")
    ):
        """The result of ``sigwaitinfo`` and ``sigtimedwait``."""

        __slots__ = ()

        def __new__(cls, sequence):  # type: ignore[no-untyped-def]
            return super().__new__(cls, *sequence)
