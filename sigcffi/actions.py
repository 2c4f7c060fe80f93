"""Actions that are taken in C, at once, whatever Python is doing: for ``sigcffi.actions``.

Each function attaches one action to a signal, from any thread, on top of whatever handles it: a
Python handler, asyncio's, a C library's still gets its call. Where nothing handles the signal, its
default action is not taken while something is attached: not the stop either by which the kernel
refuses a job in the background the terminal, which it then uses, or fails to, as if it ignored the
signal. Several actions of a signal are taken in the order in which they were attached; at most
eight fit. A forked child has what is attached, as POSIX has it for handlers, unless *inherit* is
false; only what is forwarded is the parent's alone unless *inherit* is true.

Law: an action that is attached is taken on the thread that the kernel chose, before the handler's
function returns, GIL or no GIL; never again after its ``close`` has returned.

Source: sigaction(2), signal-safety(7).
"""

from __future__ import annotations

from sigcffi._attached.attaching import Attachment, new_cell
from sigcffi._attached.outgoing import Forward, Message, Write, forward, message, write
from sigcffi._core.arguments import index
from sigcffi._core.exits import made
from sigcffi._core.ffi import address_of, lib, view
from sigcffi._dispatch.sections import undisturbed
from sigcffi._waits.sleeping import sleep_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

    from sigcffi._core.arguments import Number

__all__ = [
    "Attachment",
    "Counter",
    "Default",
    "Exit",
    "Flag",
    "Forward",
    "Message",
    "Write",
    "counter",
    "default",
    "exit",
    "flag",
    "forward",
    "message",
    "write",
]


class Flag(Attachment):
    """An int in C that is 0, and 1 once its signal has come. True then.

    ``address`` is where that int is: for code that looks at it without Python, compiled by Cython
    or numba, or called by ctypes. That must read it by ``volatile`` or an atomic load, or a
    compiler may have it look once. It stays readable as long as the Flag exists.

    A forked child's flags are cleared; one that is not inherited is closed there. Made by ``flag``.

    Threads: any may call everything.
    """

    __slots__ = ("_cell", "_value", "address")
    _kind = lib.SIGCFFI_SLOT_FLAG

    def __init__(self, signum: SupportsIndex, inherit: bool) -> None:
        self._handle = 0
        self._cell = -1  # none yet
        with undisturbed:
            self._cell = new_cell()
        pointer = lib.sigcffi_flags_cell(self._cell)
        self._value = view(pointer, 1, "i")
        self.address: int = address_of(pointer)
        super().__init__(signum, inherit, 0, self._cell)

    def __bool__(self) -> bool:
        return bool(self._value[0])

    def clear(self) -> None:
        """Make it false, until the signal comes again."""
        self._value[0] = 0

    def wait(self, timeout: Number | None = None) -> bool:
        """Sleep until it is set, or was closed, for at most *timeout* seconds (a number; None:
        for ever); whether it is set.

        ValueError for a negative timeout or NaN, OverflowError if it is too large, TypeError if it
        is not a number.

        Threads: any may wait; the others run on. In the main thread Python handlers run meanwhile
        (Ctrl-C works), and what they raise ends the wait.
        """
        # Other code may have installed a handler without sigcffi.
        lib.sigcffi_interpose_again(self.signum)

        def sleep(arrivals: int, left: int) -> None:
            lib.sigcffi_sleep_until_set(self.signum, self._handle, arrivals, left)

        sleep_until(lambda: True if self or self.closed else None, sleep, timeout)
        return bool(self)

    def _details(self) -> str:
        return ", set" if self else ""

    def __del__(self) -> None:
        # An attached flag is kept in _attached, so C names no flag that is collected, unless the
        # interpreter is ending, which empties modules: then there may be no lib.
        if lib and self._cell >= 0 and (not self._handle or self.closed):
            lib.sigcffi_flags_free(self._cell)


