"""How a program ends in each stage of a shutdown, as its parent sees it: the table in
docs/stopping.md.

``python tests/endings.py`` prints it: by what the stage is reached, and what ``wait``
says of the process, for a block in synchronous code, in asyncio, in trio, and in uvloop where that
is installed. Needs an interpreter whose loops in C do not look for signals: CPython.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys

SYNCHRONOUS = """
    with signal.shutdown({arguments}) as stop:
        print(flush=True)
        {drain}
"""
LOOP = """
    async def main():
        async with signal.shutdown({arguments}) as stop:
            print(flush=True)
            {drain}
        return stop
    stop = {run}
"""
PROGRAM = """
import asyncio, os, sys, time
import sigcffi as signal
if True:
    {block}
print(stop.stage, flush=True)
stop.exit()
"""
RUN = {
    "synchronous": "",
    "asyncio": "asyncio.run(main())",
    "trio": "__import__('trio').run(main)",
    "uvloop": "__import__('uvloop').run(main())",
}
STUCK = "sum(range(10**12))"  # in C, and it does not look for signals
WAITS = "while True: {sleep}"

# By what, the block's arguments, what it does then, and what is sent.
WAYS = [
    ("one signal, and the block ends", "", "{wait}", 1),
    ("`request()`, and the block ends", "", "stop.request()", 0),
    ("a second signal", "", "{wait}; " + WAITS, 2),
    ("one signal, and `grace` is over", "grace=0.1", "{wait}; " + WAITS, 1),
    ("signals, while Python is stuck in C: `force`", "force=2", STUCK, 4),
    ("one signal, while Python is stuck in C: `kill_after`", "grace=0, kill_after=0.1", STUCK, 1),
]


def program(where: str, arguments: str, drain: str) -> str:
    """The source of a program."""
    if where == "synchronous":
        words = {"wait": "stop.wait()", "sleep": "time.sleep(1)"}
        template = SYNCHRONOUS
    else:
        module = "__import__('trio')" if where == "trio" else "asyncio"
        words = {"wait": "await stop.wait()", "sleep": f"await {module}.sleep(1)"}
        template = LOOP
    first, _, rest = drain.format(**words).partition("; ")
    lines = f"\n{' ' * (8 if where == 'synchronous' else 12)}".join(filter(None, (first, rest)))
    block = template.format(arguments=arguments, drain=lines, run=RUN[where])
    return PROGRAM.format(block=block.strip())


def pending(pid: int) -> bool:
    """Whether a process has not taken yet what it was sent."""
    with open(f"/proc/{pid}/status") as status:
        return any(int(line.split()[1], 16) for line in status if line[3:6] == "Pnd")


def ending(where: str, arguments: str, drain: str, signals: int) -> str:
    """Run a program to its end: its last stage, if it says it, and its wait status."""
    with subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", program(where, arguments, drain)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            while process.poll() is None and pending(process.pid):
                continue
        said = process.stdout.read().strip()
    status = process.returncode
    name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return f"{said or 'ended by C'}: {name}"


def places() -> list[str]:
    """Where a block can be here."""
    return [each for each in RUN if each != "uvloop" or importlib.util.find_spec("uvloop")]


def main() -> None:
    print("| reached by |", " | ".join(places()), "|")
    print("| --- |", " | ".join("---" for _ in places()), "|")
    for how, *way in WAYS:
        print("|", how, "|", " | ".join(ending(where, *way) for where in places()), "|", flush=True)


if __name__ == "__main__":
    main()
