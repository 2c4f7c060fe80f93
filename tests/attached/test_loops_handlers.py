"""Receivers beside asyncio's own handlers, which replace what is there."""

from __future__ import annotations

import asyncio
import os

import anyio

import sigcffi as signal
from sigcffi import Receiver, open_signal_receiver

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN


HERE = os.getpid()


async def until_waiting() -> None:
    """Let every other task run until it waits."""
    for _ in range(20):
        await anyio.sleep(0)


async def each_gets_all(receiver: Receiver, called: asyncio.Queue[None]) -> None:
    for _ in range(3):
        os.kill(HERE, S)
        assert (await receiver.__anext__()).si_pid == HERE
        await called.get()
    assert called.empty()


def test_asyncios_own_handler_that_was_there_before_keeps_its_calls() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        called: asyncio.Queue[None] = asyncio.Queue()
        loop.add_signal_handler(S, called.put_nowait, None)
        with open_signal_receiver(S) as receiver:
            await each_gets_all(receiver, called)
        os.kill(HERE, S)
        await called.get()
        loop.remove_signal_handler(S)

    asyncio.run(main())


def test_asyncios_own_handler_that_comes_later_is_noticed_by_the_next_wait() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        called: asyncio.Queue[None] = asyncio.Queue()
        with open_signal_receiver(S) as receiver:
            waiting = asyncio.ensure_future(receiver.__anext__())
            loop.add_signal_handler(S, called.put_nowait, None)
            await until_waiting()  # the task has begun to wait only now
            os.kill(HERE, S)
            assert (await waiting).si_pid == HERE
            await called.get()
            await each_gets_all(receiver, called)
            loop.remove_signal_handler(S)
            waiting = asyncio.ensure_future(receiver.__anext__())
            await until_waiting()
            os.kill(HERE, S)
            assert (await waiting).si_pid == HERE

    asyncio.run(main())


def test_patched_asyncios_own_handler_may_come_and_go_at_any_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        called: asyncio.Queue[None] = asyncio.Queue()
        with open_signal_receiver(S) as receiver:
            waiting = asyncio.ensure_future(receiver.__anext__())
            await until_waiting()
            loop.add_signal_handler(S, called.put_nowait, None)
            os.kill(HERE, S)
            assert (await waiting).si_pid == HERE
            await called.get()
            waiting = asyncio.ensure_future(receiver.__anext__())
            await until_waiting()
            loop.remove_signal_handler(S)
            os.kill(HERE, S)  # the default action is not taken
            assert (await waiting).si_pid == HERE
            assert called.empty()

    signal.patch_stdlib()
    try:
        asyncio.run(main())
    finally:
        signal.unpatch_stdlib()
