"""Actions that are taken in C, at once, whatever Python is doing: for ``sigcffi.actions``.

Each function attaches one action to a signal, from any thread, on top of whatever handles it: a
Python handler, asyncio's, a C library's still gets its call. Where nothing handles the signal, its
default action is not taken while something is attached: not the stop either by which the kernel
refuses a job in the background the terminal, which it then uses, or fails to, as if it ignored the
signal. Several actions of a signal are taken in the order in which they were attached; at most
eight fit.

Law: an action that is attached is taken on the thread that the kernel chose, before the handler's
function returns, GIL or no GIL; never again after its ``close`` has returned.

Source: sigaction(2), signal-safety(7).
"""

from __future__ import annotations

import os

from sigcffi._attached.attaching import Attachment, new_cell
from sigcffi._core.arguments import index
from sigcffi._core.exits import made
from sigcffi._core.ffi import address_of, lib, view
from sigcffi._dispatch.sections import undisturbed
from sigcffi._waits.sleeping import sleep_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, SupportsIndex, TypeAlias

    from sigcffi._core.arguments import Number

    class HasFileno(Protocol):
        """A file, a socket."""

        def fileno(self) -> int: ...

    FileDescriptorLike = SupportsIndex | HasFileno
    When: TypeAlias = "Flag | SupportsIndex | None"

__all__ = [
    *("Attachment", "Counter", "Default", "Exit", "Flag", "Forward", "Write"),
    *("counter", "default", "exit", "flag", "forward", "write"),
]


class Flag(Attachment):
    """An int in C that is 0, and 1 once its signal has come. True then.

    ``address`` is where that int is: for code that looks at it without Python, compiled by numba or
    Cython, or called by ctypes. It stays readable as long as the Flag exists.

    A forked child starts with its flags cleared.
    """

    __slots__ = ("_cell", "_value", "address")
    _kind = lib.SIGCFFI_SLOT_FLAG

    def __init__(self, signum: SupportsIndex) -> None:
        self._handle = 0
        self._cell = -1  # none yet
        with undisturbed:
            self._cell = new_cell()
        pointer = lib.sigcffi_flags_cell(self._cell)
        self._value = view(pointer, 1, "i")
        self.address: int = address_of(pointer)
        super().__init__(signum, 0, self._cell)

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
        # interpreter is ending.
        if self._cell >= 0 and (not self._handle or self.closed):
            lib.sigcffi_flags_free(self._cell)


class Counter(Attachment):
    """Counts deliveries of a signal; ``int(counter)`` tells how many since it was attached.

    A standard signal that is sent again before it was delivered is delivered once. A forked child
    counts from 0.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_COUNTER

    def __int__(self) -> int:
        return self._tallies()[0]

    def _details(self) -> str:
        return f": {int(self)}"


class _Sending(Attachment):
    __slots__ = ()

    @property
    def missed(self) -> int:
        """How many signals could not be sent on."""
        return self._tallies()[1]

    def _details(self) -> str:
        return f", {self.missed} missed" if self.missed else ""


class Write(_Sending):
    """Writes one byte, the signal's number, for each delivery; ``missed`` counts those that could
    not be written.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_WRITE


class Forward(_Sending):
    """Sends the signal on to a process or group; ``missed`` counts those that could not be sent."""

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_FORWARD


class _Ending(Attachment):
    __slots__ = ("_when",)

    def __init__(self, signum: SupportsIndex, number: int, when: When) -> None:
        self._when = when  # what C names it keeps alive
        super().__init__(signum, number, *_condition(when))


class Exit(_Ending):
    """Ends the process at once."""

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_EXIT


class Default(_Ending):
    """Takes the signal's default action."""

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_DEFAULT


def flag(signum: SupportsIndex) -> Flag:
    """Attach a flag to a signal: false, and true once the signal has come.

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer,
    OSError: EINVAL for a signal that cannot be handled, ENOSPC if the signal has eight actions.
    Nothing is attached then.
    """
    return made(Flag, Flag.close, signum)


