"""What importing costs: ``python benchmarks/importing.py``.

Prints a table in Markdown: the time, the processor time, the modules and the memory that it takes
to import the compiled module alone, the package, and then names of it. Every measurement is a fresh
interpreter that has imported the standard module; the rows are measured in turn, and each figure is
a median.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time

from measuring import begin, heading, met

ROWS = {
    "the compiled module alone": "import _sigcffi",
    "`import sigcffi`": "import sigcffi",
    "`sigcffi.alarm`, first use": "from sigcffi import alarm",
    "`sigcffi.signal`, first use": "from sigcffi import signal",
    "`from sigcffi import *`": "from sigcffi import *",
}
TARGETS = {"`import sigcffi`": 4}  # of the ratio: to the first row, in time of the processor
MEASURE = """
import signal, sys, time
def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4
sys.path.insert(0, {folder!r})
modules, before = len(sys.modules), memory()
wall, processor = time.perf_counter_ns(), time.process_time_ns()
{statement}
wall, processor = time.perf_counter_ns() - wall, time.process_time_ns() - processor
print(wall / 1e6, processor / 1e6, len(sys.modules) - modules, memory() - before)
"""


def measured(statement: str, folder: str) -> list[float]:
    """Milliseconds, those of the processor, modules, and KB of memory."""
    code = MEASURE.format(statement=statement, folder=folder)
    command = [sys.executable, "-I", "-c", code]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [float(word) for word in said.split()]


def started(*words: str) -> float:
    """Milliseconds from the start of an interpreter to its end."""
    began = time.perf_counter_ns()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True, cwd="/")
    return (time.perf_counter_ns() - began) / 1e6


def compare_command_line(rounds: int) -> None:
    """What `sigcffi show` takes, beside an interpreter that does nothing."""
    pairs = [(started("-c", "pass"), started("-m", "sigcffi", "show")) for _ in range(rounds)]
    nothing, show = map(statistics.median, zip(*pairs, strict=True))
    target = 2 * nothing + 30
    print(
        f"\n`python -c pass` {nothing:.1f} ms, `sigcffi show` {show:.1f} ms "
        f"(target: twice that and 30 ms, {target:.1f}; met: {met(show, target)})"
    )


def main() -> None:
    rounds = begin(__doc__, 15)
    found = importlib.util.find_spec("sigcffi")
    assert found is not None
    assert found.submodule_search_locations is not None
    [folder] = found.submodule_search_locations
    figures: dict[str, list[list[float]]] = {row: [] for row in ROWS}
    for number in range(rounds + 1):
        for row, statement in ROWS.items():
            figure = measured(statement, folder)
            figures[row] += [figure] if number else []  # the first has filled caches
    heading("import", "ms", "ms of the processor", "ratio", "modules", "KB", "target", "met")
    alone = statistics.median(figure[1] for figure in figures[next(iter(ROWS))])
    for row, rows in figures.items():
        wall, processor, modules, memory = map(statistics.median, zip(*rows, strict=True))
        ratio, target = processor / alone, TARGETS.get(row)
        print(
            f"| {row} | {wall:.2f} | {processor:.2f} | {ratio:.1f} | {modules:.0f} | {memory:.0f} "
            f"| {target or ''} | {met(ratio, target)} |"
        )
    compare_command_line(rounds)


if __name__ == "__main__":
    main()
