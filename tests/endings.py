"""How a program ends in each stage of a shutdown, as its parent sees it: the table in
docs/stopping.md.

``python tests/endings.py`` prints it: by what the stage is reached, and what ``wait`` says of the
process, for a block in synchronous code, around threads, in asyncio, in trio, and in uvloop where
that is installed. Needs an interpreter whose loops in C do not look for signals: CPython.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys

SYNCHRONOUS = """
with signal.shutdown({arguments}) as stop:
    {drain}
"""
THREADS = """
with signal.shutdown({arguments}) as stop:
    def work():
        {drain}
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join()
"""
LOOP = """
async def main():
    async with signal.shutdown({arguments}) as stop:
        {drain}
    return stop
stop = {run}
"""
PROGRAM = """
import asyncio, ctypes, itertools, threading, time
import sigcffi as signal
{block}
print(stop.stage, flush=True)
stop.exit()
"""
PLACES = {
    "synchronous": SYNCHRONOUS,
    "threads": THREADS,
    "asyncio": LOOP.replace("{run}", "asyncio.run(main())"),
    "trio": LOOP.replace("{run}", "__import__('trio').run(main)"),
    "uvloop": LOOP.replace("{run}", "__import__('uvloop').run(main())"),
}
READY = "print(flush=True)"
WAITS = "while True: {sleep}"
# In C, where nobody looks for signals. It says so itself, with no bytecode in between, and with the
# interpreter's lock: no other thread is at a bytecode either.
SAYS = "map(ctypes.PyDLL(None).write, [1], [b'.\\n'], [2])"
STUCK = f"sum(itertools.chain({SAYS}, range(10**12)))"

# By what, the block's arguments, what it does then, and how many signals are sent.
WAYS = [
    ("one signal, and the block ends", "", [READY, "{wait}"], 1),
    ("`request()`, and the block ends", "", [READY, "stop.request()"], 0),
    ("a second signal", "", [READY, "{wait}", WAITS], 2),
    ("one signal, and `grace` is over", "grace=0.1", [READY, "{wait}", WAITS], 1),
    ("signals, while Python is stuck in C: `force`", "force=2", [STUCK], 4),
    ("one signal, while Python is stuck in C: `kill_after`", "grace=0, kill_after=0.1", [STUCK], 1),
]


def program(where: str, arguments: str, drain: list[str]) -> str:
    """The source of a program."""
    if where in ("synchronous", "threads"):
        words = {"wait": "stop.wait()", "sleep": "time.sleep(1)"}
    else:
        module = "__import__('trio')" if where == "trio" else "asyncio"
        words = {"wait": "await stop.wait()", "sleep": f"await {module}.sleep(1)"}
    indent = " " * (4 if where == "synchronous" else 8)
    lines = f"\n{indent}".join(line.format(**words) for line in drain)
    return PROGRAM.format(block=PLACES[where].format(arguments=arguments, drain=lines))


def pending(pid: int) -> bool:
    """Whether a process has not taken yet what it was sent."""
    with open(f"/proc/{pid}/status") as status:
        return any(int(line.split()[1], 16) for line in status if line[3:6] == "Pnd")


def ending(where: str, arguments: str, drain: list[str], signals: int) -> str:
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
    return [each for each in PLACES if each != "uvloop" or importlib.util.find_spec("uvloop")]


def main() -> None:
    print("| reached by |", " | ".join(places()), "|")
    print("| --- |", " | ".join("---" for _ in places()), "|")
    for how, *way in WAYS:
        print("|", how, "|", " | ".join(ending(where, *way) for where in places()), "|", flush=True)


if __name__ == "__main__":
    main()
