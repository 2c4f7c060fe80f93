"""Signals by the thousand, and one at the right moment: ``flood``, ``send_when_blocked_in``.

Law: a thread of its own sends, and takes none of the signals; no signal is sent that would end the
program.

Source: proc_pid_syscall(5), tgkill(2), sigqueue(3).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import threading
from contextlib import contextmanager
from itertools import islice
from signal import SIG_BLOCK
from time import monotonic, sleep

from sigcffi._core import sending
from sigcffi._core.arguments import index, signal_number
from sigcffi._core.ffi import lib
from sigcffi._core.mainthread import run_due_handlers
from sigcffi._core.names import name_of
from sigcffi._masks.blocking import blocked
from sigcffi._masks.masks import valid_signals
from sigcffi._testing.kernel import has_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import SupportsIndex

__all__ = ["flood", "send_when_blocked_in"]

_PAUSE = 0.0005  # between two looks at what nothing announces

# Functions, by their usual names, and the system calls by which some C library does them.
_CALLS = {
    "read": "read",
    "readv": "readv",
    "pread": "pread64",
    "write": "write",
    "writev": "writev",
    "recv": "recvfrom",
    "recvmsg": "recvmsg",
    "send": "sendto",
    "sendmsg": "sendmsg",
    "accept": "accept accept4",
    "connect": "connect",
    "poll": "poll ppoll ppoll_time64",
    "select": "select _newselect pselect6 pselect6_time64",
    "epoll_wait": "epoll_wait epoll_pwait",
    "futex": "futex futex_time64",
    "sleep": "nanosleep clock_nanosleep clock_nanosleep_time64",
    "wait": "wait4 waitid",
    "pause": "pause rt_sigsuspend ppoll",
    "sigsuspend": "rt_sigsuspend",
    "sigwait": "rt_sigtimedwait rt_sigtimedwait_time64",
    "flock": "flock",
    "fcntl": "fcntl fcntl64",
    "open": "open openat",
}


def flood(
    signum: SupportsIndex,
    count: SupportsIndex,
    senders: SupportsIndex = 1,
    values: Iterable[SupportsIndex] | None = None,
) -> None:
    """Queue *count* signals to this process, as fast as they are taken, and return when the last
    one has been sent.

    As many threads as *senders* says send at once, each some of *values*, C ints, in their order:
    sender number s those with the numbers s, s + senders, and so on. Without *values* they are
    0, 1, 2, ... While the kernel's queue is full (RLIMIT_SIGPENDING, of all processes of a user)
    they wait: so somebody must take the signals meanwhile. Of a standard signal that is pending
    already the kernel keeps no second one.

    An exception of a handler comes out of it, when those are handled that were sent until then, and
    no more are sent.

    Raises ValueError for a number that is not a signal's, for a negative count, for no senders, for
    too few values, and for a signal that has no handler and is not blocked; OverflowError for what
    does not fit a C int; NotImplementedError where there is no sigqueue(3). Nothing was sent then.

    Threads: any may call it. In the main thread, handlers run within the call.
    """
    number = signal_number(signum)
    many, threads = index(count), index(senders)
    if many < 0 or threads < 1:
        raise ValueError("count must not be negative, and there must be a sender")
    sent = list(range(many)) if values is None else [index(each) for each in islice(values, many)]
    if len(sent) < many:
        raise ValueError(f"there are {len(sent)} values for {many} signals")
    if any(not -(2**31) <= value < 2**31 for value in sent):
        raise OverflowError("Python int too large to convert to C int")
    if not lib.SIGCFFI_HAS_SIGQUEUE:
        raise NotImplementedError("there is no sigqueue(3) here")
    _refuse_deadly(number)
    over = threading.Event()

    def send(mine: list[int]) -> None:
        for value in mine:
            while not over.is_set():
                try:
                    sending.sigqueue(os.getpid(), number, value)
                    break
                except BlockingIOError:
                    sleep(_PAUSE)

    at_work = [_thread(send, sent[each::threads]) for each in range(threads)]
    try:
        _start(at_work)
        for thread in at_work:
            thread.join()
    finally:
        over.set()
        for thread in at_work:
            if thread.is_alive():
                thread.join()
    run_due_handlers()


def send_when_blocked_in(
    thread: threading.Thread,
    call: str,
    signum: SupportsIndex,
    *,
    value: SupportsIndex | None = None,
    timeout: float = 10.0,
) -> AbstractContextManager[None]:
    """A context manager: within the block, as soon as *thread* sleeps in a system call, send it a
    signal, once.

        with send_when_blocked_in(threading.current_thread(), "read", SIGALRM):
            os.read(fd, 1)  # is interrupted

    The thread may be the one that enters the block. At the block's end the signal has been sent;
    if the thread is another one, that is waited for. *call* is one of: read, readv, pread, write,
    writev, recv, recvmsg, send, sendmsg, accept, connect, poll, select, epoll_wait, futex (locks),
    sleep, wait, pause, sigsuspend, sigwait, flock, fcntl, open; whichever system call the C library
    has for it. With a *value*, a C int, the signal is queued.

    Raises at once ValueError for a call that is none of these, for a thread that was not started,
    and for a signal that has no handler and is not blocked; TypeError for what is no thread;
    NotImplementedError where the kernel does not tell in /proc/self/task/TID/syscall where threads
    sleep (other systems than Linux, some sandboxes). At the block's end: TimeoutError if the thread
    was not seen asleep there within *timeout* seconds, ProcessLookupError if it has ended. An
    exception of the block ends the waiting.

    Threads: any may enter it.

    Race conditions: a thread that is seen asleep may be just about to wake up.

    Source: proc_pid_syscall(5), tgkill(2).
    """
    number = signal_number(signum)
    sent = None if value is None else index(value)
    if not isinstance(thread, threading.Thread):
        raise TypeError("the thread must be a threading.Thread")
    if call not in _CALLS:
        raise ValueError(f"the call must be one of {', '.join(_CALLS)}, not {call!r}")
    if not timeout > 0:
        raise ValueError("the timeout must be positive")
    if thread.native_id is None:
        raise ValueError("the thread was not started")
    if not os.path.exists(f"/proc/self/task/{threading.get_native_id()}/syscall"):
        raise NotImplementedError("there is no /proc/self/task/TID/syscall, by which to see it")
    _refuse_deadly(number)
    numbers = {getattr(lib, f"SYS_{name}") for name in _CALLS[call].split()}
    numbers.discard(lib.SIGCFFI_ABSENT)
    return _sender(thread, call, numbers, number, sent, timeout)


@contextmanager
def _sender(
    thread: threading.Thread,
    call: str,
    numbers: set[int],
    signum: int,
    value: int | None,
    timeout: float,
) -> Iterator[None]:
    over = threading.Event()
    tid = thread.native_id or 0
    outcome: OSError | None = TimeoutError(f"{thread.name} was not seen asleep in {call}")

    def send() -> None:
        nonlocal outcome
        end = monotonic() + timeout
        while not over.is_set() and monotonic() < end:
            try:
                if _sleeps_in(tid) in numbers:
                    sending.send_to_thread(os.getpid(), tid, signum, value)
                    outcome = None
                    return
            except BlockingIOError:
                pass  # the queue is full
            except (FileNotFoundError, ProcessLookupError):
                outcome = ProcessLookupError(f"{thread.name} has ended")
                return
            sleep(_PAUSE)

    sender = _thread(send)
    try:
        _start([sender])
        yield
        if thread is threading.current_thread():
            over.set()  # it comes there no more
        sender.join()
    finally:
        over.set()
        if sender.is_alive():
            sender.join()
    if outcome is not None:
        raise outcome


def _sleeps_in(tid: int) -> int | None:
    """The number of the system call in which a thread sleeps; None if it runs."""
    with open(f"/proc/self/task/{tid}/syscall", "rb") as file:
        first = file.read().split()[0]
    return None if first == b"running" else int(first)


def _thread(function: Callable[..., None], *arguments: object) -> threading.Thread:
    return threading.Thread(target=function, args=arguments, name="sigcffi.testing", daemon=True)


def _start(threads: list[threading.Thread]) -> None:
    """They block all signals, as the calling thread does meanwhile: no handler's exception strikes
    where one has begun and Python does not know.
    """
    with blocked(*valid_signals()):
        for thread in threads:
            thread.start()


def _refuse_deadly(signum: int) -> None:
    if not has_handler(signum) and signum not in _signal.pthread_sigmask(SIG_BLOCK, ()):
        raise ValueError(f"{name_of(signum)} has no handler")
