"""``python -m tools.wheels``: the sdist and the wheels of a release, made, checked and tried out.

Law: one command makes all that is uploaded, and one table says of each file what was looked at and
what ran on it. What was not tried says why; if anything is wrong the exit status is 1.

Three kinds of wheel, for two C libraries and two processors, are compiled on this machine by zig's
clang. Needed are a Debian (x86-64), what the tox environment ``wheels`` installs from PyPI, the
interpreters that ``.ci/interpreters`` makes, on ``PATH``, and headers of the one that runs this
(Debian: ``python3-dev``). Wheels for other processors than this one's are tried with
``qemu-system-aarch64`` and a kernel for it (``--kernel``; CONTRIBUTING.md says whence).
"""

from __future__ import annotations

import argparse
import concurrent.futures
import fnmatch
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tools.wheels.building import Builder
from tools.wheels.checking import audit, check_symbols
from tools.wheels.kinds import (
    KINDS,
    ROOT,
    Kind,
    build_sdist,
    check_abi,
    check_contents,
    copy_of_the_tests,
)
from tools.wheels.targets import TARGETS
from tools.wheels.trying import Release, Trial, every_trial
from tools.zig import keep_libraries


class Row(NamedTuple):
    """What was found in one file."""

    name: str
    size: int
    checks: tuple[str, ...] = ()


def build_kind(kind: Kind, sdist: Path, folder: Path) -> list[Path]:
    """Build the wheels of a kind for all targets."""
    builder = Builder(kind, folder)
    return [builder.build(sdist, target) for target in TARGETS]


def make(to: Path, work: Path) -> list[Row]:
    """Make the files of a release and look at each."""
    sdist = build_sdist(to)
    rows = [Row(sdist.name, sdist.stat().st_size)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        built = [pool.submit(build_kind, kind, sdist, work / kind.tags) for kind in KINDS]
    for kind, wheels in zip(KINDS, built, strict=True):
        for target, plain in zip(TARGETS, wheels.result(), strict=True):
            wheel = audit(plain, target, to)
            check_contents(wheel)
            checks = ("auditwheel: its tags", check_symbols(wheel, target), check_abi(wheel, kind))
            rows.append(Row(wheel.name, wheel.stat().st_size, checks))
    return rows


def table(rows: list[Row], trials: list[Trial]) -> str:
    """Return all that is known of each file, as text."""
    lines = []
    for row in rows:
        lines += [row.name, "    " + ", ".join([f"{row.size / 1000:.0f} kB", *row.checks])]
        for trial in trials:
            if fnmatch.fnmatchcase(row.name, trial.distribution):
                lines.append(f"    {trial.python}: {trial.result}")
    return "\n".join(lines)


def main() -> int:
    """Everything, with a table at the end."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.wheels", description=(__doc__ or "").partition(": ")[2].split("\n")[0]
    )
    parser.add_argument("--to", type=Path, default=ROOT / "dist", help="a folder (dist)")
    parser.add_argument("--kernel", help="for qemu-system-aarch64: wheels are tried there, too")
    parser.add_argument("--untried", action="store_true", help="make and check, and try nothing")
    arguments = parser.parse_args()
    began = time.monotonic()
    keep_libraries()
    arguments.to.mkdir(parents=True, exist_ok=True)
    for old in (*arguments.to.glob("sigcffi-*.whl"), *arguments.to.glob("sigcffi-*.tar.gz")):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="sigcffi-wheels-") as name:
        work = Path(name)
        rows = make(arguments.to, work)
        trials: list[Trial] = []
        if not arguments.untried:
            (work / "tried").mkdir()
            tests = copy_of_the_tests(work / "apart")
            release = Release(arguments.to, tests, work / "tried")
            trials += every_trial(release, arguments.kernel)
    print(f"\n{table(rows, trials)}")
    failed = sum(trial.failed for trial in trials)
    seconds = time.monotonic() - began
    print(f"wheels: {len(rows)} files, {len(trials)} trials, {failed} failed; {seconds:.0f} s")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
