"""Masks, waits and timeouts beside what a program does without them:
``python benchmarks/in_time.py``.

Prints tables in Markdown; "target" is what the ratio should not exceed.
"""

from __future__ import annotations

import os
import random
import signal as standard
import statistics
from contextlib import ExitStack, suppress
from time import perf_counter_ns

from measuring import Result, begin, heading, in_turn, met, round_of, row

import sigcffi
from sigcffi import TimedOut, timeout

S, T = standard.SIGUSR1, standard.SIGUSR2
CALLS = 200
QUEUED = 10_000
SHORT = 0.01  # seconds of the timeouts that expire


def nothing() -> None:
    pass


def net(operation: object) -> float:
    """Nanoseconds per call; the loop is taken off."""
    return max(round_of(operation, CALLS) - round_of(nothing, CALLS), 1.0)  # type: ignore[arg-type]


# ---- Masks and waits ----


def block_and_restore() -> None:
    former = standard.pthread_sigmask(standard.SIG_BLOCK, (S, T))
    standard.pthread_sigmask(standard.SIG_SETMASK, former)


def blocked_section() -> None:
    with sigcffi.blocked(S, T):
        pass


def queued(rounds: int) -> Result:
    """What has queued up while it was blocked, by ``sigdrain`` and by a loop of ``sigtimedwait``;
    per signal.
    """
    signum = standard.SIGRTMIN
    only = (signum,)

    def queue_up() -> None:
        for number in range(QUEUED):
            sigcffi.sigqueue(os.getpid(), signum, number)

    def drain() -> float:
        queue_up()
        start = perf_counter_ns()
        infos = sigcffi.sigdrain(only)
        end = perf_counter_ns()
        assert [info.si_value for info in infos] == list(range(QUEUED))
        return (end - start) / QUEUED

    def wait() -> float:
        queue_up()
        infos = []
        start = perf_counter_ns()
        while (info := standard.sigtimedwait(only, 0)) is not None:
            infos.append(info)
        end = perf_counter_ns()
        assert len(infos) == QUEUED
        return (end - start) / QUEUED

    former = standard.pthread_sigmask(standard.SIG_BLOCK, only)
    try:
        return in_turn(drain, wait, rounds)
    finally:
        standard.pthread_sigmask(standard.SIG_SETMASK, former)


# ---- Blocks that end in time ----


def timer_on_and_off() -> None:
    standard.setitimer(standard.ITIMER_REAL, 5)
    standard.setitimer(standard.ITIMER_REAL, 0)


def block_of_five() -> None:
    with timeout(5):
        pass


def inside_another(rounds: int) -> Result:
    def inner() -> float:
        with timeout(4):  # which is earlier
            return net(block_of_five)

    return in_turn(inner, lambda: net(timer_on_and_off), rounds)


def nested(count: int) -> float:
    """Nanoseconds per block, in and out, if each encloses the next, which ends before it."""
    start = perf_counter_ns()
    with ExitStack() as stack:
        for number in range(count):
            stack.enter_context(timeout(100_000 - number))
    return (perf_counter_ns() - start) / count


def overlapping(count: int) -> float:
    """The same, if deadlines and ends come in any order."""
    order = random.Random(count)
    blocks = [timeout(order.uniform(1_000, 2_000)) for _ in range(count)]
    start = perf_counter_ns()
    for block in blocks:
        block.__enter__()
    middle = perf_counter_ns()
    order.shuffle(blocks)
    again = perf_counter_ns()
    for block in blocks:
        block.__exit__(None, None, None)
    return (perf_counter_ns() - again + middle - start) / count


def many(rounds: int) -> None:
    numbers = 100, 1_000, 10_000
    heading("ns per block, in and out", *(f"{number:,}" for number in numbers), "10,000 : 100")
    for name, measure in (
        ("nested, the inner ones earlier", nested),
        ("overlapping, deadlines and ends in any order", overlapping),
    ):
        each = [statistics.median(measure(number) for _ in range(rounds)) for number in numbers]
        print(f"| {name} |", " | ".join(f"{ns:.0f}" for ns in each), f"| {each[2] / each[0]:.2f} |")


# ---- What comes too late ----


class Bare(Exception):  # noqa: N818
    pass


def late(rounds: int) -> Result:
    """Nanoseconds from the deadline to the exception's handler, behind a loop in Python."""

    def handler(signum: int, frame: object) -> None:
        raise Bare

    def spin() -> None:
        count = 0
        while True:
            count += 1

    def ours() -> float:
        start = perf_counter_ns()
        with suppress(TimedOut), timeout(SHORT):
            spin()
        return perf_counter_ns() - start - SHORT * 1e9

    def bare() -> float:
        start = perf_counter_ns()
        standard.setitimer(standard.ITIMER_REAL, SHORT)
        with suppress(Bare):
            spin()
        return perf_counter_ns() - start - SHORT * 1e9

    former = standard.signal(standard.SIGALRM, handler)
    try:
        return in_turn(ours, bare, rounds)
    finally:
        standard.signal(standard.SIGALRM, former)


def main() -> None:
    rounds = begin(__doc__, 301)
    few = max(rounds // 15, 5)
    heading("ns: ours \\| beside it", "beside it", "sigcffi", "ratio", "target", "met")
    result = in_turn(lambda: net(blocked_section), lambda: net(block_and_restore), rounds)
    row("`blocked()` in and out \\| `pthread_sigmask` block and restore", result, 0.3)
    if hasattr(standard, "sigtimedwait"):
        row(f"{QUEUED:,} queued signals, each: `sigdrain` \\| `sigtimedwait`", queued(few), 0.3)
    result = in_turn(lambda: net(block_of_five), lambda: net(timer_on_and_off), rounds)
    row("`with timeout(5): pass` \\| `setitimer` on and off", result, 1.0)
    row("the same inside another timeout", inside_another(rounds), 0.7)
    print()
    many(few)
    result = late(rounds)
    ours, bare = result.ours / 1e6, result.theirs / 1e6
    print(
        f"\nA timeout of {SHORT * 1e3:.0f} ms in a loop is {ours:.3f} ms late, a bare itimer "
        f"{bare:.3f}: {ours - bare:.3f} more (target 0.2, met: {met(ours - bare, 0.2)})"
    )


if __name__ == "__main__":
    main()
