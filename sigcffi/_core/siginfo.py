"""What a signal carries: who sent it, how, and with what.

Law: every delivery to a handler makes a SigInfo, and programs look into few of them. So making one
stores references, and the record is decoded when the program first asks for a field. Nothing but
the record is read: a process id may belong to another process by now.

Source: sigaction(2), POSIX.1-2008 <signal.h>.
"""

from __future__ import annotations

# collections.abc under the name by which every interpreter has it loaded.
from _collections_abc import Sequence
from _struct import Struct
from itertools import starmap

from sigcffi._core.ffi import words_of
from sigcffi._core.names import code_name, member, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, ClassVar

    Int = int | None
    Fields = tuple[int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int]  # _FIELDS
    Payload = bytes | Fields | None

__all__ = ["RECORD", "SigInfo", "decoded"]

_FIELDS = (
    *("si_signo", "si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"),
    *("si_value", "si_addr", "si_fd", "si_timerid", "si_overrun", "time_ns"),
)
_SEVEN = 7  # of them has the standard module's struct_siginfo
_NOTHING: Any = (None,) * (len(_FIELDS) - 1)

# A record of ring.h from its code on: code, error, fields, pid, uid, status, fd, timerid, overrun,
# value, unused, addr, band, time_ns. A bit of "fields" says that one of them means something.
_unpack = Struct("=iiIiIiiiii4xQqq").unpack
RECORD = Struct("=8xi68s")  # behind the sequence: signo, and all that
_PID, _UID, _STATUS, _BAND, _VALUE, _ADDR, _FD, _TIMERID, _OVERRUN, _UNKNOWN = (
    1 << bit for bit in range(10)
)


def _decode(signo: int, payload: bytes | None) -> Fields:
    if payload is None:
        return (member(signo), *_NOTHING)
    (
        code, error, known, pid, uid, status, fd, timerid, overrun, value, addr, band, time_ns
    ) = _unpack(payload)  # fmt: skip
    return (
        member(signo),
        None if known & _UNKNOWN else code,
        None if known & _UNKNOWN else error,
        pid if known & _PID else None,
        uid if known & _UID else None,
        status if known & _STATUS else None,
        band if known & _BAND else None,
        value if known & _VALUE else None,
        addr if known & _ADDR else None,
        fd if known & _FD else None,
        timerid if known & _TIMERID else None,
        overrun if known & _OVERRUN else None,
        time_ns,
    )


