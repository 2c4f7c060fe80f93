"""The raw descriptor: ``signalfd``, and what is read from it.

Law: the descriptor is the caller's, like one of ``os.open``; here is no state.

Source: signalfd(2).
"""

from __future__ import annotations

from sigcffi._core.ffi import check, lib, new_records
from sigcffi._core.siginfo import SigInfo, decoded
from sigcffi._masks.masks import word_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import SupportsIndex

__all__: list[str] = []

_SIZE = lib.SIGCFFI_SIGNALFD_SIZE

if lib.SIGCFFI_HAS_SIGNALFD:
    __all__ += ["signalfd", "signalfd_siginfo"]

    def signalfd(
        sigset: Iterable[SupportsIndex], *, nonblock: bool = False, cloexec: bool = True
    ) -> int:
        """Open a descriptor from which the signals in *sigset* can be read instead of being
        handled: for ``select``, event loops and programs that want to read them themselves.

        The signals should be blocked, in every thread: one that is not is handled as ever. Read
        128 bytes for each signal that you want at most, ``os.read(fd, 64 * 128)`` say, and give
        what comes to ``signalfd_siginfo``. It can be read when a signal is pending for the process
        or for the thread that *reads*, whichever thread has opened it. *nonblock*: a read where
        nothing is there raises BlockingIOError, else it waits. *cloexec*: it is closed by exec.

        Returns the descriptor, an int, to be closed with ``os.close``.

        Raises ValueError for a number that is not a signal's, TypeError for what is not an integer,
        OSError: EMFILE, ENFILE, ENOMEM. SIGKILL and SIGSTOP in *sigset* have no effect.

        Threads: any may call it. A forked child's copy reads the child's signals.

        For several readers of one signal, for signals beside their handlers and for nothing lost
        with a queue that is full there is ``open_signal_receiver``.

        Source: signalfd(2).
        """
        return check(lib.sigcffi_signalfd(word_of(sigset), bool(nonblock), bool(cloexec)))

    def signalfd_siginfo(data: bytes | bytearray | memoryview, /) -> list[SigInfo]:
        """What was read from a ``signalfd``, bytes or any buffer, as ``SigInfo`` objects in the
        same order: *data* becomes a list. ``time_ns`` is now.

        Raises ValueError if it is not a whole number of structures, TypeError for what is not a
        buffer.

        Threads: any may call it.

        Source: signalfd(2), struct signalfd_siginfo.
        """
        raw = data if isinstance(data, bytes) else memoryview(data).tobytes()
        count, rest = divmod(len(raw), _SIZE)
        if rest:
            raise ValueError(f"{len(raw)} bytes are no whole number of structures of {_SIZE}")
        if count == 0:
            return []
        records, memory = new_records(count)
        lib.sigcffi_signalfd_decode(raw, records, count)
        return decoded(memory)
