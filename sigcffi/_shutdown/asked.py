"""What any thread may ask a shutdown, and say to it: ``Asked``, ``AsyncShutdown``.

Law: nothing here waits for the main thread, or changes what is done about a signal.
"""

from __future__ import annotations

from sigcffi._changes.installed import require_main_thread
from sigcffi._core.ffi import lib
from sigcffi._core.scope import Single
from sigcffi._shutdown.stages import DRAINING, RUNNING, Stages

__all__ = ["Asked", "AsyncShutdown"]

_NAMES = {RUNNING: "running", DRAINING: "draining"}


class Asked(Single):
    """What any thread may ask and say."""

    __slots__ = ()
    _stages: Stages | None

    def __bool__(self) -> bool:
        return self._stages is not None and self._stages.stage > RUNNING

    @property
    def stage(self) -> str:
        """How far it is: "running", "draining", or "interrupted"."""
        return _NAMES.get(0 if self._stages is None else self._stages.stage, "interrupted")

    @property
    def reason(self) -> object:
        """The ``SigInfo`` of the signal that came first, or what ``request`` was given; None
        before.
        """
        return None if self._stages is None else self._stages.reason

    @property
    def address(self) -> int:
        """Where the stage is in memory, a C int that is not 0 once the program is to stop: for code
        without Python, which must read it by ``volatile`` or an atomic load, as it must a flag. It
        can be read as long as this object exists. ValueError before the block.
        """
        return self._begun().address

    def fileno(self) -> int:
        """A descriptor that can be read once the program is to stop: for select, poll and event
        loops. Nobody is to read from it. ValueError before and after the block.
        """
        return self._begun().fileno()

    def request(self, reason: object = None) -> None:
        """Ask the program to stop, as the first signal does; without effect if it was asked before,
        or the block has ended. *reason* can be any object.

        Any thread may call it, a handler too.
        """
        self._begun().request(reason)

    def exit(self) -> None:
        """End the program as the signal would have: by SystemExit, and when everything that Python
        and C libraries do at the exit has been done, by the signal's default action. So the parent
        sees a death by this signal. (The first process of a PID namespace, which the kernel spares
        that, exits with 128 plus the signal's number.) If no signal has come first, with status 0.

        However the program then ends, it ends so, unless by ``os._exit``. ValueError outside the
        main thread.
        """
        require_main_thread()
        info = None if self._stages is None else self._stages.came
        if info is None:
            raise SystemExit(0)
        lib.sigcffi_shutdowns_end_at_exit(info._signo)
        raise SystemExit(128 + info._signo)

    def _begun(self) -> Stages:
        if self._stages is None:
            raise ValueError("the shutdown has not begun")
        return self._stages


class AsyncShutdown(Asked):
    """What ``async with shutdown(...)`` gives: as ``shutdown``, but ``wait`` is to be awaited. Made
    by ``shutdown``.

    Threads: ``wait`` is the event loop's, ``exit`` the main thread's; all else any may call.
    """

    __slots__ = ("_stages",)

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def wait(self) -> None:
        """Wait until the program is asked to stop, or the block has ended; any task may."""
        stages = self._begun()
        await stages.wait_in_loop()

    def __repr__(self) -> str:
        return f"<AsyncShutdown, {self.stage}>"
