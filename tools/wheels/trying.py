"""Install the wheels as a user does, and run tests on what was installed.

Law: pip chooses among all the wheels by itself, and the one it took is what a trial counts for. A
trial that fails does not end the others, and one that was not made says why.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from python_discovery import get_interpreter

from tools import qemu
from tools.wheels import pythons
from tools.wheels.kinds import KINDS, NEEDED_BY_TESTS, SMOKE, Kind, run
from tools.wheels.targets import TARGETS, Target
from tools.zig import ZIG

# On another C library. On this one all the tests run in the environments of the interpreters.
MORE = (
    "tests/core",
    "tests/handlers",
    # It asks for the codes in this machine's headers and no more; zig's headers are newer.
    "--deselect=tests/core/test_codes.py"
    "::test_every_declared_code_that_the_c_library_has_is_there_and_no_other",
)
FOREIGN = ("foreign.c", "neighbours/libraries.c")  # what the tests compile
PYTEST = ("-q", "--color=no", "-p", "no:cacheprovider")
NEITHER_INDEX_NOR_SOURCES = ("--no-index", "--only-binary", ":all:", "--no-deps", "--find-links")
TAGS = "import importlib.metadata as m; print(m.distribution('sigcffi').read_text('WHEEL'))"
# What runs on the other processor, where the tests are and what they need is installed.
SCRIPT = """\
import os, sys
os.chdir({tests!r})
sys.path.insert(0, {site!r})
os.environ["PYTHONPATH"] = {site!r}
os.environ["PATH"] = "/nothing"
os.environ["CC"] = "/cc"
import pytest
sys.exit(pytest.main({arguments!r}))
"""
# The compiler there: what tests have compiled was compiled here.
COPIER = """\
#!{program}
import shutil, sys
shutil.copy("/foreign.so", sys.argv[sys.argv.index("-o") + 1])
"""


class Trial(NamedTuple):
    """What was tried, on what, and what became of it."""

    distribution: str  # a file's name, or a pattern of it
    python: str
    result: str
    failed: bool = False


class Release(NamedTuple):
    """What is tried: a folder of distributions; and what it is tried with."""

    folder: Path
    tests: Path  # a copy, with no sources beside it
    work: Path

    @property
    def sdist(self) -> Path:
        """The one sdist."""
        return next(self.folder.glob("*.tar.gz"))

    def having(self, metadata: str) -> str:
        """Return the name of the wheel that this is the file ``WHEEL`` of."""
        for path in sorted(self.folder.glob("*.whl")):
            with zipfile.ZipFile(path) as wheel:
                [name] = (name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
                if wheel.read(name).decode().split() == metadata.split():
                    return path.name
        raise LookupError(metadata)


def summary(output: str) -> str:
    """Return what pytest said at its end, or the last line if it did not get there."""
    if counts := re.findall(r"\d+ (?:passed|failed|skipped|error).* in [\d.]+s", output):
        return str(counts[-1])
    return (output.strip().splitlines() or ["nothing was said"])[-1]


def compiler(target: Target, folder: Path) -> Path:
    """Write a program that compiles for a target as "cc" does for this machine."""
    program = folder / f"cc-{target}"
    words = (ZIG, "cc", "-target", target.compilers, "-fno-sanitize=all")
    program.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
    program.chmod(0o755)
    return program


def here(
    release: Release,
    program: Path,
    name: str,
    tests: Sequence[str] = SMOKE,
    cc: str | Path = "cc",
    sdist: bool = False,
) -> Trial:
    """Try on an interpreter of this machine's processor what pip takes there, or the sdist."""
    said = f"{name}: {pythons.describe(program)}"
    environment = Path(tempfile.mkdtemp(dir=release.work))
    distribution = release.sdist.name if sdist else "?"
    try:
        run(sys.executable, "-m", "virtualenv", "--quiet", "--python", program, environment)
        python = environment / "bin/python"
        install = (python, "-m", "pip", "install", "--quiet")
        run(*install, "--only-binary", "hypothesis", "cffi", *NEEDED_BY_TESTS)
        if sdist:
            run(*install, "--no-deps", release.sdist)
        else:
            run(*install, *NEITHER_INDEX_NOR_SOURCES, release.folder, "sigcffi")
            distribution = release.having(run(python, "-I", "-c", TAGS))
        with_compiler = os.environ | {"CC": str(cc)}
        pytest = python.with_name("pytest")
        output = run(pytest, *PYTEST, *tests, cwd=release.tests, env=with_compiler)
    except subprocess.CalledProcessError as error:
        return Trial(distribution, said, f"FAILED: {summary(error.output)}", failed=True)
    return Trial(distribution, said, summary(output))


