"""Sending signals: ``pthread_kill``, ``sigqueue``, ``pthread_sigqueue``, ``pidfd_send_signal``.

Law: a call either sends exactly one signal or raises and sends none.

Source: pthread_kill(3), sigqueue(3), pthread_sigqueue(3), pidfd_send_signal(2).
"""

from __future__ import annotations

import sys

from sigcffi._core.arguments import index
from sigcffi._core.ffi import check, lib
from sigcffi._core.mainthread import looking, run_due_handlers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import SupportsIndex

__all__ = ["pthread_kill"]


def pthread_kill(thread_id: SupportsIndex, signalnum: SupportsIndex, /) -> None:
    """Send a signal to a thread of this process; 0 only checks.

    *thread_id* is a ``threading.Thread.ident``. A Python handler runs in the main thread all the
    same; what this can do is interrupt a system call in the given thread.

    Raises OSError: EINVAL for a number that is not a signal's, ESRCH (ProcessLookupError) for a
    thread that is known to have ended; OverflowError for a number that does not fit a C int,
    TypeError for what is not an integer. Raises the auditing event ``signal.pthread_kill``.

    Threads: any may call it, also for itself.

    Race conditions: an ident may be used again after its thread has ended, and one that never was
    an ident is as good as a wild pointer.

    Source: pthread_kill(3), POSIX.1-2008.
    """
    thread, signum = index(thread_id) & _ULONG_MAX, index(signalnum)
    sys.audit("signal.pthread_kill", thread, signum)
    check(lib.sigcffi_sending_pthread_kill(thread, signum))
    if looking.late:
        run_due_handlers()


_ULONG_MAX = 2 * sys.maxsize + 1  # idents of C threads may look negative

if lib.SIGCFFI_HAS_SIGQUEUE:
    __all__ += ["sigqueue"]

    def sigqueue(pid: SupportsIndex, signum: SupportsIndex, value: SupportsIndex = 0) -> None:
        """Queue a signal to a process, with a value; signal 0 only checks.

        *pid* is a C int above 0: one process, never a group as with kill(2). *value* is a C int,
        from -2**31 to 2**31 - 1; the receiver finds it in ``si_value`` of a ``SigInfo`` (C:
        ``si_value.sival_int``). A real-time signal arrives as often as it was queued, in order; of
        a standard signal that is pending already, no second one is kept, and no error says so.

        Raises BlockingIOError (EAGAIN) for a real-time signal when the receiver's user has too many
        pending (RLIMIT_SIGPENDING; a standard signal is sent without its value then),
        ProcessLookupError for a process that does not exist, PermissionError, OSError (EINVAL) for
        a number that is not a signal's; OverflowError for what does not fit a C int, TypeError for
        what is not an integer. Raises the auditing event ``sigcffi.sigqueue`` with the arguments.

        Threads: any may call it. Which thread of the receiver takes the signal is left to
        the kernel: one that does not block it.

        Race conditions: a process id may be used again after its process has been waited for;
        ``pidfd_send_signal`` cannot meet another process.

        Source: sigqueue(3), POSIX.1-2008.
        """
        process, number, sent = index(pid), index(signum), index(value)
        sys.audit("sigcffi.sigqueue", process, number, sent)
        check(lib.sigcffi_sending_sigqueue(process, number, sent))
        if looking.late:
            run_due_handlers()


if lib.SIGCFFI_HAS_PTHREAD_SIGQUEUE:
    __all__ += ["pthread_sigqueue"]

    def pthread_sigqueue(
        thread_id: SupportsIndex, signum: SupportsIndex, value: SupportsIndex = 0
    ) -> None:
        """Queue a signal to a thread of this process, with a value; signal 0 only checks.

        *thread_id* is a ``threading.Thread.ident``, *value* a C int as for ``sigqueue``. A Python
        handler runs in the main thread all the same.

        Raises what ``sigqueue`` raises, except PermissionError; ProcessLookupError for a thread
        that is known to have ended. Raises the auditing event ``sigcffi.pthread_sigqueue`` with the
        arguments.

        Threads: any may call it, also for itself.

        Race conditions: as for ``pthread_kill``.

        Source: pthread_sigqueue(3), of glibc.
        """
        thread, number, sent = index(thread_id) & _ULONG_MAX, index(signum), index(value)
        sys.audit("sigcffi.pthread_sigqueue", thread, number, sent)
        check(lib.sigcffi_sending_pthread_sigqueue(thread, number, sent))
        if looking.late:
            run_due_handlers()


if lib.SIGCFFI_HAS_PIDFD:
    __all__ += ["pidfd_send_signal"]

    def pidfd_send_signal(
        pidfd: SupportsIndex,
        signalnum: SupportsIndex,
        siginfo: None = None,
        flags: SupportsIndex = 0,
        /,
    ) -> None:
        """Send a signal to the process behind a pidfd, which cannot be confused with another.

        *pidfd* is a descriptor of ``os.pidfd_open``; *siginfo* must be None; *flags* are reserved
        and must be 0. Signal 0 only checks.

        Raises OSError: EBADF if *pidfd* is not one, EINVAL for a number that is not a signal's and
        for flags; ProcessLookupError if its process has ended, PermissionError; OverflowError for
        what does not fit a C int, TypeError for what is not an integer and for a *siginfo*.

        Threads: any may call it.

        Source: pidfd_send_signal(2), of Linux.
        """
        descriptor, signum, options = index(pidfd), index(signalnum), index(flags)
        if siginfo is not None:
            raise TypeError("siginfo must be None")
        check(lib.sigcffi_sending_pidfd_send_signal(descriptor, signum, options))


def pidfd_open(pid: int, *, thread: bool = False) -> int:
    """A descriptor that holds on to a process, or to one thread: what is sent by it meets no other.

    It can be read when that has ended. Raises OSError: ESRCH (ProcessLookupError), EINVAL for a
    thread before Linux 6.9, ENOSYS or EPERM where there are no such descriptors.
    """
    return check(lib.sigcffi_sending_pidfd_open(pid, thread))


def send_by(pidfd: int, signum: int, value: int | None) -> None:
    """Send a signal by a descriptor of ``pidfd_open``: queue it, if there is a value."""
    if value is None:
        check(lib.sigcffi_sending_pidfd_send_signal(pidfd, signum, 0))
    else:
        check(lib.sigcffi_sending_pidfd_queue(pidfd, signum, value))


def send_to_thread(pid: int, tid: int, signum: int, value: int | None) -> None:
    """Send a signal to a thread that has this number in a process that has that: queue it, if there
    is a value.
    """
    if value is None:
        check(lib.sigcffi_sending_tgkill(pid, tid, signum))
    else:
        check(lib.sigcffi_sending_tgqueue(pid, tid, signum, value))
