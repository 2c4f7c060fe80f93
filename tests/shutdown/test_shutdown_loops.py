"""``shutdown`` in event loops: its block is cancelled as the loop cancels."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
import trio
from support import disposition, in_thread, join

import sigcffi as signal
from sigcffi import AsyncShutdown, SigInfo, shutdown

S, T = signal.SIGUSR1, signal.SIGUSR2
HERE = os.getpid()
Main = Callable[[], Coroutine[Any, Any, Any]]


def anyio_on(backend: str) -> Callable[[Main], Any]:
    return lambda main: anyio.run(main, backend=backend)


LOOPS = {
    "asyncio": lambda main: asyncio.run(main()),
    "trio": trio.run,
    "anyio_asyncio": anyio_on("asyncio"),
    "anyio_trio": anyio_on("trio"),
}
if importlib.util.find_spec("uvloop"):
    LOOPS["uvloop"] = lambda main: importlib.import_module("uvloop").run(main())
run_in_each = pytest.mark.parametrize(
    "run", [pytest.param(run, id=name) for name, run in LOOPS.items()]
)


def send(signum: int = S) -> None:
    os.kill(HERE, signum)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


@run_in_each
def test_the_first_asks_and_all_tasks_that_wait_go_on(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        told = []

        async def task(stop: AsyncShutdown) -> None:
            await stop.wait()
            told.append(stop.stage)

        async with shutdown(S) as stop:
            assert (bool(stop), stop.stage) == (False, "running")
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(task, stop)
                await anyio.sleep(0)
                thread = in_thread(lambda: os.kill(HERE, S))
            join(thread)
            assert isinstance(stop.reason, SigInfo)
            assert stop.reason.si_pid == HERE
            await stop.wait()
        assert told == ["draining"] * 3
        await stop.wait()

    before = disposition(S)
    run(main)
    assert disposition(S) == before


@run_in_each
@pytest.mark.parametrize("grace", [None, 0.01])
def test_the_block_is_cancelled_and_ends(run: Callable[[Main], Any], grace: float | None) -> None:
    async def main() -> None:
        cleaned = []
        async with shutdown(S, grace=grace) as stop:
            send()
            try:
                await anyio.sleep(0)
                if grace is None:
                    thread = in_thread(lambda: os.kill(HERE, S))
                await anyio.sleep_forever()
            finally:
                cleaned.append(stop.stage)
        if grace is None:
            join(thread)
        assert cleaned == ["interrupted"]
        await anyio.sleep(0)  # nothing is cancelled any more

    run(main)


@run_in_each
def test_a_request_of_another_thread_wakes_and_cancels(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        async with shutdown(S, grace=0.01) as stop:
            thread = in_thread(lambda: stop.request("enough"))
            await stop.wait()
            assert stop.reason == "enough"
            await anyio.sleep_forever()
        join(thread)
        assert stop.stage == "interrupted"

    run(main)


@run_in_each
def test_an_exception_of_the_program_leaves_the_block(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        with pytest.raises(LookupError):
            async with shutdown(S) as stop:
                send()
                await stop.wait()
                raise LookupError

    run(main)


@run_in_each
def test_a_cancellation_from_outside_is_not_its_own(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        with anyio.move_on_after(0.01) as outside:
            async with shutdown(S) as stop:
                await anyio.sleep_forever()
        assert outside.cancelled_caught
        assert stop.stage == "running"

    run(main)


@run_in_each
def test_what_comes_after_the_block_is_not_the_blocks(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        async with shutdown(S) as stop:
            send()
            send()
        # Asked to cancel it, the loop comes to that only now.
        for _ in range(5):
            await anyio.sleep(0)
        assert stop.stage == "interrupted"

    run(main)


def test_without_a_loop_it_cannot_begin() -> None:
    async def main() -> None:
        async with shutdown(S):
            pass

    before = disposition(S)
    with pytest.raises(RuntimeError, match="event loop"):
        main().send(None)
    assert disposition(S) == before


def test_in_another_threads_loop_it_cannot_begin() -> None:
    async def main() -> None:
        async with shutdown(S):
            pass

    errors = []

    def run() -> None:
        try:
            asyncio.run(main())
        except ValueError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    join(thread)
    assert "main thread" in errors[0]


def test_asyncios_own_handler_of_ctrl_c_is_back_afterwards() -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGINT)
        async with shutdown() as stop:
            send(signal.SIGINT)
            await stop.wait()
        assert signal.getsignal(signal.SIGINT) is before or (
            signal.getsignal(signal.SIGINT) == before
        )
        send(signal.SIGINT)
        await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
