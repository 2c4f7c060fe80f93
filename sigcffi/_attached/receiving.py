"""Receivers: signals as a stream, for threads and event loops.

Law: a receiver is a ring in C with a descriptor that can be read exactly while there are records.
It is attached to its signals from its making to its ``close``, and each record is handed over once,
or is in ``unread`` then.
"""

from __future__ import annotations

import atexit
import errno
from _operator import attrgetter
from _weakref import ref
from signal import SIGKILL, SIGSTOP

from sigcffi._attached.loops import Watches, trio_here
from sigcffi._attached.ring import Closed, Ring, ready
from sigcffi._changes.installed import notice
from sigcffi._core.arguments import index, signal_number
from sigcffi._core.exits import exit_of, made
from sigcffi._core.ffi import check, lib
from sigcffi._core.names import name_of
from sigcffi._core.scope import Single, warn_unclosed
from sigcffi._core.siginfo import SigInfo
from sigcffi._dispatch.sections import undisturbed
from sigcffi._waits.sleeping import sleep_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, SupportsIndex

    from sigcffi._core.arguments import Number
    from sigcffi._core.scope import Exit

__all__ = ["Receiver", "open_signal_receiver"]

_LEAST, _MOST = 16, 2**20  # records
_IS_CLOSED = "the receiver is closed"

# By handle, those that were not closed, for a snapshot. A receiver stores and removes its own item,
# by one step each.
_open: dict[int, ref[Receiver]] = {}


def _copy(handle: int) -> int:
    """One more descriptor; less than 0 if the receiver was closed."""
    fd = lib.sigcffi_receivers_fd(handle, True)
    return fd if fd == -errno.EBADF else check(fd)


class Receiver(Single):
    """The deliveries of some signals, in order, as ``SigInfo`` objects.

    Made by ``open_signal_receiver``; a context manager, an asynchronous one too, and an iterator of
    both kinds, which ends when the receiver is closed. ``signums`` is a frozenset, ``capacity`` the
    number of records it has room for, ``overflow`` "block" or "drop", ``unread`` a list of those
    that were unread when it was closed.

    Asynchronous iteration works in tasks of asyncio and trio (RuntimeError elsewhere), any number
    of which may wait at once. A task that is cancelled takes no delivery with it.

    Threads: any may call everything; each delivery is handed over once. Of several that close it at
    once, one may return before ``unread`` is complete. A forked child's receivers are closed, but
    for those that are inherited: these are empty and the child's own, with a descriptor of the same
    number, and its parent's are as before.

    Race conditions: an exception that a Python handler raises (KeyboardInterrupt) in the very
    instant in which the main thread is handed a delivery takes it along, as it would the result of
    any call. Within ``deferred()`` it cannot.
    """

    __slots__ = (
        *("__weakref__", "_dropped", "_handle", "_ring", "_watches"),
        *("capacity", "overflow", "signums", "unread"),
    )

    def __init__(
        self, signums: frozenset[int], capacity: int, overflow: str, inherit: bool
    ) -> None:
        self._handle = 0
        self._dropped = 0
        self.signums: frozenset[int] = signums
        self.capacity = capacity
        self.overflow = overflow
        self.unread: list[SigInfo] = []
        self._ring = ring = Ring(capacity)
        word = ready(signums)
        with undisturbed:  # C writes to the memory from now on, and must be stopped before it goes
            self._handle = handle = ring.open(word, overflow == "drop", bool(inherit))
            _open[handle] = ref(self)
            # By the handle: a loop that watches it does not keep a receiver that is forgotten.
            self._watches = Watches(
                lambda: lib.sigcffi_receivers_count(handle), lambda: _copy(handle)
            )

    def _change(self, signums: frozenset[int]) -> None:
        """Receive these signals from now on. OSError as for opening, and nothing has changed then.
        One thread at a time.
        """
        self._ring.change(ready(signums))
        self.signums = signums

    # ---- Reading ----

    def read(self) -> list[SigInfo]:
        """All that has come, in the order of arrival; never waits. ValueError if it was closed."""
        found = self._ring.take_all()
        if isinstance(found, Closed):
            raise ValueError(_IS_CLOSED)
        return found

    # ---- Waiting ----

    def _fd(self) -> int:
        """The descriptor, a negative errno if it was closed. The caller is going to wait, so the
        trampoline goes on top again where other code has installed a handler without sigcffi.
        """
        for signum in self.signums:
            notice(signum)
        return lib.sigcffi_receivers_fd(self._handle, False)

    def _wait(self, take: Callable[[], Any], timeout: Number | None) -> Any:
        handle = self._handle
        if lib.sigcffi_receivers_count(handle) == 0:
            self._fd()

        def sleep(arrivals: int, left: int) -> None:
            lib.sigcffi_sleep_until_received(handle, arrivals, left)

        return sleep_until(take, sleep, timeout)

    def wait(self, timeout: Number | None = None) -> SigInfo | None:
        """The next delivery: wait for it at most *timeout* seconds (a number; None: for ever).
        None when the time is over.

        ValueError if the receiver is closed, before or meanwhile, and for a negative timeout or
        NaN; OverflowError if it is too large; TypeError if it is not a number.

        Threads: others run on. In the main thread Python handlers run meanwhile (Ctrl-C works), and
        what they raise ends the wait.
        """
        found: SigInfo | Closed | None = self._wait(self._ring.take, timeout)
        if isinstance(found, Closed):
            raise ValueError(_IS_CLOSED)
        return found

    def _wait_for_all(self) -> list[SigInfo]:
        """All that has come, as soon as there is something; nothing once it is closed."""
        found: list[SigInfo] | Closed = self._wait(lambda: self._ring.take_all() or None, None)
        return [] if isinstance(found, Closed) else found

    def fileno(self) -> int:
        """A descriptor that can be read while there is something to ``read()``: for select, poll
        and event loops. Only this object reads from it, and closes it. ValueError if it was closed.
        """
        fd = self._fd()
        if fd == -errno.EBADF:
            raise ValueError(_IS_CLOSED)
        return check(fd)

    def __iter__(self) -> Receiver:
        return self

    def __next__(self) -> SigInfo:
        found: SigInfo | Closed | None = self._wait(self._ring.take, None)
        if isinstance(found, Closed):
            raise StopIteration
        assert found is not None
        return found

    def __aiter__(self) -> Receiver:
        return self

    async def __anext__(self) -> SigInfo:
        # Trio's rule: every call lets others run, and one that is cancelled has done nothing.
        trio = trio_here()
        if trio is not None:
            await trio.checkpoint_if_cancelled()
        found = self._ring.take()
        if found is not None and trio is not None:
            await trio.cancel_shielded_checkpoint()
        while found is None:
            self._fd()
            await self._watches.readable(trio)
            found = self._ring.take()
        if isinstance(found, Closed):
            raise StopAsyncIteration
        return found

    # ---- The end ----

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return lib.sigcffi_receivers_count(self._handle) < 0

    @property
    def dropped(self) -> int:
        """How many deliveries it could not hold."""
        return self._dropped or lib.sigcffi_receivers_dropped(self._handle)

    def close(self) -> None:
        """Receive nothing more; a second time changes nothing.

        What was not read is in ``unread`` afterwards; loops over the receiver and waits for it
        end. If nothing else is attached to a signal and Python does not handle it, exactly what was
        there before is back. Any thread may call it.
        """
        handle = self._handle
        _open.pop(handle, None)
        if lib.sigcffi_receivers_stop(handle) < 0:
            return
        found = self._ring.take_all()  # another thread may be closing it, too
        if not isinstance(found, Closed):
            self.unread.extend(found)  # of several threads that are closing it, each its own
        if dropped := lib.sigcffi_receivers_dropped(handle):  # 0 if another thread has closed it
            self._dropped = dropped
        lib.sigcffi_receivers_close(handle)
        self._watches.close()

    def __enter__(self) -> Receiver:
        return self

    __exit__: Exit = exit_of(attrgetter("close"))

    async def __aenter__(self) -> Receiver:
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any, /) -> None:
        self.close()

    def __del__(self, stop: Callable[[int], int] = lib.sigcffi_receivers_stop) -> None:
        if lib is None:  # the interpreter has ended, and emptied its modules
            stop(self._handle)
        elif self._handle and not self.closed:
            text = repr(self)
            self.close()  # first: the warning may be an error, and C writes to what goes now
            warn_unclosed(self, text)

    def describe(self) -> str:
        """One line for people: its signals, how much is waiting, and what it holds back."""
        names = ", ".join(map(name_of, sorted(self.signums)))
        count = lib.sigcffi_receivers_count(self._handle)
        if count < 0:
            return f"{names}: closed, {len(self.unread)} unread, {self.dropped} dropped"
        line = f"{names}: {count} of {self.capacity} waiting, {self.dropped} dropped"
        if lib.sigcffi_receivers_holds_back(self._handle):
            line += "; it is full, and holds its signals back until it is read"
        return line

    def __repr__(self) -> str:
        return f"<Receiver of {self.describe()}>"


