"""The C half for other C libraries, processors and systems: compiled for all, run where that works.

Law: warnings are errors; a target is a line of the table at the end, and what was not run there says
why. The compiler is zig, which brings the headers of all of them (PyPI: ziglang); what cffi makes of
the declarations is compiled too (PyPI: cffi), against the running interpreter's headers.

``python tests/c/cross.py [TARGET ...]``; two minutes, of which most goes into C libraries that are
built once and kept (``ZIG_GLOBAL_CACHE_DIR``, else a directory for temporary files). Exit status: 0
if all is well.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import platform
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from typing import NamedTuple

from run import COMMON, CSRC, HERE, RuleError, c_files, compile_stress, run, run_stress

ROOT = os.path.normpath(os.path.join(HERE, os.pardir, os.pardir))
ZIG = (sys.executable, "-m", "ziglang")

# The C library's version is the first that has the processor, or 2.17.
GLIBC = {
    **{cpu: "2.17" for cpu in ("x86_64", "aarch64", "s390x", "x86")},
    "powerpc64le": "2.19",
    "riscv64": "2.27",
    "arm": "2.17",
}
ABI = {"arm": "eabihf"}  # armv7, hard float
TARGETS = (
    *(f"{cpu}-linux-gnu{ABI.get(cpu, '')}.{version}" for cpu, version in GLIBC.items()),
    *(f"{cpu}-linux-musl{ABI.get(cpu, '')}" for cpu in GLIBC),
    *("x86_64-macos", "aarch64-macos", "x86_64-freebsd", "x86_64-netbsd"),
)

# By machine, the targets whose programs its kernel runs. They are linked with their C library.
RUNS_ON = {
    "x86_64": ("x86_64-linux-musl", "x86-linux-musl"),
    "aarch64": ("aarch64-linux-musl",),
}

# All that the interpreter's headers ask of their own pyconfig.h, which is this machine's.
PYCONFIG = """\
#pragma once
#define _GNU_SOURCE 1
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __BSD_VISIBLE 1
#define SIZEOF_SHORT __SIZEOF_SHORT__
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_WCHAR_T __SIZEOF_WCHAR_T__
#define SIZEOF_DOUBLE __SIZEOF_DOUBLE__
#define HAVE_UNISTD_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SSIZE_T 1
#define HAVE_WCHAR_H 1
#define WITH_THREAD 1
"""


class Row(NamedTuple):
    """What became of one target."""

    compiled: str
    ran: str
    passed: str
    why: list[str]

    @property
    def failed(self) -> bool:
        """Whether anything was wrong with it."""
        return "FAILED" in (self.compiled, self.passed)


def generate(directory: str) -> list[str]:
    """Write what cffi makes of the declarations; the flags it is compiled with."""
    builder = runpy.run_path(os.path.join(ROOT, "build_sig.py"))["ffibuilder"]
    builder.emit_c_code(os.path.join(directory, "module.c"))
    headers = os.path.join(directory, "python")
    shutil.copytree(sysconfig.get_path("include"), headers)
    # In the place of the other: Python.h takes the one beside it.
    with open(os.path.join(headers, "pyconfig.h"), "w", encoding="utf-8") as pyconfig:
        pyconfig.write(PYCONFIG)
    # siginterrupt() is wanted, as in build_sig.py.
    return [f"-I{headers}", "-Wno-deprecated-declarations"]


def compile_for(target: str, directory: str, flags: list[str]) -> None:
    """Compile the C half and the module; RuleError if a compiler has something to say."""
    library = os.path.join(directory, f"{target}.a")
    module = os.path.join(directory, "module.c")
    run(
        [
            *(*ZIG, "build-lib", "-static", "-lc", "-target", target, "-O", "ReleaseFast"),
            *(f"-femit-bin={library}", "-cflags", *COMMON, f"-I{CSRC}", *flags, "--"),
            *(*c_files(CSRC), module),
        ]
    )


def run_for(target: str, directory: str) -> Row:
    """Run the C cases on this machine, if it can."""
    machine = platform.machine()
    if target not in RUNS_ON.get(machine, ()):
        return Row("yes", "-", "-", [])
    command = [*ZIG, "cc", "-target", target, "-O2"]
    program = compile_stress(command, CSRC, os.path.join(directory, f"stress-{target}"))
    try:
        subprocess.run([program, "no case of this name"], check=True)
    except OSError as error:
        return Row("yes", "-", "-", [f"not run: this kernel says {error.strerror}"])
    print(f"== {target}", flush=True)
    ran, skipped, failed = run_stress(program, "plain", [])
    why = [f"{skipped} cases left out, see above"] if skipped else []
    return Row("yes", str(ran), "FAILED" if failed else "yes", [*why, *failed])


def main() -> int:
    """Everything, with a table at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all unless named")
    targets: list[str] = parser.parse_args().targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such target here: {', '.join(sorted(unknown))}")

    began = time.monotonic()
    rows: dict[str, Row] = {}
    kept = os.path.join(tempfile.gettempdir(), f"sigcffi-zig-{os.getuid()}")
    for variable in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
        os.environ.setdefault(variable, kept)
    with tempfile.TemporaryDirectory(prefix="sigcffi-cross-") as directory:
        os.chmod(directory, 0o755)  # the cases run as other users
        flags = generate(directory)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = {
                target: pool.submit(compile_for, target, directory, flags) for target in targets
            }
        for target, result in compiled.items():
            try:
                result.result()
                rows[target] = run_for(target, directory)
            except (RuleError, subprocess.SubprocessError) as error:
                rows[target] = Row("FAILED", "-", "-", str(error).splitlines())
    print(f"\n{'target':28}  compiled  cases run  passed")
    for target, row in rows.items():
        print(f"{target:28}  {row.compiled:8}  {row.ran:9}  {row.passed}")
        for line in row.why:
            print(f"    {line}")
    failed = sum(row.failed for row in rows.values())
    others = f"run only on {platform.machine()}'s own; {time.monotonic() - began:.0f} s in all"
    print(f"cross: {len(rows) - failed} of {len(rows)} targets are well; {others}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
