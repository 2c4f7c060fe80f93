"""Waiting for a signal: ``pause``, ``sigsuspend``; ``sigwait``, ``sigwaitinfo``, ``sigtimedwait``,
``sigdrain``.

Law: the first two wait for a handler and return after it, the others accept a signal without one.
A wait releases the interpreter to other threads, lets handlers of other signals run and then goes
on (PEP 475) until an absolute deadline.

Source: pause(2), sigsuspend(2), sigwaitinfo(2), POSIX.1-2008.
"""

from __future__ import annotations

import errno
import time

from sigcffi._core.arguments import index, nanoseconds
from sigcffi._core.ffi import NULL, check, lib, new_records
from sigcffi._core.mainthread import looking, run_due_handlers
from sigcffi._core.names import member
from sigcffi._core.siginfo import RECORD, SigInfo, decoded
from sigcffi._handlers.signal import cover_all
from sigcffi._masks.masks import Mask, word_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from signal import Signals
    from typing import Any, SupportsIndex

    from sigcffi._core.arguments import Number

__all__ = ["pause", "sigdrain", "sigsuspend", "sigtimedwait", "sigwait", "sigwaitinfo"]

_SIZE = lib.SIGCFFI_RECORD_SIZE
_TIME_OVER, _INTERRUPTED = -errno.EAGAIN, -errno.EINTR
_FOR_EVER = -1
_BATCH = 64  # records that one call can bring

_spare: list[Any] = []  # memory for a batch that no call uses now, as C has it and as Python


def pause() -> None:
    """Sleep until a signal has been handled in the calling thread; its Python handler has run by
    then if that is the main thread.

    Threads: each may wait for what the kernel gives to it. In the main thread a signal with a
    Python handler ends it whichever thread takes the signal.

    Race conditions: none for a signal with a Python handler. One that arrives after ``pause`` was
    called, but before it slept, makes it return. A signal that arrived before is no reason to wake:
    where a condition is awaited, block the signal, test the condition, and only then wait.

    Source: pause(2), POSIX.1-2008.
    """
    arrivals = lib.sigcffi_waits_begin()
    cover_all()
    lib.sigcffi_waits_pause(arrivals)
    if looking.late:
        run_due_handlers()


def sigsuspend(mask: Iterable[SupportsIndex], /) -> None:
    """Sleep with another signal mask until a signal has been handled in the calling thread, and
    have the former mask back. The masks are changed and the thread sleeps in one step.

    *mask* is the whole mask for that time, any iterable of signal numbers. In the main thread the
    Python handler has run when the call returns (with the former mask), and what it raises leaves
    it. It may also return without such a signal, so the way to wait without a race is:
    block, test, suspend, and test again.

        with blocked(SIGUSR1) as former:
            while not done:
                sigsuspend(former)

    Raises ValueError for a number that is not a signal's, TypeError for what is not an integer or
    not iterable, before anything has changed.

    Threads: it waits for signals that the kernel gives to the calling thread. A signal for the
    process may go to any that does not block it, so others should.

    Race conditions: none for a signal that was blocked before. One that was not, and arrives after
    ``sigsuspend`` was called but before it slept, makes it return, as with ``pause``.

    Source: sigsuspend(2), POSIX.1-2008.
    """
    arrivals = lib.sigcffi_waits_begin()
    word = mask._word if isinstance(mask, Mask) else word_of(mask)
    cover_all()
    lib.sigcffi_waits_sigsuspend(word, arrivals)
    if looking.late:
        run_due_handlers()


def _memory() -> Any:
    try:
        return _spare.pop()
    except IndexError:
        return new_records(_BATCH)


def _accept(word: int, wait: int, record: Any) -> int:
    """Accept one of the signals in *word* into *record*, within *wait* nanoseconds (for ever if
    negative): its number, or 0 when the time is over.
    """
    deadline = time.monotonic_ns() + wait if wait > 0 else 0
    while True:
        signum = lib.sigcffi_waits_accept(word, wait, record)
        if signum > 0:
            return signum
        if signum == _TIME_OVER:
            return 0
        if signum != _INTERRUPTED:
            check(signum)
        if looking.late:
            run_due_handlers()
        if wait > 0:
            wait = max(deadline - time.monotonic_ns(), 0)


