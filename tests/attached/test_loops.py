"""Receivers under asyncio, trio and anyio, beside the loops' own handlers."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
import trio
from support import disposition, join, python_says, queue

import sigcffi as signal
from sigcffi import Receiver, open_signal_receiver
from sigcffi._attached import loops as _loops

S, T, R = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN


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


run_in_each = pytest.mark.parametrize(
    "run", [pytest.param(run, id=name) for name, run in LOOPS.items()]
)


def send(*values: int) -> None:
    queue(R, *values)


def open_descriptors() -> int:
    gc.collect()
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def take(receiver: Receiver, count: int) -> list[int | None]:
    return [(await receiver.__anext__()).si_value for _ in range(count)]


async def until_waiting() -> None:
    """Let every other task run until it waits."""
    for _ in range(20):
        await anyio.sleep(0)


# ---- In each of them ----


@run_in_each
def test_async_for_gets_each_delivery_with_its_siginfo_and_ends_at_close(run: Any) -> None:
    async def main() -> None:
        got = []
        async with open_signal_receiver(R) as receiver:
            send(0, 1)
            async for info in receiver:
                got.append((info.si_signo, info.si_value, info.si_pid, info.si_code))
                if len(got) < 4:
                    send(len(got))  # which comes while it waits, or before
                else:
                    send(77, 78)
                    receiver.close()
        assert [value for _, value, _, _ in got] == [0, 1, 1, 2]
        assert {(signo, pid, code) for signo, _, pid, code in got} == {(R, HERE, signal.SI_QUEUE)}
        # Sent before the loop had taken all, and after.
        assert [info.si_value for info in receiver.unread] == [3, 77, 78]
        assert [info async for info in receiver] == []

    before = disposition(R), open_descriptors()
    run(main)
    assert (disposition(R), open_descriptors()) == before


@run_in_each
def test_a_task_that_waits_is_woken_by_another_process(run: Any) -> None:
    async def main() -> None:
        with open_signal_receiver(signal.SIGCHLD) as receiver:
            child = subprocess.Popen(["sh", "-c", "exit 3"])
            async for info in receiver:
                assert (info.si_pid, info.si_status) == (child.pid, 3)
                break
            assert child.wait() == 3

    run(main)


@run_in_each
def test_several_tasks_share_one_receiver_and_several_receivers_get_all(run: Any) -> None:
    async def main() -> None:
        got: list[int | None] = []
        all_of: list[int | None] = []

        async def reader(receiver: Receiver) -> None:
            async for info in receiver:
                got.append(info.si_value)

        async def watcher(receiver: Receiver) -> None:
            async for info in receiver:
                all_of.append(info.si_value)
                if len(all_of) == 30:
                    shared.close()
                    receiver.close()

        with open_signal_receiver(R) as shared, open_signal_receiver(R) as own:
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(reader, shared)
                group.start_soon(watcher, own)
                await until_waiting()
                for value in range(30):
                    send(value)
                    await anyio.sleep(0)
            got += [info.si_value for info in shared.unread]
        assert sorted(got) == all_of == list(range(30))  # type: ignore[type-var]

    run(main)


@run_in_each
def test_a_cancelled_task_takes_nothing_along(run: Any) -> None:
    """Cancelled before, while and after what it waits for comes."""

    async def main() -> None:
        with open_signal_receiver(R) as receiver:
            got: list[int | None] = []

            async def reader() -> None:
                async for info in receiver:
                    got.append(info.si_value)

            sent = 0
            for steps in range(12):
                async with anyio.create_task_group() as group:
                    group.start_soon(reader)
                    for step in range(6):
                        if step == steps % 6:
                            send(sent)
                            sent += 1
                            if steps >= 6:
                                group.cancel_scope.cancel()
                        await anyio.lowlevel.cancel_shielded_checkpoint()
                    group.cancel_scope.cancel()
            with anyio.CancelScope() as scope:
                send(sent)
                scope.cancel()
                await reader()
            got += [info.si_value for info in receiver.read()]
            assert got == list(range(sent + 1))

    run(main)


@run_in_each
def test_close_in_another_thread_ends_every_wait(run: Any) -> None:
    async def main() -> None:
        for _ in range(10):
            ended = []
            receiver = open_signal_receiver(R)

            async def reader(receiver: Receiver = receiver, ended: list[int] = ended) -> None:
                async for _ in receiver:
                    raise AssertionError
                ended.append(1)

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(reader)
                await until_waiting()
                thread = threading.Thread(target=receiver.close)
                thread.start()
            assert ended == [1, 1, 1]
            join(thread)

    before = open_descriptors()
    run(main)
    assert open_descriptors() == before


@run_in_each
def test_one_receiver_serves_loop_after_loop(run: Any) -> None:
    before = open_descriptors()
    with open_signal_receiver(R) as receiver:

        async def main() -> None:
            assert await take(receiver, 2) == [1, 2]
            with anyio.move_on_after(0.001):
                await take(receiver, 1)

        for _ in range(5):
            send(1, 2)
            run(main)
        assert open_descriptors() <= before + 2  # its own, and the last loop's
    assert open_descriptors() == before


def test_a_descriptor_that_nobody_waits_for_does_not_keep_asyncios_loop_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    wake = _loops._Watch._wake
    monkeypatch.setattr(_loops._Watch, "_wake", lambda watch: (calls.append(1), wake(watch)))

    async def main() -> None:
        with open_signal_receiver(R) as receiver:
            waiting = asyncio.ensure_future(receiver.__anext__())
            await until_waiting()
            send(1)
            assert (await waiting).si_value == 1
            send(2)
            calls.clear()
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(calls) <= 1
            assert await take(receiver, 1) == [2]
            waiting = asyncio.ensure_future(receiver.__anext__())
            await until_waiting()
            send(3)
            assert (await waiting).si_value == 3

    asyncio.run(main())


def test_loops_in_several_threads_share_one_receiver() -> None:
    got: list[int | None] = []
    with open_signal_receiver(R) as receiver:

        async def reader() -> None:
            async for info in receiver:
                got.append(info.si_value)
                if len(got) == 200:
                    receiver.close()

        threads = [
            threading.Thread(target=LOOPS[name], args=(reader,))
            if name == "trio"
            else threading.Thread(target=lambda: asyncio.run(reader()))
            for name in ("asyncio", "trio", "asyncio")
        ]
        for thread in threads:
            thread.start()
        send(*range(200))
        for thread in threads:
            join(thread)
    assert sorted(got) == list(range(200))  # type: ignore[type-var]


def test_trio_tasks_take_turns_where_there_is_always_something() -> None:
    async def main() -> None:
        order: list[str] = []

        async def reader(name: str, receiver: Receiver) -> None:
            for _ in range(10):
                await receiver.__anext__()
                order.append(name)

        with open_signal_receiver(R) as one, open_signal_receiver(R) as other:
            send(*range(10))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reader, "one", one)
                nursery.start_soon(reader, "other", other)
        # Trio runs those that are ready in an order that it throws dice for.
        assert all({*order[at : at + 2]} == {"one", "other"} for at in range(0, 20, 2))

    trio.run(main)


def test_without_a_loop_that_it_knows_a_wait_is_refused() -> None:
    with open_signal_receiver(R) as receiver:
        send(1)
        with pytest.raises(StopIteration) as done:
            receiver.__anext__().send(None)
        assert done.value.value.si_value == 1
        with pytest.raises(RuntimeError, match="no event loop of asyncio or trio"):
            receiver.__anext__().send(None)


def test_neither_asyncio_nor_trio_is_imported() -> None:
    code = """
        import sys
        import sigcffi
        with sigcffi.open_signal_receiver(10) as receiver:
            receiver.wait(0)
        print([name for name in ("asyncio", "trio", "anyio", "threading") if name in sys.modules])
    """
    assert python_says(code) == "[]\n"


@run_in_each
def test_the_loops_own_receivers_work_beside_it(run: Any) -> None:
    open_theirs = trio.open_signal_receiver if run is LOOPS["trio"] else anyio.open_signal_receiver

    async def main() -> None:
        with open_theirs(S) as theirs:
            with open_signal_receiver(S) as ours:
                for _ in range(3):
                    os.kill(HERE, S)
                    assert (await ours.__anext__()).si_pid == HERE
                    assert await theirs.__anext__() == S
            os.kill(HERE, S)
            assert await theirs.__anext__() == S

    before = disposition(S)
    run(main)
    assert disposition(S) == before


@run_in_each
def test_ctrl_c_ends_the_program_as_it_does_without_a_receiver_of_sigint(run: Any) -> None:
    def end_of(main: Main) -> type[BaseException]:
        with pytest.raises(BaseException) as ended:  # noqa: PT011
            run(main)
        error = ended.value
        while hasattr(error, "exceptions"):
            [error] = error.exceptions
        return type(error)

    async def without() -> None:
        os.kill(HERE, signal.SIGINT)
        await anyio.sleep_forever()

    got: list[int] = []

    async def beside() -> None:
        with open_signal_receiver(signal.SIGINT, R) as receiver:
            send(1)
            async for info in receiver:
                got.append(info.si_signo)
                await without()

    assert end_of(without) is KeyboardInterrupt
    assert end_of(beside) is KeyboardInterrupt
    assert got == [R]


@run_in_each
def test_who_begins_to_wait_when_it_has_just_been_closed_does_not_wait(run: Any) -> None:
    """Another thread may close it between the look at what is there and the wait."""

    async def main() -> None:
        await _loops.Watches(lambda: -1, lambda: -1).readable(_loops.trio_here())

    run(main)
