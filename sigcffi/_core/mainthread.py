"""The main thread: the one in which the interpreter runs Python handlers.

Law: C is told once which thread that is, before a handler can be installed. From then on C keeps it
up to date by itself: after a fork the forking thread is the child's main thread, and a thread in
which the interpreter has let a handler be installed is the main thread, whatever C had noted.

The interpreter itself enforces that only the main thread of the main interpreter installs handlers:
it alone knows all its threads and interpreters.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import atexit
import errno
import os
import sys
from _thread import get_ident

from sigcffi._core.ffi import check, lib

__all__ = ["LOOKS_LATE", "looking", "run_due_handlers"]

# CPython looks for due handlers after each call of a C function, so that a handler has run when a
# call that provoked it returns. PyPy looks when it next comes to it, unless it is asked.
LOOKS_LATE = sys.implementation.name == "pypy"


class _Looking:
    """How the interpreter looks for due handlers: ``late`` if it has to be asked. So it is also in
    a child that another thread than the main thread has forked: CPython from 3.13 on marks the
    former main thread, which is not there, and never looks by itself.
    """

    __slots__ = ("ident", "late")

    def __init__(self) -> None:
        self.ident = 0  # the main thread's
        self.late = LOOKS_LATE

    def in_child(self) -> None:
        if get_ident() != self.ident:
            self.ident = get_ident()
            self.late = True


looking = _Looking()


def run_due_handlers() -> None:
    """Run the Python handlers that are due, if this is the main thread."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, ())  # changes nothing, but looks


def _announce() -> None:
    known = lib.sigcffi_process_start()
    if known == -errno.EALREADY:
        return
    atexit.register(_let_go)
    if "t" in sys.abiflags:  # free-threaded
        lib.sigcffi_retry_interpreter_spins()
    os.register_at_fork(after_in_child=looking.in_child)
    looking.ident = get_ident()
    if not check(known):
        import threading  # rarely needed, and slow to import

        main = threading.main_thread()
        assert main.ident is not None
        looking.ident = main.ident
        lib.sigcffi_main_thread_set(main.ident, main.native_id or 0)


def _let_go() -> None:
    """Let in what full rings have held back: the interpreter is going to give signals their default
    action, and a signal that is let in later would end the process.
    """
    lib.sigcffi_resume_main_channel()


_announce()