def counter(signum: SupportsIndex) -> Counter:
    """Attach a counter of deliveries to a signal. Raises what ``flag`` raises."""
    return made(Counter, Counter.close, signum)


def write(signum: SupportsIndex, fd: FileDescriptorLike) -> Write:
    """Have one byte, the signal's number, written to a descriptor whenever the signal comes.

    *fd* is a descriptor or an object with ``fileno()``: a pipe, a file, a terminal that does not
    block (``os.set_blocking(fd, False)``), or any socket. The action has a copy of it, so that
    closing it has no effect before the action is closed. What cannot be written (the pipe is full,
    or its other end is closed) is counted as ``missed``; SIGPIPE is not raised.

    Raises what ``flag`` raises, ValueError for a descriptor that blocks and OSError (EBADF) for
    none.
    """
    fileno = getattr(fd, "fileno", None)
    number = index(fd if fileno is None else fileno())  # type: ignore[arg-type]
    if not -(2**31) <= number < 2**31:
        raise OverflowError("Python int too large to convert to C int")
    try:
        return made(Write, Write.close, signum, number)
    except BlockingIOError:
        raise ValueError(f"the fd {number} is in blocking mode") from None


def forward(signum: SupportsIndex, pid: SupportsIndex, *, inherit: bool = False) -> Forward:
    """Have a signal sent on to a process whenever it comes, or to processes as kill(2) has it: 0
    for this process's group, -1 for all that it may signal, else minus the number of a group.

    A queued signal that goes to one process keeps its value. What the process itself has sent is
    not sent back to it, and what this process has sent is not sent to a group again, so that no
    signal goes round in circles. A process is held on to (pidfd, unless the kernel or a filter of
    system calls refuses it): once it has ended nothing is sent to another that has got its number.
    What could not be sent is counted as ``missed``.

    In a forked child it is closed, unless *inherit* is true: the child's signals are its own.

    Ctrl-C at a terminal reaches every process of the foreground group; one that is in it gets a
    forwarded SIGINT in addition.

    Raises what ``flag`` raises, ProcessLookupError and PermissionError as ``os.kill``, and
    ValueError for this very process.
    """
    number = index(pid)
    if not -(2**31) <= number < 2**31:
        raise OverflowError("Python int too large to convert to C int")
    if number == os.getpid():
        raise ValueError("a process cannot forward signals to itself")
    inherited = lib.SIGCFFI_INHERITED if inherit else 0
    return made(Forward, Forward.close, signum, number, -1, inherited)


def _condition(when: When) -> tuple[int, int]:
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


def exit(signum: SupportsIndex, status: SupportsIndex, *, when: When = None) -> Exit:
    """End the process with a status when a signal comes: ``os._exit``, so nothing is flushed or
    cleaned up.

    *status* is 0 to 255. With *when*, a Flag, the process ends only if that is set by then (one of
    the same signal, attached before, always is); with a number n, not before the n-th delivery.

    Raises what ``flag`` raises, and ValueError for a status out of range.
    """
    number = index(status)
    if not 0 <= number <= 255:
        raise ValueError("an exit status is 0 to 255")
    return made(Exit, Exit.close, signum, number, when)


def default(signum: SupportsIndex, *, when: When = None) -> Default:
    """Take a signal's default action when it comes, as if nothing handled it: the parent sees the
    process end by that signal, with a core dump where that is usual. (The first process of a PID
    namespace is spared that by the kernel: it exits with status 128 plus the signal's number.)

    A signal that stops the process (SIGTSTP, SIGTTIN, SIGTTOU) does so, and when it is continued
    everything is in place; one that is ignored by default does nothing. *when* as for ``exit``.

    Raises what ``flag`` raises.
    """
    return made(Default, Default.close, signum, 0, when)
