"""The main thread: the one in which the interpreter runs Python handlers.

Law: tells C which thread that is, once, before a handler can be installed. Afterwards C keeps it up
to date by itself: a fork makes the forking thread the child's main thread, and a thread in which the
interpreter has let a handler be installed is the main thread, whatever was thought before.
"""

from __future__ import annotations

import os

from sigcffi._ffi import check, lib

__all__ = ["is_main_thread"]

is_main_thread = lib.sigcffi_is_main_thread


def _announce() -> None:
    if check(lib.sigcffi_start()) == 1:
        return  # another interpreter of this process has done it
    import threading

    main = threading.main_thread()
    # native_id is None for a main thread that threading has not seen start; the process's first
    # thread has the process's own id.
    lib.sigcffi_set_main_thread(main.ident or threading.get_ident(), main.native_id or os.getpid())


_announce()
