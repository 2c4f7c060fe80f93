"""From the source tree to an installed package, as a release goes.

Law: what is looked at is what would be uploaded: the sdist, and each kind of wheel, built from it.
All the tests run on such wheels in the tox environments of the interpreters; here each is installed
and tried out, the wheel that serves two builds on both. What an interpreter is missing for is said.
Run by the tox environment ``package``.
"""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple

from python_discovery import get_interpreter

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED_BY_TESTS = CONFIGURATION["dependency-groups"]["test"]
SMOKE = ("tests/unit/test_binding.py", "tests/unit/test_handlers.py")


class Kind(NamedTuple):
    """A kind of wheel, and interpreters that can use it. The first builds it."""

    tags: str
    interpreters: tuple[str, ...]
    oldest_abi: str = ""  # if its ABI is a stable one


KINDS = (
    Kind("cp311-abi3", (sys.executable,), "3.11"),
    Kind("cp314-cp314t", ("cpython3.14t",)),
    Kind("cp315-abi3.abi3t", ("cpython3.15t", "cpython3.15"), "3.15"),
    Kind("pp311-", ("pypy3.11",)),
)


def run(*command: object, cwd: Path = ROOT) -> None:
    """Run a command to its end; what it says is printed in one piece."""
    line = " ".join(str(getattr(part, "name", part)) for part in command)
    words = list(map(str, command))
    done = subprocess.run(
        words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(f"$ {line}\n{done.stdout}", end="", flush=True)
    done.check_returncode()


def only(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(pattern)
    return path


def check_contents(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in (ROOT / "sigcffi").rglob(pattern)
    }
    extensions = {name for name in names if name.endswith(".so")}
    assert len(extensions) == 1, extensions
    assert names - extensions == sources, names ^ sources
    print(f"{wheel.name}: {len(names)} files, extension {extensions.pop()}")


def copy_of_the_tests(folder: Path) -> Path:
    """Return a folder where no source tree is beside the tests."""
    folder.mkdir()
    for part in ("tests", "pyproject.toml", "build_sig.py", "examples", "README.md", "docs"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    return folder


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
            run("twine", "check", "--strict", wheel)
            if kind.oldest_abi:
                run("abi3audit", "--strict", "--assume-minimum-abi3", kind.oldest_abi, wheel)
        run(python, "-m", "pip", "install", "--quiet", wheel, *NEEDED_BY_TESTS)
        run(python.with_name("pytest"), "-q", "-p", "no:cacheprovider", *SMOKE, cwd=tests)


def main() -> None:
    run("check-manifest")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--sdist", "--outdir", folder)
        sdist = only(folder, "*.tar.gz")
        run("twine", "check", "--strict", sdist)
        tests = copy_of_the_tests(folder / "apart")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            checks = [
                pool.submit(check_kind, kind, sdist, folder / kind.tags, tests) for kind in KINDS
            ]
        for check in checks:
            check.result()


if __name__ == "__main__":
    main()
