"""Actions that tell others what has come: ``write``, ``message``, ``forward``.

Law: C has a descriptor, or a hold on a process, of its own, so that what the program closes or
reaps means nothing else later. What cannot be sent is counted, and nothing waits for it.

Source: write(2), pipe(7), kill(2), proc_pid_comm(5).
"""

from __future__ import annotations

import os

from sigcffi._attached.attaching import Attachment
from sigcffi._core.arguments import index
from sigcffi._core.exits import made
from sigcffi._core.ffi import lib
from sigcffi._core.names import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, SupportsIndex

    class HasFileno(Protocol):
        """A file, a socket."""

        def fileno(self) -> int: ...

    FileDescriptorLike = SupportsIndex | HasFileno

__all__ = ["Forward", "Message", "Write", "forward", "message", "write"]


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
    not be written. Made by ``write``.

    Threads: any may call everything.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_WRITE


class Message(_Sending):
    """Writes a line for each delivery that says who has sent the signal; ``missed`` counts those
    that could not be written. Made by ``message``.

    Threads: any may call everything.
    """

    __slots__ = ("_text",)
    _kind = lib.SIGCFFI_SLOT_MESSAGE

    def __init__(self, signum: SupportsIndex, fd: int, text: bytes, inherit: bool) -> None:
        self._text = text
        super().__init__(signum, inherit, fd)

    def _attach(self, number: int, cell: int, nth: int, inherit: bool) -> int:
        name = name_of(self.signum).encode()
        return lib.sigcffi_attachments_attach_message(
            self.signum, number, name, self._text, inherit
        )


class Forward(_Sending):
    """Sends the signal on to a process or group; ``missed`` counts those that could not be sent.
    Made by ``forward``.

    Threads: any may call everything.
    """

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_FORWARD


def _fileno(fd: FileDescriptorLike) -> int:
    fileno = getattr(fd, "fileno", None)
    number = index(fd if fileno is None else fileno())  # type: ignore[arg-type]
    if not -(2**31) <= number < 2**31:
        raise OverflowError("Python int too large to convert to C int")
    return number


def write(signum: SupportsIndex, fd: FileDescriptorLike, *, inherit: bool = True) -> Write:
    """Have one byte, the signal's number, written to a descriptor whenever the signal comes.

    *fd* is a descriptor or an object with ``fileno()``: a pipe, a file, a terminal that does not
    block (``os.set_blocking(fd, False)``), or any socket. The action has a copy of it, so that
    closing it has no effect before the action is closed. What cannot be written (the pipe is full,
    or its other end is closed) is counted as ``missed``; SIGPIPE is not raised.

    *inherit* as for ``flag``. Returns a ``Write``. Raises what ``flag`` raises, ValueError for a
    descriptor that blocks, OSError (EBADF) for none, OverflowError for what does not fit a C int.

    Threads: any may call it. The byte is written in the thread that takes the signal.

    Source: write(2), POSIX.1-2008.
    """
    number = _fileno(fd)
    try:
        return made(Write, Write.close, signum, inherit, number)
    except BlockingIOError:
        raise ValueError(f"the fd {number} is in blocking mode") from None


def message(
    signum: SupportsIndex,
    fd: FileDescriptorLike = 2,
    *,
    text: str | None = None,
    inherit: bool = True,
) -> Message:
    """Have a line written to a descriptor whenever a signal comes, that says who has sent it.
    ::

        2026-11-27T08:30:00.123456Z process 71: SIGTERM sent with kill by process 42 of user 0 (sh)

    It has the time (UTC), this process, the signal, what ``SigInfo.describe`` says of it, the
    sender's command, as /proc/PID/comm has it, and *text* behind a colon: a line of at most 256
    bytes of UTF-8. C makes it and writes it by one call of write(2), before the signal's handler
    returns. ``default`` of the same signal, attached behind it, ends the process as ever then, and
    what has killed it stands in its log.

    *fd* is a descriptor or an object with ``fileno()``, and may block: a message never waits. The
    action has a descriptor of its own, so that closing *fd* has no effect on it. A line is written
    in full or not at all (a file on a full disk, a stream socket and a terminal may take a part of
    it). What was not written in full (the pipe is full, or its other end is closed) is counted as
    ``missed``; neither SIGPIPE nor SIGXFSZ is raised.

    The command is read when the signal is taken. A sender that has ended is still named until its
    parent has waited for it; from then on its number and user are all that is known. One that has
    called execve in between is named by what it runs now.

    *inherit* as for ``flag``. Returns a ``Message``. Raises what ``flag`` raises, OSError (EBADF)
    for a descriptor that nothing can be written to, TypeError for a *text* that is no str, and
    ValueError for one that is too long or more than one line.

    Threads: any may call it. The line is written in the thread that takes the signal.

    Race conditions: a pipe or terminal that blocks, and that this process may not open once more
    (it belongs to another user), is asked whether it has room; another process that fills it in
    that very instant makes the handler wait for its reader.
    """
    number = _fileno(fd)
    encoded = b""
    if text is not None:
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {type(text).__name__}")
        encoded = text.encode()
        if any(byte in encoded for byte in (b"\n", b"\r", b"\0")):
            raise ValueError("the text must be one line")
        if len(encoded) > lib.SIGCFFI_TEXT:
            raise ValueError(f"the text must be at most {lib.SIGCFFI_TEXT} bytes")
    return made(Message, Message.close, signum, number, encoded, inherit)


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

    *pid* is a C int. Returns a ``Forward``. Raises what ``flag`` raises, ProcessLookupError and
    PermissionError as ``os.kill``, ValueError for this very process, and OverflowError for what
    does not fit a C int.

    Threads: any may call it. The signal is sent by the thread that takes it.

    Race conditions: where the kernel has no pidfd, or a filter refuses it, and for groups, the
    number of a process or group that has ended may be another's by then.

    Source: kill(2), sigqueue(3), pidfd_send_signal(2).
    """
    number = index(pid)
    if not -(2**31) <= number < 2**31:
        raise OverflowError("Python int too large to convert to C int")
    if number == os.getpid():
        raise ValueError("a process cannot forward signals to itself")
    return made(Forward, Forward.close, signum, inherit, number)
