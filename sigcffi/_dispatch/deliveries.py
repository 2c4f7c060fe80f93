"""Deliveries: from the ring to what waits for its handler.

Law: the only reader of the main channel, in the main thread only, which alone touches what is kept
here, but for ``account``, which tells what it sees. A delivery moves in single steps that no
bytecode divides: it waits here before its place in the ring is given back. An exception may strike
between any two bytecodes, and loses nothing.

A record may not be for all that its signal has: that is seen when it is read, so what has come is
read before something else is installed.

No compiled call is made where nothing special has happened: each would give up the GIL, and beside
a busy thread it could take milliseconds to get it back. The channel's memory is read from here.
"""

from __future__ import annotations

import os
import sys
from _collections import deque  # type: ignore[import-not-found]
from _struct import Struct
from itertools import count
from signal import NSIG

from sigcffi._core.ffi import lib, memory, words
from sigcffi._core.siginfo import SigInfo
from sigcffi._dispatch.registry import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

__all__ = [
    *("CAPACITY", "FOR_HANDLER", "FOR_SUBSCRIBERS", "HEAD", "LAST", "RECORDS", "SIZE", "TAIL"),
    *("account", "add", "apart", "begun", "allowed", "forget", "gather", "next_record"),
    *("kept_by_sections", "leave_to_lifting", "position", "put_back", "read", "ready", "remove"),
    *("take_out", "unpack", "waiting"),
]

TAIL = lib.SIGCFFI_WORD_TAIL
HEAD = lib.SIGCFFI_WORD_HEAD
PENDING = lib.SIGCFFI_WORD_PENDING
FOREIGN = lib.SIGCFFI_WORD_BY_URGENT
CAPACITY = lib.SIGCFFI_CAPACITY
LAST = CAPACITY - 1
FOR_SUBSCRIBERS = lib.SIGCFFI_FOR_SUBSCRIBERS
FOR_HANDLER = lib.SIGCFFI_FOR_HANDLER
_SIGNUM = FOR_SUBSCRIBERS - 1  # the bits of a record's signo below
RECORDS = lib.SIGCFFI_WORDS * 8
SIZE = lib.SIGCFFI_RECORD_SIZE

# Their places are given back only after so many and one more: that costs as much as a record.
SOME = CAPACITY // 16 - 1

_unpack = Struct("=Qi68s").unpack_from

if lib.SIGCFFI_STORES_IN_ORDER and sys.implementation.name == "cpython":
    unpack: Any = _unpack
else:  # PyPy, and processors that show stores in another order
    # PyPy's compiler, and other processors, may read the record before its sequence, and behind the
    # store by which its place is given back.
    def unpack_published(memory: Any, offset: int) -> tuple[Any, ...]:
        sequence = lib.sigcffi_channel_sequence(offset)
        record = _unpack(memory, offset)
        lib.sigcffi_channel_has_read()
        return (sequence, *record[1:])

    unpack = unpack_published


waiting: dict[int, SigInfo] = {}  # by number, in the order of arrival
begun: dict[int, Any] = {}  # of them those that some have got
apart: dict[int, int] = {}  # of them those that are not for all, and whom they are for
remove = waiting.pop
ready: deque[tuple[SigInfo, FrameType | None]] = deque()  # what the short way has in hand
_new = object.__new__
_unrecorded = count(-1, -1)  # numbers of what is not from the ring


class _Position:
    """What there is one of."""

    __slots__ = ("again", "lost", "running", "tail")

    def __init__(self) -> None:
        self.tail: int = words[TAIL]  # the number of the next record
        self.running = 0  # what is kept out, or ALL
        self.again = False  # a call has come while one was at work: that looks again
        self.lost = 0  # records that no handler got


position = _Position()


def _set_apart(number: int, signo: int) -> int:
    """A record may not be for all that the signal has. Its signal."""
    signum = signo & _SIGNUM
    whom = signo & (FOR_SUBSCRIBERS | FOR_HANDLER)
    entry = entries.get(signum)
    if whom and (whom == FOR_HANDLER or (entry is not None and entry.interpreters is not None)):
        apart[number] = whom
    return signum


