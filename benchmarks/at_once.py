"""Actions in C and receivers beside what a program does without them:
``python benchmarks/at_once.py``.

Prints a table in Markdown; "target" is what the ratio should not exceed. It needs a C compiler.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal as standard
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter_ns

from measuring import Result, begin, compiled, heading, in_turn, met, round_of, row

import sigcffi
from sigcffi import actions

S, T = standard.SIGUSR1, standard.SIGUSR2
QUEUED = 10_000
CALLS = 200
HELD = 2  # seconds
NEVER = 2**31 - 1  # deliveries


def handler(signum: int, frame: object) -> None:
    pass


# ---- While Python is in a C call ----


def delays(address: int, signum: int) -> list[int]:
    """Nanoseconds from signals to the int at *address*, while the main thread is in one C call."""
    found = (ctypes.c_int64 * 100)()
    with tempfile.TemporaryDirectory() as folder:
        path = compiled("hold.c", folder, "-shared", "-fPIC", "-pthread")
        # PyDLL keeps the GIL. PyPy lacks it, but there, too, the main thread is in the call.
        library = getattr(ctypes, "PyDLL", ctypes.CDLL)(path)
    noticed, room = ctypes.c_void_p(address), ctypes.c_void_p(ctypes.addressof(found))
    library.hold(HELD, int(signum), noticed, room, len(found))
    return found[: library.finish()]


def while_held() -> tuple[list[int], list[int]]:
    """Nanoseconds to a flag in C, and to a standard handler that sets an int."""
    with actions.flag(S) as flag:
        ours = delays(flag.address, S)
    seen = ctypes.c_int()

    def set_seen(signum: int, frame: object) -> None:
        seen.value = 1

    former = standard.signal(T, set_seen)
    theirs = delays(ctypes.addressof(seen), T)
    standard.signal(T, former)
    return ours, theirs


# ---- Under asyncio ----


class Sender:
    """Sends a signal from a callback of the loop, while who is to get it waits."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        self.left = CALLS
        self.total = 0

    def send(self) -> None:
        self.start = perf_counter_ns()
        os.kill(os.getpid(), self.signum)

    def arrived(self) -> bool:
        """Whether that was the last."""
        self.total += perf_counter_ns() - self.start
        self.left -= 1
        if self.left:
            asyncio.get_running_loop().call_soon(self.send)
        return not self.left


async def to_body(receiver: sigcffi.Receiver) -> float:
    sender = Sender(S)
    asyncio.get_running_loop().call_soon(sender.send)
    async for _info in receiver:
        if sender.arrived():
            break
    return sender.total / CALLS


async def to_callback() -> float:
    loop = asyncio.get_running_loop()
    sender, done = Sender(T), loop.create_future()

    def callback() -> None:
        if sender.arrived():
            done.set_result(None)

    loop.add_signal_handler(T, callback)
    loop.call_soon(sender.send)
    await done
    loop.remove_signal_handler(T)
    return sender.total / CALLS


def under_asyncio(rounds: int) -> Result:
    loop = asyncio.new_event_loop()
    with sigcffi.open_signal_receiver(S) as receiver:
        result = in_turn(
            lambda: loop.run_until_complete(to_body(receiver)),
            lambda: loop.run_until_complete(to_callback()),
            rounds,
        )
    loop.close()
    return result


# ---- What has queued up ----


def queue_up(signum: int) -> None:
    standard.pthread_sigmask(standard.SIG_BLOCK, (signum,))
    for number in range(QUEUED):
        sigcffi.sigqueue(os.getpid(), signum, number)


def queued(rounds: int) -> tuple[Result, Result]:
    """Delivery into a receiver and read(), and read() alone, beside a loop of sigtimedwait."""
    signum = standard.SIGRTMIN
    reading = []

    def receive() -> float:
        with sigcffi.open_signal_receiver(signum, capacity=2 * QUEUED) as receiver:
            queue_up(signum)
            start = perf_counter_ns()
            standard.pthread_sigmask(standard.SIG_UNBLOCK, (signum,))
            middle = perf_counter_ns()
            infos = receiver.read()
            end = perf_counter_ns()
        assert [info.si_value for info in infos] == list(range(QUEUED))
        reading.append((end - middle) / QUEUED)
        return (end - start) / QUEUED

    def wait() -> float:
        infos, only = [], (signum,)
        queue_up(signum)
        start = perf_counter_ns()
        while (info := standard.sigtimedwait(only, 0)) is not None:
            infos.append(info)
        end = perf_counter_ns()
        assert len(infos) == QUEUED
        return (end - start) / QUEUED

    both = in_turn(receive, wait, rounds)
    read = statistics.median(reading)
    return both, Result(read, both.theirs, read / both.theirs)


# ---- With actions attached ----


def with_actions(rounds: int) -> Result:
    """From a signal to its handler, with four actions attached and with none."""
    raise_signal: Callable[[int], None] = standard.raise_signal

    def measure() -> float:
        return round_of(lambda: raise_signal(S), CALLS)

    def attached() -> float:
        with ExitStack() as stack:
            stack.enter_context(actions.flag(S))
            stack.enter_context(actions.counter(S))
            stack.enter_context(actions.exit(S, 3, when=NEVER))
            stack.enter_context(actions.default(S, when=NEVER))
            return measure()

    former = sigcffi.signal(S, handler)
    result = in_turn(attached, measure, rounds)
    sigcffi.signal(S, former)
    return result


def main() -> None:
    rounds = begin(__doc__, 101)
    few = max(rounds // 5, 3)
    heading("ns: ours \\| beside it", "beside it", "sigcffi", "ratio", "target", "met")
    row("kill() → `async for` body \\| `add_signal_handler` callback, under asyncio",
        under_asyncio(rounds), 1.1)  # fmt: skip
    if hasattr(standard, "sigtimedwait"):
        both, read = queued(few)
        name = f"{QUEUED:,} queued signals, each: {{}} \\| `sigtimedwait`"
        row(name.format("into a receiver, and `read()`"), both, 1.1)
        row(name.format("`read()` alone"), read, 0.25)
    row("raise → handler, with four actions \\| without", with_actions(rounds), 1.1)
    ours, theirs = while_held()
    delay, until_the_end = statistics.median(ours) / 1e6, theirs[0] / 1e6
    print(f"\nkill() → a flag, while Python is in a C call of {HELD} s: {delay:.3f} ms, the median "
          f"of {len(ours)} (target 1, met: {met(delay, 1)}); → a handler of `signal`: "
          f"{until_the_end:.0f} ms, when the call has ended")  # fmt: skip


if __name__ == "__main__":
    main()