def _wait(word: int, wait: int) -> SigInfo | None:
    """Accept one of the signals in *word* within *wait* nanoseconds, as an object; None when the
    time is over.
    """
    records, memory = buffer = _memory()
    accepted = _accept(word, wait, records)
    info = SigInfo(*RECORD.unpack_from(memory)) if accepted else None
    _spare.append(buffer)
    return info


def sigwait(sigset: Iterable[SupportsIndex]) -> Signals:
    """Wait for one of the signals in *sigset*, which should be blocked; accept and return it.

    *sigset* is any iterable of signal numbers. The handler of the signal does not run. Handlers of
    other signals run meanwhile, and what one raises ends the wait.

    Returns the signal: a member of ``Signals``, an int if it has none. Raises ValueError for a
    number that is not a signal's, TypeError for what is not an integer or not iterable.

    Threads: any may call it, for what is pending for the process or for that thread; the others run
    on. Of several that wait for one signal, one gets it.

    Source: sigwait(3), POSIX.1-2008.
    """
    return member(_accept(word_of(sigset), _FOR_EVER, NULL))


def sigwaitinfo(sigset: Iterable[SupportsIndex], /) -> SigInfo:
    """Wait like ``sigwait`` and return a ``SigInfo``: the seven fields of ``struct_siginfo``, the
    value that came with the signal, and more; ``time_ns`` is when it was accepted.

    *sigset* is any iterable of signal numbers, which should be blocked. Raises what ``sigwait``
    raises; if a handler of another signal raises, its exception ends the wait.

    Threads: any may call it, as ``sigwait``.

    Source: sigwaitinfo(2), POSIX.1-2008.
    """
    info = _wait(word_of(sigset), _FOR_EVER)
    assert info is not None
    return info


def sigtimedwait(sigset: Iterable[SupportsIndex], timeout: Number, /) -> SigInfo | None:
    """Like ``sigwaitinfo``, for at most *timeout* seconds (a number, rounded up to
    nanoseconds; 0: do not wait).

    *sigset* is any iterable of signal numbers, which should be blocked. Returns a ``SigInfo``, or
    None when the time is over.

    Raises ValueError for a negative timeout or NaN and for a number that is not a signal's,
    OverflowError for a timeout that is too large, TypeError for one that is not a number, and for a
    signal that is not an integer.

    Threads: any may call it, as ``sigwait``.

    Source: sigtimedwait(2), POSIX.1-2008.
    """
    word, wait = word_of(sigset), nanoseconds(timeout)
    if not -(2**63) <= wait < 2**63:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    if wait < 0:
        raise ValueError("timeout must be non-negative")
    return _wait(word, wait)


def sigdrain(sigset: Iterable[SupportsIndex], *, max: SupportsIndex | None = None) -> list[SigInfo]:
    """Accept all signals in *sigset* that are pending, at most *max* of them; never waits.

    They are accepted as ``sigtimedwait`` accepts one, without their handlers, many by one call to
    C: of each signal in the order in which it was queued, and of several the lower number first.
    The signals should be blocked: one that is not is handled as ever, and never pending for long.

    Returns a list of ``SigInfo``, empty if nothing is there. Where senders may be quicker than this
    program, *max* sees to it that it comes to an end.

    Raises ValueError for a number that is not a signal's and for a negative *max*, TypeError for
    what is not an integer; nothing has been accepted then. If a handler of another signal raises
    meanwhile, its exception leaves this call, and what has just been accepted is gone with it:
    block that signal too, or use a receiver.

    Threads: any may call it: for what is pending for the process or for that thread.

    Source: sigtimedwait(2), POSIX.1-2008.
    """
    word, left = word_of(sigset), None if max is None else index(max)
    if left is not None and left < 0:
        raise ValueError("max must be non-negative")
    infos: list[SigInfo] = []
    records, memory = buffer = _memory()
    while True:
        room = _BATCH if left is None or left > _BATCH else left
        count = check(lib.sigcffi_waits_drain(word, records, room))
        infos += decoded(memory[: count * _SIZE])
        if count < room or count == 0:
            break
        if left is not None:
            left -= count
    _spare.append(buffer)
    return infos