class Counter(Attachment):
    """Counts deliveries of a signal; ``int(counter)`` tells how many since it was attached.

    A standard signal that is sent again before it was delivered is delivered once. A forked child
    counts from 0. Made by ``counter``.

    Threads: any may call everything.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_COUNTER

    def __int__(self) -> int:
        return self._tallies()[0]

    def _details(self) -> str:
        return f": {int(self)}"


class _Ending(Attachment):
    __slots__ = ("_when",)

    def __init__(
        self, signum: SupportsIndex, number: int, when: Flag | SupportsIndex | None, inherit: bool
    ) -> None:
        self._when = when  # what C names it keeps alive
        super().__init__(signum, inherit, number, *_condition(when))


class Exit(_Ending):
    """Ends the process at once. Made by ``exit``.

    Threads: any may call everything.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_EXIT


class Default(_Ending):
    """Takes the signal's default action. Made by ``default``.

    Threads: any may call everything.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_DEFAULT


def flag(signum: SupportsIndex, *, inherit: bool = True) -> Flag:
    """Attach a flag to a signal: false, and true once the signal has come.

    A forked child has it, too, and false at first, unless *inherit* is false: it is closed there
    then.

    Returns a ``Flag``. Raises ValueError for a number that is not a signal's, TypeError for what is
    not an integer, OSError: EINVAL for a signal that cannot be handled, ENOSPC if the signal has
    eight actions or there are too many flags. Nothing is attached then.

    Threads: any may call it. The flag is set in the thread that takes the signal.
    """
    return made(Flag, Flag.close, signum, inherit)


def counter(signum: SupportsIndex, *, inherit: bool = True) -> Counter:
    """Attach a counter of deliveries to a signal.

    *inherit* as for ``flag``; a child counts from 0. Returns a ``Counter``. Raises what ``flag``
    raises.

    Threads: any may call it.
    """
    return made(Counter, Counter.close, signum, inherit)


def _condition(when: Flag | SupportsIndex | None) -> tuple[int, int]:
    """The cell of a flag, and from which delivery on."""
    if when is None:
        return -1, 0
    if isinstance(when, Flag):
        if when.closed:
            raise ValueError("the flag is closed")
        return when._cell, 0
    nth = index(when)
    if not 0 < nth < 2**31:
        raise ValueError("deliveries are counted from 1")
    return -1, nth


def exit(
    signum: SupportsIndex,
    status: SupportsIndex,
    *,
    when: Flag | SupportsIndex | None = None,
    inherit: bool = True,
) -> Exit:
    """End the process with a status when a signal comes: ``os._exit``, so nothing is flushed or
    cleaned up.

    *status* is 0 to 255. With *when*, a Flag, the process ends only if that is set by then (one of
    the same signal, attached before, always is); with a number n, not before the n-th delivery.
    *inherit* as for ``flag``.

    Returns an ``Exit``. Raises what ``flag`` raises, and ValueError for a status out of range, for
    a flag that is closed and for an n below 1.

    Threads: any may call it. The process is ended by the thread that takes the signal.

    Source: _exit(2).
    """
    number = index(status)
    if not 0 <= number <= 255:
        raise ValueError("an exit status is 0 to 255")
    return made(Exit, Exit.close, signum, number, when, inherit)


def default(
    signum: SupportsIndex, *, when: Flag | SupportsIndex | None = None, inherit: bool = True
) -> Default:
    """Take a signal's default action when it comes, as if nothing handled it: the parent sees the
    process end by that signal, with a core dump where that is usual. (The first process of a PID
    namespace is spared that by the kernel: it exits with status 128 plus the signal's number.)

    A signal that stops the process (SIGTSTP, SIGTTIN, SIGTTOU) does so, and when it is continued
    everything is in place; one that is ignored by default does nothing. *when* as for ``exit``,
    *inherit* as for ``flag``.

    Returns a ``Default``. Raises what ``exit`` raises.

    Threads: any may call it. The action is taken by the thread that takes the signal.

    Source: signal(7).
    """
    return made(Default, Default.close, signum, 0, when, inherit)