class SigInfo:
    """What the kernel tells about a signal: siginfo_t of sigaction(2).

    A field that means nothing for this signal is None, and all but ``si_signo`` are where nothing
    was recorded; all but that and ``time_ns`` where a C library's handler has passed the signal on
    without what it carried. It is also a sequence of the seven fields of ``struct_siginfo``, in its
    order: si_signo, si_code, si_errno, si_pid, si_uid, si_status, si_band.

    Equal to another one if all fields are, to a tuple or ``struct_siginfo`` if the seven are.
    Immutable; can be pickled and copied. The library makes them; a program that wants one for its
    tests calls ``SigInfo.of``.

    Threads: any may look into it.
    """

    __slots__ = ("_fields", "_number", "_signo")

    # Not __new__, which would cost half as much again; and no guard against assignment to what
    # begins with an underscore, which would double the cost.
    def __init__(self, signo: int, payload: Payload, number: int = 0, /) -> None:
        """For the dispatcher: *payload* is a record from its code on, or None without a record."""
        self._signo = signo
        self._number = number
        self._fields = payload  # a record until the program asks for a field, then all fields

    @classmethod
    def of(
        cls,
        si_signo: int,
        si_code: int | None = None,
        si_errno: int | None = None,
        si_pid: int | None = None,
        si_uid: int | None = None,
        si_status: int | None = None,
        si_band: int | None = None,
        si_value: int | None = None,
        si_addr: int | None = None,
        si_fd: int | None = None,
        si_timerid: int | None = None,
        si_overrun: int | None = None,
        time_ns: int | None = None,
    ) -> SigInfo:
        """One with these fields, as the properties explain them; what is not given is None."""
        return cls(si_signo, (
            member(si_signo), si_code, si_errno, si_pid, si_uid, si_status, si_band,
            si_value, si_addr, si_fd, si_timerid, si_overrun, time_ns,
        ))  # fmt: skip

    def _all(self) -> Fields:
        fields = self._fields
        if not isinstance(fields, tuple):
            # Two threads may decode at once: both store equal fields, and each store is one step.
            fields = self._fields = _decode(self._signo, fields)
        return fields

    @property
    def si_signo(self) -> int:
        """The signal: a member of ``Signals``, an int if it has none (most real-time signals)."""
        return self._all()[0]

    @property
    def si_code(self) -> int | None:
        """Why it was sent: SI_USER, CLD_EXITED, SEGV_MAPERR, ...; see ``code_name``.

        None only if nothing is known about the signal.
        """
        return self._all()[1]

    @property
    def si_errno(self) -> int | None:
        """An errno; on Linux 0 for almost every signal. None only if nothing is known."""
        return self._all()[2]

    @property
    def si_pid(self) -> int | None:
        """The process that sent it, or the child of a SIGCHLD; 0 for one out of sight, in another
        PID namespace. None if no process did: a timer, a fault, the kernel.
        """
        return self._all()[3]

    @property
    def si_uid(self) -> int | None:
        """The real user id of that process. None as for ``si_pid``."""
        return self._all()[4]

    @property
    def si_status(self) -> int | None:
        """Of a SIGCHLD: the child's exit status (CLD_EXITED), or the signal that killed, stopped or
        continued it. None for other signals.
        """
        return self._all()[5]

    @property
    def si_band(self) -> int | None:
        """Of a SIGIO or the signal chosen with F_SETSIG: the events, bits as in poll(2). None for
        others.
        """
        return self._all()[6]

    @property
    def si_value(self) -> int | None:
        """The int that was sent along by sigqueue(3), a POSIX timer, a message queue or
        asynchronous I/O: sival_int, 32 bits with a sign. None for other signals.
        """
        return self._all()[7]

    @property
    def si_addr(self) -> int | None:
        """Of a fault (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP): the address of the memory or of
        the instruction. None for other signals, and for these when a process sent them.
        """
        return self._all()[8]

    @property
    def si_fd(self) -> int | None:
        """Of a SIGIO or the signal chosen with F_SETSIG: the file descriptor. None for others."""
        return self._all()[9]

    @property
    def si_timerid(self) -> int | None:
        """Of a POSIX timer (SI_TIMER): the kernel's number for it, ``Timer.timerid``. None for
        other signals.
        """
        return self._all()[10]

    @property
    def si_overrun(self) -> int | None:
        """Of a POSIX timer (SI_TIMER): how often it expired once more while the signal was pending.
        None for other signals.
        """
        return self._all()[11]

    @property
    def time_ns(self) -> int | None:
        """When the C handler recorded it, or a wait accepted it: nanoseconds of
        ``time.monotonic_ns()``. None only if nothing is known.
        """
        return self._all()[12]

    @property
    def code_name(self) -> str | None:
        """The name of ``si_code`` for this signal, "SI_USER", "CLD_EXITED" ... None if it has none,
        or nothing is known.
        """
        code = self.si_code
        return None if code is None else code_name(self._signo, code)

    def describe(self) -> str:
        """One line for people: who sent it, how, and with what.

        Made from the fields alone. Its words may change; programs look at the fields.
        """
        return _describe(self)

    def __len__(self) -> int:
        return _SEVEN

    def __getitem__(self, index: Any, /) -> Any:
        return self._all()[:_SEVEN][index]

    def __iter__(self) -> Iterator[int | None]:
        return iter(self._all()[:_SEVEN])

    def __eq__(self, other: object, /) -> bool:
        if isinstance(other, SigInfo):
            return self._all() == other._all()
        if isinstance(other, tuple):  # a struct_siginfo is one
            return self._all()[:_SEVEN] == other
        return NotImplemented

    __contains__: ClassVar[Callable[[Any, object], bool]] = Sequence.__contains__
    __reversed__: ClassVar[Callable[[Any], Iterator[Any]]] = Sequence.__reversed__
    index: ClassVar[Callable[..., int]] = Sequence.index
    count: ClassVar[Callable[[Any, object], int]] = Sequence.count

    def __hash__(self) -> int:
        return hash(self._all()[:_SEVEN])  # as that of a tuple which is equal

    def __reduce__(self) -> Any:
        return type(self).of, (int(self._signo), *self._all()[1:])

    def __repr__(self) -> str:
        shown = {
            name: repr(field)
            for name, field in zip(_FIELDS, self._all(), strict=True)
            if field is not None
        }
        if self.code_name is not None:
            shown["si_code"] = self.code_name
        if self.si_addr is not None:
            shown["si_addr"] = hex(self.si_addr)
        return f"SigInfo({', '.join(f'{name}={text}' for name, text in shown.items())})"


# Not as a base, whose metaclass would make every SigInfo cost more.
Sequence.register(SigInfo)


def decoded(records: Any) -> list[SigInfo]:
    """Records of ring.h, one behind the other, as objects."""
    return list(starmap(SigInfo, RECORD.iter_unpack(records)))


def _describe(info: SigInfo) -> str:
    name = name_of(info.si_signo)
    if info._all()[1:-1] == _NOTHING[1:]:  # but perhaps when
        return f"{name}, nothing known about its sender"

    def phrase(text: str, value: int | None) -> str:
        return "" if value is None else text.format(value)

    sender = " by a process out of sight"
    if info.si_pid != 0:
        sender = phrase(" by process {}", info.si_pid) + phrase(" of user {}", info.si_uid)
    value = phrase(" with value {}", info.si_value)
    how = None if info.si_code is None else words_of(info._signo, info.si_code)
    if how is None:
        code = info.code_name or phrase("code {}", info.si_code)
        at = phrase(" at address {:#x}", info.si_addr) or phrase(": fd {}", info.si_fd)
        return f"{name}{at}{code and f' ({code})'}{value}{sender}"
    overrun = phrase(", {} overruns", info.si_overrun or None)
    return name + how.format(
        sender=sender,
        value=value,
        timer=phrase(" {}", info.si_timerid),
        overrun=", 1 overrun" if info.si_overrun == 1 else overrun,
        child="a child" if info.si_pid is None else f"child {info.si_pid}",
        status=phrase(" with status {}", info.si_status),
        # ptrace(2) adds what happened above the signal's number.
        signal="" if info.si_status is None else f" by {name_of(info.si_status & 0x7F)}",
    )
