"""The kinds of wheel that serve all CPythons, and the steps of a release that are common to all.

Law: a wheel is built from the sdist, in no other way than an installer would build it. Knows
nothing of other machines: of those the rest of this package, which brings the tools for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED_BY_BUILDS: list[str] = CONFIGURATION["build-system"]["requires"]
NEEDED_BY_TESTS: list[str] = CONFIGURATION["dependency-groups"]["test"]
SMOKE = ("tests/core/test_binding.py", "tests/handlers/test_handlers.py")


class Kind(NamedTuple):
    """A kind of wheel, and interpreters that can use it. The first builds it."""

    tags: str
    interpreters: tuple[str, ...]
    oldest_abi: str = ""  # if its ABI is a stable one
    pythons: tuple[str, ...] = ()  # of .ci/interpreters


KINDS = (
    Kind(
        "cp311-abi3",
        (sys.executable,),
        "3.11",
        ("python3.11", "python3.11.2", "python3.12", "python3.13", "python3.14"),
    ),
    Kind("cp314-cp314t", ("cpython3.14t",), "", ("python3.14t",)),
    Kind(
        "cp315-abi3.abi3t", ("cpython3.15t", "cpython3.15"), "3.15", ("python3.15t", "python3.15")
    ),
)


def run(*command: object, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end; what it says is printed in one piece, and returned."""
    line = " ".join(str(getattr(part, "name", part)) for part in command)
    words = list(map(str, command))
    done = subprocess.run(
        words,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"$ {line}\n{done.stdout}", end="", flush=True)
    done.check_returncode()
    return done.stdout


def only(folder: Path, pattern: str) -> Path:
    """Return the one file there with such a name."""
    [path] = folder.glob(pattern)
    return path


def build_sdist(folder: Path) -> Path:
    """Build the sdist, and let twine look at what an index would show of it."""
    run(sys.executable, "-m", "build", "--sdist", "--outdir", folder)
    sdist = only(folder, "*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist)
    return sdist


def check_contents(wheel: Path) -> None:
    """Look whether a wheel has every module of the source tree, one extension, and no more."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    names = {name for name in names if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in (ROOT / "sigcffi").rglob(pattern)
    }
    extensions = {name for name in names if name.endswith(".so")}
    assert len(extensions) == 1, extensions
    assert names - extensions == sources, names ^ sources
    print(f"{wheel.name}: {len(names)} files, extension {extensions.pop()}")


def check_abi(wheel: Path, kind: Kind) -> str:
    """Look whether a wheel keeps to the stable ABI that its tags promise."""
    run(sys.executable, "-m", "twine", "check", "--strict", wheel)
    if not kind.oldest_abi:
        return "abi3audit: not a stable ABI"
    audit = (sys.executable, "-m", "abi3audit", "--strict")
    run(*audit, "--assume-minimum-abi3", kind.oldest_abi, wheel)
    return f"abi3audit: {kind.oldest_abi}"


def copy_of_the_tests(folder: Path) -> Path:
    """Return a folder where no source tree is beside the tests."""
    folder.mkdir()
    for part in ("tests", "pyproject.toml", "build_sig.py", "examples", "README.md", "docs"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    return folder