def compile_for(name: str, *folders: Path) -> None:
    """Compile Python's files here, for an interpreter that would take minutes for it."""
    if found := get_interpreter(name.replace("python", "cpython")):
        # The archive for the machine has no times to compare.
        compileall = ("-m", "compileall", "-qq", "-j0", "--invalidation-mode", "unchecked-hash")
        # What is not Python of this version is not imported either.
        subprocess.run([found.executable, *compileall, *folders], check=False)


def emulated(release: Release, program: Path, name: str, target: Target, kernel: str) -> Trial:
    """Try a wheel on an emulated processor, which has no network: pip installs from here."""
    prefix = program.parents[1]
    folder = release.work / f"{target}-{name}"
    site = folder / "site"
    number = name.removeprefix("python").replace(".", "")
    platforms = [target.platform, *target.platforms.split(".")]
    said = f"{name}: emulated {target.processor}, {target.libc.name}"
    distribution = "?"
    try:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        install += ["--target", str(site), "--implementation", "cp", "--abi", f"cp{number}"]
        install += ["--python-version", number.removesuffix("t")]
        install += [word for each in platforms for word in ("--platform", each)]
        run(*install, "cffi", *NEEDED_BY_TESTS)
        run(*install, *NEITHER_INDEX_NOR_SOURCES, release.folder, "sigcffi")
        [installed] = importlib.metadata.distributions(name="sigcffi", path=[str(site)])
        distribution = release.having(installed.read_text("WHEEL") or "")
        names = ("run.py", "init.c", "init", "cc", "foreign.so")
        script, source, init, cc, foreign = (folder / name for name in names)
        arguments = [*PYTEST, "-rf", *SMOKE]
        script.write_text(SCRIPT.format(tests="/tests", site="/site", arguments=arguments))
        source.write_text(qemu.INIT)
        run(ZIG, "cc", "-target", qemu.TARGET, "-O2", source, "-o", init)
        cc.write_text(COPIER.format(program=program))
        compile_for(name, site, prefix / "lib")
        sources = [release.tests / "tests" / name for name in FOREIGN]
        run(compiler(target, folder), "-shared", "-fPIC", "-o", foreign, *sources)
        files = {path.name: path for path in (script, init, cc, foreign, site)}
        files["tests"] = release.tests
        files[str(prefix).lstrip("/")] = prefix
        output = run(*qemu.command(kernel, str(folder / "cpio"), files, str(program), "/run.py"))
    except subprocess.CalledProcessError as error:
        return Trial(distribution, said, f"FAILED: {summary(error.output)}", failed=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = summary(output)
    failed = "passed" not in result or "FAILED" in output
    return Trial(distribution, said, f"FAILED: {result}" if failed else result, failed)


def on_this_machine(release: Release, kind: Kind) -> Iterator[Trial]:
    """Try a kind of wheel on all its interpreters that are found here."""
    for name in kind.pythons:
        found = get_interpreter(name.replace("python", "cpython"))
        if found is None:
            pattern = f"*-{kind.tags}-manylinux*_{platform.machine()}.whl"
            yield Trial(pattern, name, "not tried: it is missing here")
        else:
            yield here(release, Path(found.executable), name)


def on_other(release: Release, kind: Kind, target: Target, kernel: str | None) -> Trial:
    """Try a kind of wheel for a target on the oldest of its interpreters, made for it."""
    name = kind.pythons[0]
    own = target.processor == platform.machine()
    pattern = f"*-{kind.tags}-{target.platforms}.whl"
    if lacking := "" if own else qemu.missing(kernel):
        return Trial(pattern, name, f"not tried: {lacking}")
    try:
        program = pythons.make(name, target)
    except (SystemExit, LookupError, subprocess.CalledProcessError) as error:
        return Trial(pattern, name, f"FAILED: it could not be made: {error}", failed=True)
    if own:
        return here(release, program, name, MORE, compiler(target, release.work))
    assert kernel
    return emulated(release, program, name, target, kernel)


def from_source(release: Release) -> Iterator[Trial]:
    """Try the sdist: where there is no wheel, on PyPy, and where there is one."""
    yield here(release, Path(sys.executable), platform.python_version(), sdist=True)
    found = get_interpreter("pypy3.11")
    if found is None:
        yield Trial(release.sdist.name, "pypy3.11", "not tried: it is missing here")
    else:
        yield here(release, Path(found.executable), "pypy3.11", sdist=True)


def every_trial(release: Release, kernel: str | None) -> Iterator[Trial]:
    """Make all the trials, one after the other."""
    yield from from_source(release)
    for kind in KINDS:
        yield from on_this_machine(release, kind)
    for target in TARGETS:
        for kind in KINDS:
            yield on_other(release, kind, target, kernel)
