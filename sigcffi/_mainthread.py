"""The main thread: the one in which the interpreter runs Python handlers.

Law: tells C which thread that is, once, before a handler can be installed. From then on C keeps it
up to date by itself: a fork makes the forking thread the child's main thread, and a thread in which
the interpreter has let a handler be installed is the main thread, whatever was thought before.

The rule itself, that only the main thread of the main interpreter may install a handler, is
enforced by the interpreter: no other knows all its threads and interpreters.
"""

from __future__ import annotations

from sigcffi._ffi import check, lib

__all__: list[str] = []


def _announce() -> None:
    if check(lib.sigcffi_start()) == 1:
        return
    import threading  # rarely needed, and slow to import

    main = threading.main_thread()
    assert main.ident is not None
    lib.sigcffi_set_main_thread(main.ident, main.native_id or 0)


_announce()
