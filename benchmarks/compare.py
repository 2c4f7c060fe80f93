"""Each call beside the standard module's, in one process: ``python benchmarks/compare.py``.

Law: a module is called as programs call it, ``signal.alarm(0)``, attribute look-up included; the
loop around the call is taken off both.

Prints tables in Markdown. "C" is what the same operation costs a C program (``floor.c``, compiled
with ``cc``), "target" what the ratio should not exceed.
"""

from __future__ import annotations

import os
import signal as standard
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple

from measuring import Result, begin, compiled, heading, in_turn, met, round_of, row

import sigcffi

S, T = standard.SIGUSR1, standard.SIGUSR2


class Case(NamedTuple):
    """One operation: *make* builds it for a module; *target* is the highest ratio wanted."""

    name: str
    make: Callable[[Any], Callable[[], object]]
    target: float | dict[tuple[int, int], float] | None
    calls: int = 200
    floor: str = ""


def handler(signum: int, frame: object) -> None:
    pass


def kill_to_handler(module: Any) -> Callable[[], object]:
    kill, pid = os.kill, os.getpid()

    def prepared() -> None:
        kill(pid, S)

    def prepare() -> None:
        standard.pthread_sigmask(standard.SIG_UNBLOCK, (S,))
        module.signal(S, handler)

    prepared.prepare = prepare  # type: ignore[attr-defined]
    return prepared


def info_handler(info: Any, frame: object) -> None:
    pass


def kill_to_info(module: Any) -> Callable[[], object]:
    """``sigaction`` beside the standard handler, which is told the number and no more."""
    operation = kill_to_handler(module)

    def prepare() -> None:
        standard.pthread_sigmask(standard.SIG_UNBLOCK, (S,))
        sigcffi.sigaction(S, info_handler)

    if module is sigcffi:
        operation.prepare = prepare  # type: ignore[attr-defined]
    return operation


def critical_section(module: Any) -> Callable[[], object]:
    """``deferred`` beside what a program does without it: block the signals and restore."""

    def block_and_restore() -> None:
        former = standard.pthread_sigmask(standard.SIG_BLOCK, (S, T))
        standard.pthread_sigmask(standard.SIG_SETMASK, former)

    def section() -> None:
        with sigcffi.deferred():
            pass

    return section if module is sigcffi else block_and_restore


def install_and_restore(module: Any) -> Callable[[], object]:
    hangup = standard.SIGHUP

    def standard_pair() -> None:
        former = standard.signal(hangup, handler)
        standard.signal(hangup, former)

    def sigaction_pair() -> None:
        former = sigcffi.sigaction(hangup, info_handler)
        sigcffi.sigaction(hangup, former)

    return sigaction_pair if module is sigcffi else standard_pair


def handling_block(module: Any) -> Callable[[], object]:
    def block() -> None:
        with sigcffi.handling(standard.SIGHUP, info_handler):
            pass

    return block if module is sigcffi else install_and_restore(module)


def subscribe_and_close(module: Any) -> Callable[[], object]:
    def subscription() -> None:
        sigcffi.subscribe(standard.SIGHUP, info_handler).close()

    return subscription if module is sigcffi else install_and_restore(module)


QUEUED = 10_000


def queued_values(rounds: int) -> float:
    """Nanoseconds for each of many values that were queued while their signal was blocked, from
    letting them in to the end of the last handler.
    """
    queued, pid, seen = standard.SIGRTMIN, os.getpid(), []

    def count(info: Any, frame: object) -> None:
        seen.append(info)

    former = sigcffi.sigaction(queued, count)
    times = []
    for _ in range(rounds):
        seen.clear()
        sigcffi.pthread_sigmask(standard.SIG_BLOCK, (queued,))
        for number in range(QUEUED):
            sigcffi.sigqueue(pid, queued, number)
        start = perf_counter_ns()
        sigcffi.pthread_sigmask(standard.SIG_UNBLOCK, (queued,))
        while len(seen) < QUEUED:
            pass
        times.append((perf_counter_ns() - start) / QUEUED)
        assert [info.si_value for info in seen] == list(range(QUEUED))
    sigcffi.sigaction(queued, former)
    return statistics.median(times)


def armed_itimer(module: Any) -> Callable[[], object]:
    return lambda: module.setitimer(module.ITIMER_REAL, 1000)


