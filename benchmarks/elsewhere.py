"""A signal that another thread takes, until its handler runs: ``python benchmarks/elsewhere.py``.

Law: the other thread sends the signal to itself, when the main thread is where the table says, and
waits until the handler has said when it began. Each time is from the sending call to the handler's
first line.

The interpreter alone runs such a handler when the main thread is next between two bytecodes: in a
system call or in the wait for a lock that may be never, so there the standard module has no times.
"""

from __future__ import annotations

import os
import signal as standard
import sys
import threading
from collections.abc import Callable
from functools import partial
from signal import SIGUSR1, pthread_kill
from time import perf_counter_ns
from typing import Any

from measuring import begin, heading

import sigcffi

TIMES = 100  # in each round
LOOPING, READING = "in a loop", "in a system call"


def waits_for(fd: int) -> bool:
    """Whether the main thread is in a system call about *fd*, as the kernel sees it."""
    with open(f"/proc/self/task/{os.getpid()}/syscall", "rb") as line:
        fields = line.read().split()
    return len(fields) > 1 and int(fields[1], 16) == fd


def latencies(install: Callable[[Callable[..., None]], Any], busy: str) -> list[int]:
    """Nanoseconds from sending to handler, of one round."""
    times: list[int] = []
    began = threading.Semaphore(0)
    start, over = 0, False
    reader, writer = os.pipe()

    def handler(*_: object) -> None:
        times.append(perf_counter_ns() - start)
        began.release()

    def send() -> None:
        nonlocal start, over
        me = threading.get_ident()
        for _ in range(TIMES):
            while busy == READING and not waits_for(reader):
                pass
            start = perf_counter_ns()
            pthread_kill(me, SIGUSR1)
            began.acquire()
        over = True
        os.write(writer, b"1")

    former = install(handler)
    thread = threading.Thread(target=send)
    thread.start()
    while busy == LOOPING and not over:
        pass
    os.read(reader, 1)
    thread.join()
    install(former)
    os.close(reader)
    os.close(writer)
    return times


def row(busy: str, name: str, times: list[int]) -> None:
    times.sort()
    microseconds = (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
    print(f"| {busy} | {name} |", " | ".join(f"{ns / 1000:.1f}" for ns in microseconds), end=" ")
    print(f"| {len(times):,} |")
    sys.stdout.flush()


def main() -> None:
    rounds = begin(__doc__, 100)
    heading("the main thread is", "the handler is of", "median µs", "99 %", "worst", "of")
    for busy in LOOPING, READING:
        installers = {
            "`signal.signal`": standard.signal,
            "`sigcffi.signal`": sigcffi.signal,
            "`sigcffi.sigaction`": sigcffi.sigaction,
        }
        if busy == READING:
            del installers["`signal.signal`"]
        times: dict[str, list[int]] = {name: [] for name in installers}
        for _ in range(rounds):
            for name, install in installers.items():
                times[name] += latencies(partial(install, SIGUSR1), busy)
        for name in installers:
            row(busy, name, times[name])


if __name__ == "__main__":
    main()
