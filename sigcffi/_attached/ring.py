"""The ring of a receiver, from the side that reads: ``Ring``.

Law: a reader copies records, and has them only if it has then given their places back, in one step
of C that fails where another reader was quicker. So any number of threads may read, a handler may
read within a reading, and each record is taken once.

Rejected: a lock. A handler that reads while its own thread does would wait for ever.
"""

from __future__ import annotations

import errno

from sigcffi._changes.installed import notice
from sigcffi._core.ffi import check, lib, new_records, view
from sigcffi._core.siginfo import RECORD, SigInfo, decoded
from sigcffi._handlers.signal import kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Closed", "Ring", "ready"]

_SIZE = lib.SIGCFFI_RECORD_SIZE
_TAIL = 1  # behind the head
_unpack = RECORD.unpack_from


class Closed:
    """What the ring of a closed receiver gives instead."""


_closed = Closed()


def ready(signums: frozenset[int]) -> int:
    """These signals as a word, when C can attach a ring to them."""
    word = 0
    for signum in signums:
        kind_of(signum)  # C learns the interpreter's handler by this
        notice(signum)
        word |= 1 << (signum - 1)
    return word


def _check(result: int) -> int:
    if result == -errno.ENOSPC:
        raise OSError(errno.ENOSPC, "too many receivers, or actions of one of the signals")
    return check(result)


class Ring:
    """Memory for *capacity* records, a power of two, which C fills once the ring is open. It exists
    as long as this object.
    """

    __slots__ = ("_capacity", "_handle", "_memory", "_words", "records")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.records, self._memory = new_records(capacity)

    def open(self, word: int, drops: bool, inherit: bool) -> int:
        """Have C fill it with what these signals bring; the handle of its receiver."""
        self._handle = handle = _check(
            lib.sigcffi_receivers_open(self.records, self._capacity, word, drops, inherit)
        )
        self._words: Any = view(lib.sigcffi_receivers_ring(handle), 2, "Q")
        return handle

    def change(self, word: int) -> None:
        """Have these signals fill it from now on, and no others."""
        _check(lib.sigcffi_receivers_change(self._handle, word))

    def take(self) -> SigInfo | Closed | None:
        """The next; None if there is none."""
        handle = self._handle
        while True:
            first = self._words[_TAIL]
            count = lib.sigcffi_receivers_count(handle)
            if count <= 0:
                return None if count == 0 else _closed
            info = SigInfo(*_unpack(self._memory, (first & (self._capacity - 1)) * _SIZE))
            if lib.sigcffi_receivers_give_back(handle, first, 1):
                return info

    def take_all(self) -> list[SigInfo] | Closed:
        """All that are there."""
        handle = self._handle
        whole = len(self._memory)
        while True:
            first = self._words[_TAIL]
            count = lib.sigcffi_receivers_count(handle)
            if count <= 0:
                return [] if count == 0 else _closed
            begin = (first & (self._capacity - 1)) * _SIZE
            end = begin + count * _SIZE
            infos = decoded(self._memory[begin:end])
            if end > whole:
                infos += decoded(self._memory[: end - whole])
            if lib.sigcffi_receivers_give_back(handle, first, count):
                return infos
