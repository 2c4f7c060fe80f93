"""From the source tree to an installed package, as a release goes.

Law: what is looked at is what would be uploaded: the sdist, and each kind of wheel, built from it.
All the tests run on such wheels in the tox environments of the interpreters; here each is installed
and tried out, the wheel that serves two builds on both. What an interpreter is missing for is said.
Run by the tox environment ``package``. The wheels of other machines: ``python -m tools.wheels``.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
import tempfile
from pathlib import Path

from python_discovery import get_interpreter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tools.wheels.kinds import (
    KINDS,
    NEEDED_BY_TESTS,
    SMOKE,
    Kind,
    build_sdist,
    check_abi,
    check_contents,
    copy_of_the_tests,
    only,
    run,
)


def check_kind(kind: Kind, sdist: Path, folder: Path, tests: Path) -> None:
    folder.mkdir()
    wheel = None
    for number, spec in enumerate(kind.interpreters):
        if get_interpreter(spec) is None:
            print(f"left out: {kind.tags} on {spec}, which is missing", flush=True)
            if wheel is None:
                return
            continue
        environment = folder / str(number)
        run(sys.executable, "-m", "virtualenv", "--quiet", "--python", spec, environment)
        python = environment / "bin/python"
        if wheel is None:
            run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, sdist)
            wheel = only(folder, "*.whl")
            assert f"-{kind.tags}" in wheel.name, wheel
            check_contents(wheel)
            check_abi(wheel, kind)
        run(python, "-m", "pip", "install", "--quiet", wheel, *NEEDED_BY_TESTS)
        run(python.with_name("pytest"), "-q", "-p", "no:cacheprovider", *SMOKE, cwd=tests)


def main() -> None:
    run("check-manifest")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist = build_sdist(folder)
        tests = copy_of_the_tests(folder / "apart")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            checks = [
                pool.submit(check_kind, kind, sdist, folder / kind.tags, tests)
                for kind in (*KINDS, Kind("pp311-", ("pypy3.11",)))
            ]
        for check in checks:
            check.result()


if __name__ == "__main__":
    main()