CASES = [
    Case("os.kill to self → handler", kill_to_handler, 1.05, floor="kill"),
    Case("signal(S, h)", lambda m: lambda: m.signal(T, handler), {(3, 11): 0.4, (3, 13): 0.8},
         floor="signal"),
    Case("getsignal(S), callable", lambda m: lambda: m.getsignal(T), {(3, 11): 0.3, (3, 13): 3},
         floor="getsignal"),
    Case("getsignal(S), default", lambda m: lambda: m.getsignal(standard.SIGHUP), None,
         floor="getsignal"),
    Case("alarm(0)", lambda m: lambda: m.alarm(0), 1.15, floor="alarm"),
    Case("setitimer(ITIMER_REAL, 1000)", armed_itimer, 1.4, floor="setitimer"),
    Case("getitimer(ITIMER_REAL)", lambda m: lambda: m.getitimer(m.ITIMER_REAL), 1.4,
         floor="getitimer"),
    Case("pthread_sigmask(SIG_BLOCK, 2 signals)",
         lambda m: lambda: m.pthread_sigmask(m.SIG_BLOCK, (S, T)), 0.4, floor="pthread_sigmask"),
    Case("sigpending()", lambda m: lambda: m.sigpending(), 0.8, floor="sigpending"),
    Case("valid_signals()", lambda m: lambda: m.valid_signals(), 0.05, calls=10),
    Case("siginterrupt(S, True)", lambda m: lambda: m.siginterrupt(T, True), None),
    Case("strsignal(S)", lambda m: lambda: m.strsignal(S), None),
]  # fmt: skip

DELIVERY = [
    Case(
        "os.kill to self → `sigaction` handler \\| `signal` handler",
        kill_to_info,
        1.3,
        floor="kill",
    ),
    Case("`deferred()` in and out \\| `pthread_sigmask` block and restore", critical_section, 0.15),
    Case("`sigaction` and exact restore \\| `signal` twice", install_and_restore, {(3, 13): 1.5}),
    Case("`handling()` in and out \\| `signal` twice", handling_block, None),
    Case("`subscribe` and close \\| `signal` twice", subscribe_and_close, None),
]


def nothing() -> None:
    pass


def compare(case: Case, rounds: int) -> Result:
    ours, theirs = case.make(sigcffi), case.make(standard)
    sigcffi.signal(T, handler)

    def measure(operation: Callable[[], object]) -> float:
        getattr(operation, "prepare", nothing)()
        return max(round_of(operation, case.calls) - round_of(nothing, case.calls), 1.0)

    return in_turn(lambda: measure(ours), lambda: measure(theirs), rounds)


def beside_busy_thread(make: Callable[[Any], Callable[[], object]], rounds: int) -> Result:
    """``os.kill`` to self → handler, while another thread wants the interpreter all the time."""
    stop = False

    def busy() -> None:
        while not stop:
            pass

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        return compare(Case("", make, None, calls=20), rounds)
    finally:
        stop = True
        thread.join()


def floors() -> dict[str, float]:
    """What a C program pays, by name of operation."""
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("floor.c", folder)
        lines = subprocess.run([program], capture_output=True, check=True, text=True).stdout
    return {name: float(ns) for name, ns in (line.split() for line in lines.splitlines())}


def target_of(case: Case) -> float | None:
    target = case.target
    return target.get(sys.version_info[:2]) if isinstance(target, dict) else target


def main() -> None:
    rounds = begin(__doc__, 301)
    floor = floors()

    def table(cases: list[Case], beside_thread: float) -> None:
        for case in cases:
            c = f"{floor[case.floor]:.0f}" if case.floor else ""
            row(case.name, compare(case, rounds), target_of(case), c)
            if case.floor == "kill":
                busy = beside_busy_thread(case.make, max(rounds // 10, 3))
                row("the same beside one CPU-bound thread", busy, beside_thread, "")

    columns = "C", "`signal`", "sigcffi", "ratio", "target", "met"
    heading("ns per call", *columns)
    table(CASES, 1.1)
    print()
    heading("ns: ours \\| the standard module's", *columns)
    table(DELIVERY, 1.3)
    each, c = queued_values(max(rounds // 15, 3)), floor["queued"]
    print(f"\n{QUEUED:,} queued values → as many handler calls: {each:.0f} ns each, a C program's "
          f"handler {c:.0f}; ratio {each / c:.2f} (target 1.7, met: "
          f"{met(each / c, 1.7)})")  # fmt: skip
    standard.setitimer(standard.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
