"""What the plots show: ``python benchmarks/distributions.py FILE``.

Law: what is set beside each other is measured in turn, in one run; the file holds what was found,
on what, when, and by which command, as JSON. plots.py draws from that alone.

- latency: microseconds from sending a signal to the first line of its handler, as quantiles
- flood: what becomes of values that another process queues as fast as it can
- libraries: nanoseconds for a block that ends in time, of each timeout library that is installed
- counts: microseconds for an operation, against how many things of one kind there are
"""

from __future__ import annotations

import argparse
import json
import os
import signal as standard
import statistics
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from elsewhere import LOOPING, READING, latencies
from measuring import compiled, machine, round_of
from timeout_libraries import installed

import sigcffi

S, T, QUEUED = standard.SIGUSR1, standard.SIGUSR2, standard.SIGRTMIN
STANDARD = "signal.signal"
MODULES: dict[str, Callable[..., Any]] = {
    STANDARD: standard.signal,
    "sigcffi.signal": sigcffi.signal,
    "sigcffi.sigaction": sigcffi.sigaction,
}
LIBRARIES = "recipe", "timeout-decorator", "stopit, signal", "interruptingcow", "sigcffi"
HOUR = 3600


def nothing(*_: object) -> None:
    pass


@contextmanager
def busy_thread() -> Iterator[None]:
    """One that never waits."""
    over = False

    def work() -> None:
        while not over:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over = True
    thread.join()


# ---- Latency ----


def to_self(install: Callable[..., Any], times: int) -> list[int]:
    """Nanoseconds from ``os.kill`` to the handler, in the main thread."""
    found: list[int] = []
    start = 0

    def handler(*_: object) -> None:
        found.append(perf_counter_ns() - start)

    former, pid = install(S, handler), os.getpid()
    for number in range(times):
        start = perf_counter_ns()
        os.kill(pid, S)
        while len(found) <= number:
            pass
    install(S, former)
    return found


