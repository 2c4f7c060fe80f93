"""How a program stops: ``shutdown``.

Law: the first signal asks, the second interrupts, and what is left is C's. What interrupts a block
is raised as a timeout's is, only where it is sure to reach the end of the block; there it ends.

Source: signal(7); "with" in the reference of the language.
"""

from __future__ import annotations

import errno
import sys
from _operator import attrgetter
from signal import SIGINT, SIGKILL, SIGSTOP, SIGTERM
from time import monotonic_ns

from sigcffi._changes.installed import require_main_thread
from sigcffi._core.arguments import index, nanoseconds, signal_number
from sigcffi._core.exits import exit_of, made
from sigcffi._core.ffi import check
from sigcffi._core.forking import in_child
from sigcffi._core.mainthread import run_due_handlers
from sigcffi._core.siginfo import SigInfo
from sigcffi._dispatch.action import Action
from sigcffi._handlers.sigaction import Replacing
from sigcffi._handlers.signal import cover_all
from sigcffi._shutdown.asked import Asked, AsyncShutdown
from sigcffi._shutdown.in_loop import in_loop
from sigcffi._shutdown.stages import INTERRUPTED, RUNNING, Stages
from sigcffi._time.limits import Limit, prepare
from sigcffi._time.schedule import NEVER, in_range, schedule
from sigcffi._time.shielding import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, SupportsIndex

    from sigcffi._core.arguments import Number
    from sigcffi._core.scope import SwallowingExit
    from sigcffi._shutdown.in_loop import InLoop

__all__ = ["ShutdownInterrupt", "shutdown"]

# Those that have begun and not ended. Changed in the main thread, by single steps.
_open: dict[shutdown, None] = {}


class ShutdownInterrupt(BaseException):
    """Interrupts a program that is to stop, and ends at the end of its ``shutdown`` block. Not an
    Exception, so that ``except Exception`` in the block does not stop it. ``shutdown`` is whose.
    """

    shutdown: shutdown | None = None


