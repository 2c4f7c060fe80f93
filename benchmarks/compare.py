"""Each call beside the standard module's, in one process: ``python benchmarks/compare.py``.

Law: the two are measured in turn, in short rounds, so that whatever slows the machine slows both;
what is reported is the median of the rounds' ratios. A module is called as programs call it,
``signal.alarm(0)``, attribute look-up included; the loop around the call is taken off both.

Prints a table in Markdown. "C" is what the same operation costs a C program (``floor.c``, compiled
with ``cc``), "target" what the ratio should not exceed.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import signal as standard
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Callable, NamedTuple

import sigcffi

S, T = standard.SIGUSR1, standard.SIGUSR2
HERE = Path(__file__).parent


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
]


def round_of(operation: Callable[[], object], calls: int) -> float:
    """Nanoseconds per call, the loop included."""
    getattr(operation, "prepare", lambda: None)()
    start = perf_counter_ns()
    for _ in range(calls):
        operation()
    return (perf_counter_ns() - start) / calls


def nothing() -> None:
    pass


class Result(NamedTuple):
    ours: float
    theirs: float
    ratio: float


def compare(case: Case, rounds: int) -> Result:
    """The medians of both, and of the ratio within each round."""
    ours, theirs = case.make(sigcffi), case.make(standard)
    sigcffi.signal(T, handler)
    times_ours, times_theirs, ratios = [], [], []
    for number in range(rounds):
        pair = [(ours, times_ours), (theirs, times_theirs)]
        if number % 2:
            pair.reverse()
        loop = round_of(nothing, case.calls)
        for operation, times in pair:
            times.append(max(round_of(operation, case.calls) - loop, 1.0))
        ratios.append(times_ours[-1] / times_theirs[-1])
    return Result(*map(statistics.median, (times_ours, times_theirs, ratios)))


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


def import_times(rounds: int) -> tuple[float, float]:
    """Milliseconds for ``import signal``, and for ``import sigcffi`` after it; new interpreters."""
    code = (
        "from time import perf_counter_ns as now; a = now(); import signal; b = now();"
        "import sigcffi; c = now(); print(b - a, c - b)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    pairs = []
    for _ in range(rounds + 1):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env=environment
        )
        pairs.append([int(word) / 1e6 for word in done.stdout.split()])
    del pairs[0]  # which has compiled the modules
    return tuple(map(statistics.median, zip(*pairs)))  # type: ignore[return-value]


def floors() -> dict[str, float]:
    """What a C program pays, by name of operation."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "floor")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O2", "-o", program, str(HERE / "floor.c")], check=True)
        lines = subprocess.run([program], capture_output=True, check=True, text=True).stdout
    return {name: float(ns) for name, ns in (line.split() for line in lines.splitlines())}


def target_of(case: Case) -> str:
    target = case.target
    if isinstance(target, dict):
        target = target.get(sys.version_info[:2])
    return "" if target is None else f"{target:g}"


def row(name: str, result: Result, floor: float | None, target: str) -> str:
    c = "" if floor is None else f"{floor:.0f}"
    verdict = "" if not target else "yes" if result.ratio <= float(target) else "no"
    return (
        f"| {name} | {c} | {result.theirs:.0f} | {result.ours:.0f} "
        f"| {result.ratio:.2f} | {target} | {verdict} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=301, help="rounds of each comparison")
    rounds = parser.parse_args().rounds
    gc.disable()
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{implementation}, {platform.system()} {platform.machine()}, {rounds} rounds\n")
    print("| ns per call | C | `signal` | sigcffi | ratio | target | met |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    floor = floors()

    def table(cases: list[Case], beside_thread: str) -> None:
        for case in cases:
            result = compare(case, rounds)
            print(row(case.name, result, floor.get(case.floor), target_of(case)), flush=True)
            if case.floor == "kill":
                busy = beside_busy_thread(case.make, max(rounds // 10, 3))
                name = "the same beside one CPU-bound thread"
                print(row(name, busy, None, beside_thread), flush=True)

    table(CASES, "1.1")
    print(
        "\n| ns: ours \\| the standard module's | C | `signal` | sigcffi | ratio | target | met |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    table(DELIVERY, "1.3")
    each, c = queued_values(max(rounds // 15, 3)), floor["queued"]
    met = "yes" if each <= 2 * c else "no"
    print(f"\n{QUEUED:,} queued values → as many handler calls: {each:.0f} ns each, a C program's "
          f"handler {c:.0f}; ratio {each / c:.2f} (target 2, met: {met})")  # fmt: skip
    standard.setitimer(standard.ITIMER_REAL, 0)
    theirs, ours = import_times(max(rounds // 10, 3))
    met = "yes" if ours <= 4 else "no"
    print(f"\n`import signal`: {theirs:.1f} ms; `import sigcffi` after it: {ours:.1f} ms more "
          f"(target 4, met: {met})")  # fmt: skip


if __name__ == "__main__":
    main()