def quantiles(times: list[int]) -> list[float]:
    """Microseconds, at 0.5 %, 1.5 % and so on."""
    times.sort()
    return [times[len(times) * (2 * at + 1) // 200] / 1000 for at in range(100)]


def latency(rounds: int) -> dict[str, dict[str, list[float]]]:
    ways: dict[str, Callable[[Callable[..., Any]], list[int]]] = {
        "the main thread sends it": lambda install: to_self(install, 100),
        "another thread is busy": lambda install: to_self(install, 10),
        "another thread takes it, the main thread runs": lambda install: latencies(
            partial(install, S), LOOPING
        ),
        "another thread takes it, the main thread reads": lambda install: latencies(
            partial(install, S), READING
        ),
    }
    found: dict[str, dict[str, list[float]]] = {}
    for way, measure in ways.items():
        times: dict[str, list[int]] = {name: [] for name in MODULES}
        if "reads" in way:
            del times[STANDARD]  # it waits for the end of the call, for ever perhaps
        with busy_thread() if "busy" in way else ExitStack():
            for _ in range(rounds):
                for name in times:
                    times[name] += measure(MODULES[name])
        found[way] = {name: quantiles(each) for name, each in times.items()}
    return found


# ---- A flood ----


def flood(install: Callable[..., Any], flooder: str, values: int) -> dict[str, float]:
    """How many calls there are, and how many values, of so many that were queued."""
    calls = 0
    seen = []

    def handler(info: Any, _: object) -> None:
        nonlocal calls
        calls += 1
        seen.append(getattr(info, "si_value", None))

    former = install(QUEUED, handler)
    start = perf_counter_ns()
    words = [flooder, *map(str, (os.getpid(), 0, int(QUEUED), 0, values))]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as sender:
        sender.wait()
    while QUEUED in standard.sigpending():
        pass
    seconds = (perf_counter_ns() - start) / 1e9
    install(QUEUED, former)
    known = len({value for value in seen if value is not None})
    return {"sent": values, "calls": calls, "values": known, "seconds": seconds}


def floods(values: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        flooder = compiled("../tests/flooder.c", folder)
        return {name: flood(install, flooder, values) for name, install in MODULES.items()}


# ---- Timeout libraries ----


def libraries(rounds: int) -> dict[str, float]:
    """Nanoseconds for each block, the median of the rounds."""
    blocks: dict[str, Callable[[], object]] = {}
    for name in LIBRARIES:
        limits = installed(name)
        if limits is None:
            continue
        if limits.block is None:
            blocks[name] = limits.decorator(HOUR, None)(nothing)
        else:
            blocks[name] = partial(enter_and_leave, partial(limits.block, HOUR, None))
    times: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(rounds):
        for name, block in blocks.items():
            times[name].append(round_of(block, 200))
    return {name: statistics.median(each) for name, each in times.items()}


def enter_and_leave(make: Callable[[], Any]) -> None:
    with make():
        pass


# ---- How much it costs to have many ----


def send_and_wait(pid: int = os.getpid()) -> None:
    os.kill(pid, S)


def within_timeouts(stack: ExitStack, count: int) -> Callable[[], object]:
    for _ in range(count - 1):
        stack.enter_context(sigcffi.timeout(HOUR))
    return partial(enter_and_leave, partial(sigcffi.timeout, HOUR))


def subscribers(stack: ExitStack, count: int) -> Callable[[], object]:
    for _ in range(count):
        stack.callback(sigcffi.subscribe(S, nothing).close)
    return send_and_wait


def receivers(stack: ExitStack, count: int) -> Callable[[], object]:
    stack.callback(sigcffi.signal, S, sigcffi.signal(S, nothing))
    opened = [
        stack.enter_context(sigcffi.open_signal_receiver(S, overflow="drop")) for _ in range(count)
    ]

    def send_and_read() -> None:
        send_and_wait()
        for each in opened:
            each.read()

    return send_and_read


def threads(stack: ExitStack, count: int) -> Callable[[], object]:
    stack.callback(sigcffi.signal, S, sigcffi.signal(S, nothing))
    over = threading.Event()
    sleeping = [threading.Thread(target=over.wait) for _ in range(count - 1)]
    for each in sleeping:
        each.start()
        stack.callback(each.join)
    stack.callback(over.set)
    return send_and_wait


COUNTED: dict[str, tuple[Callable[[ExitStack, int], Callable[[], object]], list[int]]] = {
    "a timeout within so many, in and out": (within_timeouts, [1, 2, 4, 8, 16, 32, 64, 128]),
    "a signal for so many subscribers": (subscribers, [1, 2, 4, 8, 16, 32]),
    "a signal for so many receivers, and reading them": (receivers, [1, 2, 4, 7]),
    "a signal in so many threads, to its handler": (threads, [1, 2, 4, 8, 16, 32]),
}


def counts(rounds: int) -> dict[str, dict[str, float]]:
    """The medians of the rounds, in which each count has its turn."""
    found: dict[str, dict[str, float]] = {}
    for what, (prepare, numbers) in COUNTED.items():
        times: dict[int, list[float]] = {number: [] for number in numbers}
        for _ in range(rounds):
            for number in numbers:
                with ExitStack() as stack:
                    operation = prepare(stack, number)
                    times[number].append(round_of(operation, 200) / 1000)
        found[what] = {str(number): statistics.median(each) for number, each in times.items()}
    return found


# ---- The file ----


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--values", type=int, default=100_000, help="that the flood sends")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # the timeout libraries'
    nice = f"nice -n {os.nice(0)} " if os.nice(0) else ""
    command = f"{nice}python benchmarks/distributions.py FILE"
    command += f" --rounds {asked.rounds} --values {asked.values}"
    found = {
        "machine": {**machine(), "command": command},
        "latency": latency(asked.rounds),
        "flood": floods(asked.values),
        "libraries": libraries(asked.rounds),
        "counts": counts(asked.rounds),
    }
    rounded = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.4g}"))
    asked.file.write_text(json.dumps(rounded, indent=None, separators=(",", ":")) + "\n")
    print(
        f"{asked.file}: {asked.rounds} rounds, on {rounded['machine']['python']}", file=sys.stderr
    )


if __name__ == "__main__":
    main()