def open_signal_receiver(
    *signums: SupportsIndex,
    capacity: SupportsIndex = 1024,
    overflow: str = "block",
    inherit: bool = False,
) -> Receiver:
    """Receive the deliveries of some signals, beside whatever handles them; returns a ``Receiver``.

    Each delivery is written into a ring by the C handler, with who sent it and with which value,
    and handed over once: by ``read()``, ``wait()``, ``for`` or ``async for``, in any thread or
    event loop. Several receivers may have the same signal, and each gets all. While a signal has
    receivers its default action is not taken.

    *capacity* is how many deliveries may wait (it is rounded up to a power of two, 16 at least).
    *overflow* says what happens when it is three quarters full. "block": threads that take these
    signals have them blocked until the receiver has been read, and the kernel queues what comes.
    Nothing is lost, but **a receiver that is not read holds its signals back**, for handlers, too;
    ``describe()`` tells. "drop": no signal is held back, and what does not fit is counted in
    ``dropped``.

    A forked child's receiver is closed, and its signals are as if it had never been opened, unless
    *inherit* is true: then the child receives what comes to the child, in a ring that is empty at
    first. The threads and loops of its parent that have read it have not come along.

    Raises ValueError without signals, for a number that is not a signal's, a capacity out of range
    (1 to 1,048,576) and an unknown overflow; TypeError for what is not an integer; OSError: EINVAL
    for a signal that cannot be handled, ENOSPC if there are too many receivers (63) or actions of a
    signal (8), EMFILE. Nothing is attached then.

    Threads: any may call it.

    Race conditions: a program that installs handlers without sigcffi, after this, takes the signal
    away; the receiver notices when it waits next (``patch_stdlib`` avoids that).
    """
    numbers = frozenset(map(signal_number, signums))
    if not numbers:
        raise ValueError("a receiver needs signals")
    if numbers & {SIGKILL, SIGSTOP}:
        check(-errno.EINVAL)
    wanted = index(capacity)
    if not 0 < wanted <= _MOST:
        raise ValueError(f"the capacity must be 1 to {_MOST}")
    if overflow not in ("block", "drop"):
        raise ValueError('overflow is "block" or "drop"')
    size = _LEAST
    while size < wanted:
        size *= 2
    return made(Receiver, Receiver.close, numbers, size, overflow, inherit)


# The memory of receivers goes with the interpreter, and C must not write to it then.
atexit.register(lib.sigcffi_receivers_stop_all)
