"""What the tests reach: branches of the Python half, lines of the C half, each file with a figure.

Law: what is measured is what is shipped, compiled for gcov and installed; and it is the tests as
they are that measure. A line that no test reaches is tested, deleted, or excluded by a reason that
stands beside it.

``tox run -e coverage``, or ``python tests/coverage/run.py`` in a virtual environment with the
group ``test``, coverage and gcovr, into which it installs the package. What follows goes to pytest.
Exit status: 0 if no test has failed and neither half is below ``LEAST``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
BIN = Path(sys.executable).parent

LEAST = {"python": 98, "c": 98}  # percent

# -O0: each line is itself. Handlers count in the midst of counting: by atomic additions.
FLAGS = ("-O0", "-g", "--coverage", "-fprofile-update=atomic")
CC = os.environ.get("CC", "gcc")

# What measuring would falsify, and why.
NOT_MEASURED = {
    "tests/attached/test_loops.py::test_neither_asyncio_nor_trio_is_imported": (
        "coverage imports threading"
    ),
    # A subinterpreter takes long to fail at coverage's C half, whose second import is empty. The
    # deadline comes meanwhile, now and then within malloc(3).
    "tests/process/test_process.py::"
    "test_a_deadline_is_in_force_whatever_subinterpreters_there_have_been": (
        "gcov writes counters when SIGABRT ends the process, and waits for ever for malloc's lock"
    ),
}


def run(*command: str | Path, **options: Any) -> None:
    subprocess.run(command, check=True, **options)


def copy_of_the_sources(folder: Path) -> Path:
    """To build there: objects with counters must not be found by the next build of another kind."""
    tree = folder / "tree"
    tree.mkdir()
    for name in ("sigcffi", "build_sig.py", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    return tree


def build(folder: Path, tree: Path) -> None:
    """The library that is preloaded, the package, and the stress program of the C half."""
    ends = HERE / "ends.c"
    run(CC, "-shared", "-fPIC", "-DPRELOADED", ends, "-o", folder / "ends.so")
    run(CC, "-fPIC", "-c", ends, "-o", folder / "ends.o")
    env = {
        **os.environ,
        "CFLAGS": " ".join(FLAGS),
        "LDFLAGS": f"--coverage {folder / 'ends.o'}",
    }
    run(sys.executable, "-m", "pip", "install", "--quiet", tree, env=env)
    stress_program(folder, tree / "sigcffi" / "_csrc")


def stress_program(folder: Path, csrc: Path) -> None:
    """The cases of tests/c, on the C half with counters."""
    spec = importlib.util.spec_from_file_location("of_c", ROOT / "tests" / "c" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    of_c = sys.modules["of_c"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(of_c)
    objects = folder / "objects"
    for source in csrc.rglob("*.c"):
        place = objects / source.relative_to(csrc).with_suffix(".o")
        place.parent.mkdir(parents=True, exist_ok=True)
        run(CC, *FLAGS, *of_c.COMMON, "-I", csrc, "-c", source, "-o", place)
    run(
        *(CC, "--coverage", *of_c.COMMON, "-I", csrc, *(ROOT / "tests" / "c").glob("*.c")),
        *(folder / "ends.o", *objects.rglob("*.o"), "-fno-profile-arcs", "-fno-test-coverage"),
        *(*(f"-Wl,--wrap={name}" for name in of_c.WRAPPED), "-ldl", "-lrt"),
        *("-o", folder / "stress"),
    )


def let_anybody_write(folder: Path) -> None:
    """Counters, too, of the cases that run as another user."""
    os.umask(0)
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        each.chmod(0o777)


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory(prefix="sigcffi-coverage-") as name:
        folder = Path(name)
        tree = copy_of_the_sources(folder)
        build(folder, tree)
        let_anybody_write(folder)
        env = {
            **os.environ,
            "LD_PRELOAD": str(folder / "ends.so"),
            "COVERAGE_FILE": str(folder / "data"),
        }

        def passes(what: str, *command: str | Path, **options: Any) -> None:
            if subprocess.run(command, check=False, **options).returncode:
                failed.append(what)

        coverage = (sys.executable, "-m", "coverage")
        passes("the C cases", folder / "stress", env=env, stdout=subprocess.DEVNULL)
        passes(
            "pytest",
            *(*coverage, "run", BIN / "pytest", "-p", "no:cacheprovider"),
            *(f"--deselect={test}" for test in NOT_MEASURED),
            *sys.argv[1:],
            env=env,
            cwd=ROOT,
        )
        del env["LD_PRELOAD"]
        # A process that was killed while it wrote has left half a file.
        run(*coverage, "combine", "--quiet", env=env, cwd=ROOT)
        passes(
            f"Python: less than {LEAST['python']} %",
            *(*coverage, "report", f"--fail-under={LEAST['python']}"),
            env=env,
            cwd=ROOT,
        )
        passes(
            f"C: less than {LEAST['c']} %",
            *(sys.executable, "-m", "gcovr", "--root", tree, "--filter", "sigcffi/_csrc/"),
            *("--txt", "--fail-under-line", str(LEAST["c"]), folder),
            cwd=tree,
        )
    print(*(f"FAILED: {each}" for each in failed), sep="\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