class shutdown(Asked, Limit):
    """A block in which some signals ask the program to stop: context manager, in event loops
    ``async with``.

    *signums* are signals; without any, SIGTERM and SIGINT. Within the block they go through
    stages, whichever of them comes:

    1. The first asks. The object is true from then on, at once and in every thread, also while
       Python is stuck in C code; ``wait``, ``fileno`` and ``address`` tell of it. ``request`` does
       the same. The program is to finish what it has begun, and to leave the block.
    2. The next, or *grace* seconds later (a number, 0 or more; None: there is no such time),
       interrupts: in synchronous code a ``ShutdownInterrupt`` is raised in the main thread within
       the block, as ``timeout`` interrupts, and ends at the block's end. A block of ``async with``
       is cancelled.
    3. The *force*-th after that (an int from 1 on; None: none does) ends the process by the
       signal's default action, taken in C, whatever Python is doing; and so it is ended
       *kill_after* seconds (a number, more than 0; None: never) after it was to be interrupted,
       unless Python has come to that. If faulthandler is enabled it prints tracebacks before.

    At the block's end all is as before. Blocks nest, and all go through their stages; one object is
    one block.

    In a forked child the block is closed, and the signals have the actions that they had before,
    unless *inherit* is true and the thread that is in the block has forked: then it begins anew
    there.

    Raises when it is made: ValueError for a number that is not a signal's, a negative time, NaN and
    *force* less than 1; OverflowError for an infinity, or a number that is too large; TypeError for
    what is no number; OSError (EINVAL) for a signal that cannot be handled. When it is entered:
    ValueError outside the main thread of the main interpreter, RuntimeError if it was entered
    before, in a coroutine without ``async``, and if the timeouts' signal has a handler; OSError:
    ENOSPC if a signal has eight actions or 16 blocks are open, EMFILE, EAGAIN as for ``timeout``.
    Nothing has changed then.

    Threads: the main thread enters and leaves it; any may ask it, wait for it and ``request``.

    Race conditions: as for ``timeout``. A signal that comes behind the last bytecode of the block
    has the action of before.
    """

    __slots__ = (
        "_force",
        "_grace",
        "_heard",
        "_kills",
        "_loop",
        "_replacing",
        "_signums",
        "_stages",
        "inherit",
    )

    def __init__(
        self,
        *signums: SupportsIndex,
        grace: Number | None = None,
        force: SupportsIndex | None = 2,
        kill_after: Number | None = None,
        inherit: bool = False,
    ) -> None:
        super().__init__(None)
        self._signums = frozenset(map(signal_number, signums or (SIGTERM, SIGINT)))
        self._grace = -1 if grace is None else in_range(nanoseconds(grace))
        self._kills = -1 if kill_after is None else in_range(nanoseconds(kill_after))
        self._force = 0 if force is None else index(force)
        if grace is not None and self._grace < 0:
            raise ValueError("grace must be non-negative")
        if kill_after is not None and self._kills <= 0:
            raise ValueError("kill_after must be positive")
        if force is not None and self._force < 1:
            raise ValueError("force must be at least 1")
        if self._force > 2**31 - 3:
            raise OverflowError("force is too large")
        if self._signums & {SIGKILL, SIGSTOP}:
            check(-errno.EINVAL)
        self.inherit: bool = inherit
        self._stages: Stages | None = None
        self._loop: InLoop | None = None
        self._replacing = Replacing(self._signums, _action)

    # ---- The block ----

    def __enter__(self) -> shutdown:
        require_main_thread()
        self._require_new()
        prepare()
        try:
            self._stand(sys._getframe(1))
        except RuntimeError:
            raise RuntimeError("in a coroutine a shutdown takes 'async with'") from None
        self._open()
        return self

    def _require_new(self) -> None:
        if self._number:
            raise RuntimeError("a shutdown can be entered once")

    def _open(self) -> None:
        schedule.opened = self._number = schedule.opened + 1
        try:
            self._attach()
            _open[self] = None
            self._replacing.__enter__()
            if self:  # it was asked before there was a handler
                self._look()
        except BaseException:
            self._close()
            raise

    def _attach(self) -> None:
        self._heard = 0
        self._stages = made(
            Stages, Stages.close, self._signums, self._grace, self._force, self._kills, self._tell
        )

    def _tell(self) -> None:
        if self._loop is not None:
            self._loop.call_soon()
        elif self._grace >= 0:
            schedule.ask(self._advance)

    def _renew(self) -> None:
        assert self._stages is not None
        self._stages.close()
        if self._entry is not None:
            schedule.remove(self)
        self._deadline = NEVER
        try:
            self._attach()
        except BaseException:
            self._close()
            raise

    def _close(self) -> bool:
        """End the block; whether what leaves it ends here."""
        self._leave()
        run_due_handlers()  # what has come has counted here, and is not for the former handler
        for each in list(_open):
            if each._number > self._number and self in _open:
                self._replacing._hand_down(each._replacing)
        self._replacing._undo_last()
        _open.pop(self, None)
        if self._stages is not None:
            self._stages.close()
        return self._comes_from_it(sys.exc_info()[1])

    __exit__: SwallowingExit = exit_of(attrgetter("_close"), swallows=True)

    async def __aenter__(self) -> AsyncShutdown:
        require_main_thread()
        self._require_new()
        loop = in_loop(self._advance)
        await loop.enter()
        self._loop = loop
        try:
            self._open()
            assert self._stages is not None
            return AsyncShutdown(self._stages)
        except BaseException:
            await loop.leave(None, None, None)
            raise

    async def __aexit__(self, kind: Any, error: Any, trace: Any, /) -> bool:
        assert self._loop is not None
        self._close()
        return await self._loop.leave(kind, error, trace)

    def _comes_from_it(self, error: BaseException | None) -> bool:
        if isinstance(error, BaseExceptionGroup):
            return all(map(self._comes_from_it, error.exceptions))
        return isinstance(error, ShutdownInterrupt) and error.shutdown is self

    def _interruption(self, passes_by: bool) -> BaseException:
        self._raised = schedule.opened
        if passes_by:
            self._leave()
        interrupt = ShutdownInterrupt("the program is to stop, and its block has not ended yet")
        interrupt.shutdown = self
        return interrupt

    def _becomes_due(self) -> None:
        """Python has come to the interruption."""
        self._begun().reach(INTERRUPTED)
        self._begun().seen()

    # ---- What comes ----

    def _hear(self, info: SigInfo) -> None:
        """One of the signals. Code that has saved and restored the handler through the standard
        module has brought back what runs in Python, and not what counts in C: that is put back.
        """
        self._heard += 1
        if self._heard > self._begun().counted():
            cover_all()
            self._begun().count(info)
        self._look()

    def _look(self) -> None:
        if self._loop is None:
            self._advance()
        else:
            self._loop.call_soon()

    def _advance(self) -> None:
        """Do what the stage asks for. Main thread; in a loop, within that."""
        stage = self._begun().stage
        if stage == RUNNING:
            return
        if stage >= INTERRUPTED:
            self._begun().seen()
        elif self._grace < 0:
            return
        wait = 0 if stage >= INTERRUPTED else self._grace
        if self._loop is not None:
            self._loop.cancel_in(wait, self._becomes_due)
            return
        now = monotonic_ns()
        if self._frame is not None and now + wait < self._deadline:
            self._deadline = now + wait
            if self._entry is not None:
                schedule.remove(self)
            self._schedule(now)

    # ---- What the program asks and wants ----

    def wait(self, timeout: Number | None = None) -> bool:
        """Sleep until the program is asked to stop, or the block has ended, for at most *timeout*
        seconds (a number; None: for ever); whether it was asked.

        ValueError before the block, for a negative timeout or NaN; OverflowError if it is too
        large, TypeError if it is not a number.

        Threads: any may wait; the others run on. In the main thread Python handlers run meanwhile,
        and what they raise ends the wait.
        """
        return self._begun().wait(timeout)

    def shield(self) -> Shield:
        """A block within this one, for what must finish: it is not interrupted, neither by this nor
        by a timeout around it. If it is to be, that comes at the shield's end. As
        ``timeout.shield``.
        """
        return Shield()

    def __repr__(self) -> str:
        names = ", ".join(str(signum) for signum in sorted(self._signums))
        return f"<shutdown by {names}, {self.stage}>"


def _came(info: SigInfo, frame: FrameType | None) -> None:
    """One of the signals: all that are open hear of it."""
    for each in list(_open):
        if info._signo in each._signums:
            each._hear(info)


# One for all: a block that begins within another one, or beside it, changes nothing.
_action = Action(_came)


def _begin_anew() -> None:
    """In a forked child: what has come is the parent's; and so is the block, if another thread than
    the one that is in it has forked.
    """
    for each in list(_open):
        if each.inherit and each._loop is None and schedule.thread:
            each._renew()
        else:
            each._close()


in_child(_begin_anew)
