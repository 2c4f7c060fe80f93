"""From the source tree to an installed package, as a release goes.

Law: what is tested is what would be uploaded: the sdist, the wheel that CPython builds from it, and
the wheel that PyPy builds from it. Run by the tox environment ``package``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, cwd: Path = ROOT) -> None:
    print("$", *(getattr(part, "name", part) for part in command), flush=True)
    subprocess.run(list(map(str, command)), cwd=cwd, check=True)


def only(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(pattern)
    return path


def check_contents(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        f"sigcffi/{path.name}"
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in (ROOT / "sigcffi").glob(pattern)
    }
    extensions = {name for name in names if name.endswith(".so")}
    assert len(extensions) == 1, extensions
    assert names - extensions == sources, names ^ sources
    print(f"{wheel.name}: {len(names)} files, extension {extensions.pop()}")


def try_out(python: Path, wheel: Path, folder: Path) -> None:
    """Install the wheel alone, and run the tests from a copy that has no source tree beside it."""
    needs = ("pytest", "hypothesis", "anyio", "trio")
    run(python, "-m", "pip", "install", "--quiet", wheel, *needs)
    run(python.with_name("pytest"), "-q", "-p", "no:cacheprovider", cwd=folder)


def main() -> None:
    run("check-manifest")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dist, pypy_dist, apart = folder / "dist", folder / "pypy", folder / "apart"
        run(sys.executable, "-m", "build", "--outdir", dist)  # the sdist, and a wheel from it
        sdist, wheel = only(dist, "*.tar.gz"), only(dist, "*.whl")
        run("twine", "check", "--strict", sdist, wheel)
        assert "-cp39-abi3-" in wheel.name, wheel
        run("abi3audit", "--strict", "--assume-minimum-abi3", "3.9", wheel)
        check_contents(wheel)

        apart.mkdir()
        shutil.copytree(ROOT / "tests", apart / "tests")
        shutil.copy(ROOT / "pyproject.toml", apart)
        for part in ("build_sig.py", "examples", "README.md", "CHANGELOG.md", "docs"):
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, apart / part)
        run(sys.executable, "-m", "virtualenv", "--quiet", folder / "cpython")
        try_out(folder / "cpython/bin/python", wheel, apart)

        run(sys.executable, "-m", "virtualenv", "--quiet", "-p", "pypy3", folder / "venv-pypy")
        pypy = folder / "venv-pypy/bin/python"
        run(pypy, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", pypy_dist, sdist)
        native = only(pypy_dist, "*.whl")
        assert "-pp39-" in native.name, native
        check_contents(native)
        try_out(pypy, native, apart)


if __name__ == "__main__":
    main()
