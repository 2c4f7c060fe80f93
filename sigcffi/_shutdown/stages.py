"""The stage of a shutdown: ``Stages``.

Law: a number in C, which signals and the program make larger; nothing makes it smaller. 0: the
program runs; 1: it drains; 2 and more: it is to be interrupted. A descriptor can be read from stage
1 on, and nobody reads from it. What has come first is the reason, and is known in every thread as
soon as the stage is.
"""

from __future__ import annotations

import errno
import os

from sigcffi._attached.attaching import Attachment, new_cell
from sigcffi._attached.loops import Watches, trio_here
from sigcffi._core.exits import made
from sigcffi._core.ffi import address_of, check, lib, new_records, view
from sigcffi._core.siginfo import RECORD, SigInfo
from sigcffi._dispatch.changing import changing
from sigcffi._dispatch.sections import undisturbed
from sigcffi._waits.sleeping import sleep_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sigcffi._core.arguments import Number

__all__ = ["DRAINING", "INTERRUPTED", "RUNNING", "Stages"]

RUNNING, DRAINING, INTERRUPTED = range(3)


class _Stage(Attachment):
    """Counts a signal in the stage of a shutdown, until ``close``."""

    __slots__ = ()
    _kind = lib.SIGCFFI_SLOT_SHUTDOWN


class Stages:
    __slots__ = (
        *("_asked", "_attached", "_came", "_cell", "_ends", "_number", "_value", "_watches"),
        *("_tell", "address", "signums"),
    )

    def __init__(
        self,
        signums: frozenset[int],
        grace: int,
        force: int,
        kill: int,
        tell: Callable[[], object],
    ) -> None:
        """*grace* and *kill* in nanoseconds, less than 0 for none. *tell* is called, in any thread,
        when the program has asked.
        """
        self.signums = signums
        self._attached: list[_Stage] = []
        self._ends: list[int] = []  # of a pipe
        self._asked: dict[str, object] = {}  # the reason, if the program is what has come first
        self._came: SigInfo | None = None
        self._tell = tell
        self._cell = self._number = -1
        self._watches = Watches(self._count, self._copy)
        try:
            with undisturbed:
                self._cell = new_cell()
                pointer = lib.sigcffi_flags_cell(self._cell)
                self._value = view(pointer, 1, "i")
                self.address: int = address_of(pointer)
                self._ends.extend(os.pipe())
                self._number = number = check(lib.sigcffi_shutdowns_open(grace, kill, force))
            for end in self._ends:
                os.set_blocking(end, False)
            for signum in sorted(signums):
                stage = made(_Stage, _Stage.close, signum, False, self._ends[1], self._cell, number)
                self._attached.append(stage)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        if lib and self._cell >= 0:  # no lib: the interpreter has ended, and emptied its modules
            with undisturbed:  # what strikes here would get lost
                self.close()
            lib.sigcffi_flags_free(self._cell)

    # ---- What has come ----

    @property
    def stage(self) -> int:
        stage: int = self._value[0]
        return stage

    @property
    def reason(self) -> object:
        """What has come first: a SigInfo, or what the program has said. None if nothing has."""
        came = self.came
        return self._asked.get("reason") if came is None else came

    @property
    def came(self) -> SigInfo | None:
        """The signal that has come first; None if none has, or the program was first."""
        while self._number >= 0 and self._came is None and self.stage:
            self._came = self._first()
            if self._asked:
                break
            os.sched_yield()  # the thread that has taken the first signal is just writing it
        return self._came

    def _first(self) -> SigInfo | None:
        record, memory = new_records(1)
        with changing:  # it may be ending
            if self._number < 0 or not lib.sigcffi_shutdowns_first(self._number, record):
                return None
        return SigInfo(*RECORD.unpack_from(memory, 0))

    def counted(self) -> int:
        """How many signals C has seen."""
        return sum(attached._tallies()[0] for attached in self._attached)

    def count(self, info: SigInfo) -> None:
        """The next stage, by a signal that C has not seen. Main thread."""
        with undisturbed, changing:
            stage = self.stage
            if stage == RUNNING:
                self._came = info
            if self._ends and self.reach(stage + 1) and stage == RUNNING:
                os.write(self._ends[1], b"\0")

    # ---- What the program does ----

    def request(self, reason: object) -> None:
        """Drain, unless that has begun."""
        if self.stage == RUNNING and self._number >= 0:
            # Before anybody can ask for it; of two threads the first counts.
            self._asked.setdefault("reason", reason)
            with undisturbed, changing:  # it may be ending
                if self._ends and self.reach(DRAINING):
                    os.write(self._ends[1], b"\0")
                    self._tell()

    def reach(self, stage: int) -> bool:
        """The program has come to a stage by itself. Whether that is new. In the main thread, or
        while the block is kept from ending.
        """
        return self._number >= 0 and lib.sigcffi_shutdowns_raise(
            self._number, self._cell, stage, min(self.signums)
        )

    def seen(self) -> None:
        """Python sees that the program is to be interrupted: C need not end it."""
        if self._number >= 0:
            lib.sigcffi_shutdowns_seen(self._number)

    # ---- Waiting ----

    def wait(self, timeout: Number | None) -> bool:
        first = self._attached[0] if self._attached else None

        def sleep(arrivals: int, left: int) -> None:
            if first is not None:
                lib.sigcffi_sleep_until_set(first.signum, first._handle, arrivals, left)

        sleep_until(lambda: True if self._count() else None, sleep, timeout)
        return self.stage > RUNNING

    async def wait_in_loop(self) -> None:
        trio = trio_here()
        if trio is not None:
            await trio.checkpoint()
        while self._count() == 0:
            await self._watches.readable(trio)

    def fileno(self) -> int:
        if not self._ends:
            raise ValueError("the shutdown has ended, or not begun")
        return self._ends[0]

    def _count(self) -> int:
        return self.stage or (0 if self._number >= 0 else -1)

    def _copy(self) -> int:
        try:
            return os.dup(self._ends[0])
        except (IndexError, OSError):  # it is just being closed
            return -errno.EBADF

    # ---- The end ----

    def close(self) -> None:
        """No signal changes it any more; a second time changes nothing."""
        while self._attached:
            self._attached[-1].close()
            self._attached.pop()
        self.came  # noqa: B018  # which C forgets
        with undisturbed, changing:  # a thread may be asking
            if self._number >= 0:
                lib.sigcffi_shutdowns_close(self._number)
                self._number = -1
            while self._ends:
                # The writing end first: loops that watch a copy of the other see that it is over.
                os.close(self._ends.pop())
        self._watches.close()