def next_record(most: int = CAPACITY) -> tuple[int, int, bytes] | None:
    """The next record; None if it cannot be read yet, or as many as *most* wait already: then it
    stays in the ring, and back-pressure keeps what comes in the kernel.
    """
    if position.tail < words[TAIL]:  # a child that was forked in C: it begins behind what had come
        position.tail = words[TAIL]
    tail = position.tail
    full = len(waiting) >= most and tail + 1 not in waiting
    if words[HEAD] == tail or full:
        return None
    record: tuple[int, int, bytes] = unpack(memory, RECORDS + (tail & LAST) * SIZE)
    return record if record[0] == tail + 1 else None  # a thread is just writing it, and tells later


def read(most: int = CAPACITY) -> bool:
    """Move what is in the ring to what waits, as long as there is room; whether there was any."""
    at = position
    if at.tail < words[TAIL]:
        at.tail = words[TAIL]
    tail = before = at.tail
    head, room = words[HEAD], most - len(waiting)
    while tail != head and (room > 0 or tail + 1 in waiting):
        number, signo, payload = unpack(memory, RECORDS + (tail & LAST) * SIZE)
        if number != tail + 1:
            break  # a thread is just writing it, and tells later
        if number not in waiting:  # an exception may have struck behind the store
            if signo > _SIGNUM:
                signo = _set_apart(number, signo)
            info = _new(SigInfo)  # without a call of its __init__, which takes as long
            info._signo = signo
            info._fields = payload
            info._number = number
            waiting[number] = info
            room -= 1
        at.tail = tail = number
        if not number & SOME:
            words[TAIL] = number
    words[TAIL] = tail
    return bool(tail != before)


def put_back() -> None:
    """An exception has struck the short way before the handler's call."""
    for info, _ in ready:
        waiting[info._number] = info
        if position.tail < info._number:
            position.tail = info._number
    ready.clear()


def add(signum: int) -> None:
    """A delivery of which nothing was recorded: where a C library's handler has it first, that has
    called the interpreter's, and not the trampoline.
    """
    number = next(_unrecorded)
    if words[FOREIGN] >> (signum - 1) & 1:
        apart[number] = FOR_HANDLER
    waiting[number] = SigInfo(signum, None)


def allowed(kept_out: int) -> list[int]:
    """The numbers of what waits and may be handed over, in the order of arrival."""
    if not kept_out:
        return list(waiting)
    return [
        number for number, info in list(waiting.items()) if not kept_out >> (info._signo - 1) & 1
    ]


def gather() -> None:
    """Whom a record is for is seen by who is installed when it is read: so what has come is read
    before somebody else is. Called where no handler starts.
    """
    while words[HEAD] != position.tail:
        if not read(2 * CAPACITY):
            os.sched_yield()  # a thread is just writing it


def take_out(signum: int) -> int:
    """Take out what has not begun of a signal's deliveries; how many its handler has missed."""
    missed = 0
    for number, info in list(waiting.items()):
        if info._signo == signum and number not in begun:
            del waiting[number]
            # What stood above the handler has had its call.
            missed += apart.pop(number, None) != FOR_SUBSCRIBERS
    return missed


def kept_by_sections(former: int) -> set[int]:
    """The signals of what waits, but those that *former* keeps out. Called where no handler starts:
    in a flood this takes longer than until the next signal, which would call the dispatcher within
    it, and the next within that.
    """
    signums = {info._signo for info in list(waiting.values())}
    return {signum for signum in signums if not former >> (signum - 1) & 1}


def leave_to_lifting(signums: set[int]) -> None:
    """What critical sections keep out is pending, for who lifts them. Whether one still does is
    looked at behind that: another thread may have lifted it since the dispatcher looked.
    """
    for signum in signums:
        if not words[PENDING] >> (signum - 1) & 1:
            lib.sigcffi_deferral_pend_again(signum, 1)


def account() -> tuple[int, int, int, int]:
    """Deliveries to the main channel; of them those that were handed to handlers, that were
    dropped, and that are still queued. The first is the sum of the others, when no other thread is
    just taking a signal.
    """
    kept = sum(number > 0 and number not in begun for number in list(waiting))
    offered = lib.sigcffi_channel_offered()
    dropped = sum(map(lib.sigcffi_channel_dropped, range(1, NSIG)))
    queued = words[HEAD] - position.tail + kept
    return offered, offered - dropped - queued - position.lost, dropped + position.lost, queued


def forget() -> None:
    """In a forked child: what had arrived was the parent's."""
    waiting.clear()
    begun.clear()
    apart.clear()
    ready.clear()
    position.lost = 0
    position.tail = words[TAIL]
