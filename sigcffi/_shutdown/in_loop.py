"""A shutdown in an event loop: what cancels its block, and when.

Law: asyncio's own timeout, and trio's own cancel scope, cancel and tell what was cancelled; here is
only said when. Imports neither. The handler runs in the main thread between two bytecodes, perhaps
of the loop, so it does nothing but ask the loop to call.
"""

from __future__ import annotations

import sys

from sigcffi._attached.loops import running_loop, trio_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class InLoop(Protocol):
        """The block of a task."""

        async def enter(self) -> None: ...

        async def leave(self, kind: Any, error: Any, trace: Any) -> bool:
            """The block has ended; whether what leaves it ends here."""

        def call_soon(self) -> None:
            """Have the loop look at the stage. In a handler, too."""

        def cancel_in(self, wait: int, is_due: Callable[[], None]) -> None:
            """Cancel the block in so many nanoseconds, or sooner, if that was said before. Called
            by the loop.
            """


__all__ = ["in_loop"]


class _Asyncio:
    __slots__ = ("_advance", "_loop", "_over", "_scope", "_timer", "_when")

    def __init__(self, loop: Any, advance: Callable[[], None]) -> None:
        self._advance = advance
        self._loop = loop
        self._over = False
        self._scope = sys.modules["asyncio"].timeout(None)
        self._timer: Any = None
        self._when = 0.0  # by the loop's clock; the handles of some loops do not tell

    async def enter(self) -> None:
        await self._scope.__aenter__()

    async def leave(self, kind: Any, error: Any, trace: Any) -> bool:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError:  # in the place of the cancellation, if that was its own
            return True
        return False

    def call_soon(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if not self._over:
            self._advance()

    def cancel_in(self, wait: int, is_due: Callable[[], None]) -> None:
        if self._scope.expired():
            return
        when = self._loop.time() + wait / 1e9
        if self._timer is not None:
            if self._when <= when:
                return
            self._timer.cancel()
        self._when = when
        self._timer = self._loop.call_at(when, self._cancel, is_due)

    def _cancel(self, is_due: Callable[[], None]) -> None:
        is_due()
        if not self._scope.expired():
            self._scope.reschedule(self._loop.time())


class _Trio:
    __slots__ = ("_advance", "_grace", "_over", "_scope", "_token", "_trio")

    def __init__(self, trio: Any, advance: Callable[[], None]) -> None:
        self._advance = advance
        self._grace: Any = None
        self._over = False
        self._trio = trio
        self._scope = trio.CancelScope()
        self._token = trio.lowlevel.current_trio_token()

    async def enter(self) -> None:
        await self._trio.lowlevel.checkpoint()
        self._scope.__enter__()

    async def leave(self, kind: Any, error: Any, trace: Any) -> bool:
        self._over = True
        if self._grace is not None:
            self._grace.cancel()
        swallowed: bool = self._scope.__exit__(kind, error, trace)
        return swallowed

    def call_soon(self) -> None:
        try:
            self._token.run_sync_soon(self._look)
        except self._trio.RunFinishedError:
            return

    def _look(self) -> None:
        if not self._over:
            self._advance()

    def cancel_in(self, wait: int, is_due: Callable[[], None]) -> None:
        if wait == 0:
            is_due()
            self._scope.cancel()
        elif self._grace is None:
            self._grace = self._trio.CancelScope()
            self._trio.lowlevel.spawn_system_task(self._after, wait, is_due)

    async def _after(self, wait: int, is_due: Callable[[], None]) -> None:
        with self._grace:
            await self._trio.sleep(wait / 1e9)
            self.cancel_in(0, is_due)


def in_loop(advance: Callable[[], None]) -> InLoop:
    """For a block of the running task; *advance* is what the loop calls to look at the stage.
    RuntimeError where neither asyncio nor trio runs.
    """
    if trio_here() is not None:
        return _Trio(sys.modules["trio"], advance)
    return _Asyncio(running_loop(), advance)
