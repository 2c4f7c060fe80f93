"""What the benchmarks share: how two things are set beside each other, a row of a table, and on
what that was.

Law: the two are measured in turn, in short rounds, so that whatever slows the machine slows both;
what is reported is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple

HERE = Path(__file__).parent


class Result(NamedTuple):
    """Medians of the rounds, and of the ratio within each."""

    ours: float
    theirs: float
    ratio: float


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Result:
    """Each measures one round, and returns what is compared."""
    times_ours: list[float] = []
    times_theirs: list[float] = []
    ratios = []
    for number in range(rounds):
        pair = [(ours, times_ours), (theirs, times_theirs)]
        if number % 2:
            pair.reverse()
        for measure, times in pair:
            times.append(measure())
        ratios.append(times_ours[-1] / times_theirs[-1])
    return Result(*map(statistics.median, (times_ours, times_theirs, ratios)))


def round_of(operation: Callable[[], object], calls: int) -> float:
    """Nanoseconds per call, the loop included."""
    start = perf_counter_ns()
    for _ in range(calls):
        operation()
    return (perf_counter_ns() - start) / calls


def compiled(source: str, folder: str, *options: str) -> str:
    """The path of what the C compiler has made of a file beside this one."""
    product = os.path.join(folder, Path(source).stem)
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O2", *options, "-o", product, HERE / source], check=True)
    return product


def machine() -> dict[str, Any]:
    """On what, when and beside which load is measured."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sigcffi": importlib.metadata.version("sigcffi"),
        "cffi": importlib.metadata.version("cffi"),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": [round(each, 1) for each in os.getloadavg()],
    }


def in_words(on: dict[str, Any]) -> str:
    """A line of ``machine()``."""
    words = on["python"], f"sigcffi {on['sigcffi']}", on["system"], on["machine"], on["date"]
    return f"{', '.join(words)}, load {on['load'][0]:g}"


def begin(description: str, rounds: int) -> int:
    """How many rounds the command line asks for; prints what was measured on what."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds of each comparison")
    rounds = parser.parse_args().rounds
    gc.disable()
    print(f"{in_words(machine())}; {rounds} rounds\n", flush=True)
    return rounds


def heading(*columns: str) -> None:
    """The head of a table: the first column and the last hold words, the others numbers."""
    print("|", " | ".join(columns), "|")
    print("| ---", *["---:"] * (len(columns) - 2), "--- |", sep=" | ")


def met(value: float, target: float | None) -> str:
    return "" if target is None else "yes" if value <= target else "no"


def row(name: str, result: Result, target: float | None, *more: str) -> None:
    """A row of a table; *more* stands behind the name."""
    numbers = f"{result.theirs:.0f}", f"{result.ours:.0f}", f"{result.ratio:.2f}"
    wanted = "" if target is None else f"{target:g}"
    print("|", " | ".join([name, *more, *numbers, wanted, met(result.ratio, target)]), "|")
    sys.stdout.flush()
