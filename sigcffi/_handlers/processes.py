"""What any process does about signals, as /proc tells it: ``process_signals``.

Law: reads /proc through one descriptor of the process, so that all that is told belongs to one
process, and sends nothing. Knows nothing of this process's own handlers.

Source: proc(5), /proc/pid/status.
"""

from __future__ import annotations

import errno
import os

from sigcffi._core.arguments import index
from sigcffi._masks.masks import Mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, SupportsIndex

__all__ = ["ProcessSignals", "ThreadSignals", "process_signals"]


class _Value:
    """Immutable by convention, compared and shown by its fields."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(tuple(self._fields().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields().items())
        return f"{type(self).__name__}({fields})"


class ThreadSignals(_Value):
    """What one thread does about signals. Made by ``process_signals``.

    ``tid``, its number; ``name``; ``state``, the kernel's word for it: "running", "sleeping",
    "stopped", ...; ``blocked``, its signal mask, and ``pending``, what was sent to it and not to
    the process: immutable sets of signals.

    Threads: any may look at it.
    """

    __slots__ = (*("tid", "name", "state"), *("blocked", "pending"))
    tid: int
    name: str
    state: str
    blocked: Mask
    pending: Mask

    def __init__(self, status: dict[str, str]) -> None:
        self.tid = int(status["Pid"])
        self.name = status["Name"]
        self.state = _state(status)
        self.blocked = _mask(status["SigBlk"])
        self.pending = _mask(status["SigPnd"])


class ProcessSignals(_Value):
    """What a process does about signals. Made by ``process_signals``.

    ``pid`` and ``name``; ``state`` of its first thread, the kernel's word: "zombie" for a process
    that has ended, and all sets are empty then; ``ignored``, ``caught`` (they have a handler), and
    ``pending`` for the process: immutable sets of signals; ``threads``, a tuple of
    ``ThreadSignals`` in the order of their numbers.

    Threads: any may look at it.
    """

    __slots__ = (*("pid", "name", "state"), *("ignored", "caught", "pending", "threads"))
    pid: int
    name: str
    state: str
    ignored: Mask
    caught: Mask
    pending: Mask
    threads: tuple[ThreadSignals, ...]

    def __init__(self, status: dict[str, str], threads: list[ThreadSignals]) -> None:
        self.pid = int(status["Tgid"])
        self.name = status["Name"]
        self.state = _state(status)
        self.ignored = _mask(status["SigIgn"])
        self.caught = _mask(status["SigCgt"])
        self.pending = _mask(status["ShdPnd"])
        self.threads = tuple(threads)


def process_signals(pid: SupportsIndex, /) -> ProcessSignals:
    """The signals that a process blocks, ignores and catches, and those that are pending, by thread
    and for the process.

    *pid* is the number of any process that /proc shows, this one included. Returns a
    ``ProcessSignals`` whose sets contain ``Signals`` members, and ints for signals without a name:
    also the two or three that the C library keeps for itself.

    Raises ProcessLookupError for a process that is gone or never was, and for the number of a
    thread that is not its process's first; PermissionError for one that exists and that /proc does
    not show to this user; FileNotFoundError where /proc is not mounted; ValueError for a number
    below 1, OverflowError for one that is no C int, TypeError for what is not an integer.

    Threads: any may call it.

    Race conditions: what is told was true when it was read, one thread after the other; a thread
    that ends meanwhile is left out. All of it is of one process: also where its number is given to
    another meanwhile.

    Source: proc(5).
    """
    number = index(pid)
    if not 0 < number < 2**31:
        if number > 0 or number < -(2**31):
            raise OverflowError("Python int too large to convert to C int")
        raise ValueError("a process's number is above 0")
    try:
        folder = os.open(f"/proc/{number}", os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        _is_hidden(number)
    try:
        status = _status(folder, "status")
        if status["Tgid"] != status["Pid"]:
            raise ProcessLookupError(
                errno.ESRCH, f"{number} is a thread of process {status['Tgid']}"
            )
        return ProcessSignals(status, _threads(folder))
    except FileNotFoundError:  # the process has been waited for
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from None
    finally:
        os.close(folder)


def _is_hidden(pid: int) -> NoReturn:
    """Raise what it means that /proc has no folder for a process."""
    if not os.path.exists("/proc/self/status"):
        raise FileNotFoundError(errno.ENOENT, "no /proc that tells of processes", "/proc") from None
    os.kill(pid, 0)  # ProcessLookupError, PermissionError
    raise PermissionError(errno.EACCES, "/proc does not show this process") from None


def _threads(folder: int) -> list[ThreadSignals]:
    tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    try:
        threads = []
        for tid in sorted(map(int, os.listdir(tasks))):
            try:
                threads.append(ThreadSignals(_status(tasks, f"{tid}/status")))
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
        return threads
    finally:
        os.close(tasks)


def _status(folder: int, path: str) -> dict[str, str]:
    """The lines of a file "status", by their names."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, dir_fd=folder)

    with open(path, encoding="utf-8", errors="backslashreplace", opener=opener) as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


def _state(status: dict[str, str]) -> str:
    """The word of a line such as "T (stopped)"."""
    return status["State"].partition("(")[2].rstrip(")")


def _mask(digits: str) -> Mask:
    return Mask(int(digits, 16))
