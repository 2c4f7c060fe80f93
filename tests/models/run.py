"""The models, checked: what the comments in sigcffi/_csrc claim of every interleaving.

Law: a model holds, and each of its mutants, which leaves out or exchanges one step, does not: else
the model does not see what that step is for. What a model promises and which mutants it has stands
at its top, and nowhere else.

``python tests/models/run.py [MODEL]``; needs Spin and a C compiler; a minute or two. Exit status:
0 if all is well, 77 where Spin or the compiler is missing.
"""

from __future__ import annotations

import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
NEEDED = ("spin", "gcc")
SKIPPED = 77  # as for automake's tests
DEEP = 100_000  # steps
MEMORY = 1500  # megabytes


class Outcome(NamedTuple):
    """What the verifier has found."""

    broken: str  # the promise that does not hold; "" if all do
    states: int
    seconds: float


def table(source: str, title: str) -> dict[str, str]:
    """Read a table in a model's first comment: names, and what they mean."""
    match = re.search(rf"^ \* {title}:\n((?: \*   .*\n)+)", source, re.M)
    return dict(re.findall(r"^ \*   (\w+) +(.+)$", match[1], re.M)) if match else {}


def command(*arguments: str, cwd: pathlib.Path) -> str:
    """Run a tool to its end: what it says."""
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def verify(model: pathlib.Path, defined: tuple[str, ...]) -> Outcome:
    """Look at every state of a model, until a promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        cwd = pathlib.Path(name)
        command("spin", "-a", *(f"-D{each}" for each in defined), str(model), cwd=cwd)
        flags = ("-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY}")
        command("gcc", *flags, "-o", "pan", "pan.c", cwd=cwd)
        began = time.monotonic()
        # -E: who may be left waiting at the end is the model's own promise.
        said = command("./pan", "-E", "-n", f"-m{DEEP}", cwd=cwd)
    seconds = time.monotonic() - began
    states = re.search(r"(\d+) states, stored", said)
    broken = re.search(r"assertion violated +!\((\w+)\)", said)
    # A search that was given up has proven nothing.
    given_up = (
        re.search(r"MEMLIM|out of memory|depth too small|Search not completed", said) and not broken
    )
    if states is None or given_up or (not broken and "errors: 0" not in said):
        sys.exit(f"{model.name} {' '.join(defined)}: not all states were seen\n{said}")
    return Outcome(broken[1] if broken else "", int(states[1]), seconds)


def scenes(model: pathlib.Path) -> list[tuple[str, ...]]:
    """What is defined in each of a model's runs."""
    return [(scene,) for scene in table(model.read_text(), "Scenes")] or [()]


def catch(model: pathlib.Path, mutant: str) -> str:
    """Find the promise that a mutant breaks; "" if there is none."""
    return next(
        (
            found.broken
            for scene in scenes(model)
            if (found := verify(model, (*scene, mutant))).broken
        ),
        "",
    )


def main() -> int:
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        print(f"skipped: there is no {' and no '.join(missing)}")
        return SKIPPED
    chosen = [HERE / f"{name}.pml" for name in sys.argv[1:]] or sorted(HERE.glob("*.pml"))
    whole = [(model, scene) for model in chosen for scene in scenes(model)]
    mutants = [
        (model, mutant) for model in chosen for mutant in table(model.read_text(), "Mutants")
    ]
    bad = 0
    # Two, whatever the machine: each may take MEMORY.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        verified = [pool.submit(verify, *each) for each in whole]
        caught = [pool.submit(catch, *each) for each in mutants]
        for (model, scene), result in zip(whole, verified, strict=True):
            found = result.result()
            bad += found.broken != ""
            promises = ", ".join(table(model.read_text(), "Promises"))
            verdict = f"{found.broken}: BROKEN" if found.broken else f"none {promises}"
            title = " ".join((model.stem, *scene))
            print(f"{title:<18} {found.states:>9,} states {found.seconds:>5.1f} s  {verdict}")
            sys.stdout.flush()
        for (model, mutant), broken in zip(mutants, caught, strict=True):
            bad += not broken.result()
            print(f"{model.stem:<12} {mutant:<28} {broken.result() or 'NOT CAUGHT'}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
