"""The C half for other C libraries, processors and systems: compiled for all, run where that works.

Law: warnings are errors; a target is a line of the table at the end, and what was not run there
says why. The compiler is zig, which brings the headers of all of them (PyPI: ziglang); what cffi
makes of the declarations is compiled too (PyPI: cffi), against the running interpreter's headers.

``python tests/c/cross.py [--kernel FILE] [TARGET ...]``; two minutes, of which most goes into C
libraries that are built once and kept (``ZIG_GLOBAL_CACHE_DIR``, else a directory for temporary
files). With a kernel for it the cases run on another processor, too, which takes longer: see
tools/qemu.py. Exit status: 0 if all is well.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import platform
import runpy
import sys
import sysconfig
import tempfile
import time
from typing import NamedTuple

from run import (
    COMMON,
    CSRC,
    HERE,
    WARNINGS,
    RuleError,
    compile_stress,
    files,
    run,
    run_stress,
)

sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir))
from tools import qemu
from tools.zig import ZIG, copy_headers, keep_libraries

ROOT = os.path.normpath(os.path.join(HERE, os.pardir, os.pardir))

# The C library's version is the first that has the processor, or 2.17.
GLIBC = {
    **dict.fromkeys(("x86_64", "aarch64", "s390x", "x86", "arm"), "2.17"),
    "powerpc64le": "2.19",
    "riscv64": "2.27",
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
    headers = copy_headers(sysconfig.get_path("include"), os.path.join(directory, "python"))
    # siginterrupt() is wanted, as in build_sig.py.
    return [f"-I{headers}", "-Wno-deprecated-declarations"]


def compile_for(target: str, directory: str, flags: list[str]) -> None:
    """Compile the C half and the module; RuleError if a compiler has something to say."""
    library = os.path.join(directory, f"{target}.a")
    module = os.path.join(directory, "module.c")
    run(
        [
            *(ZIG, "build-lib", "-static", "-lc", "-target", target, "-O", "ReleaseFast"),
            *(f"-femit-bin={library}", "-cflags", *COMMON, f"-I{CSRC}", *flags, "--"),
            *(*files(CSRC, ".c"), module),
        ]
    )


def program_for(target: str, directory: str) -> str:
    """Build the C cases, and the C library if it is the first time."""
    command = [ZIG, "cc", "-target", target, "-O2"]
    return compile_stress(command, CSRC, os.path.join(directory, f"stress-{target}"))


def machine_for(program: str, directory: str, kernel: str) -> list[str]:
    """Return the command that runs a program on a machine of its own."""
    source, init = (os.path.join(directory, name) for name in ("init.c", "init"))
    with open(source, "w", encoding="utf-8") as text:
        text.write(qemu.INIT)
    run([ZIG, "cc", "-target", qemu.TARGET, "-O2", *WARNINGS, source, "-o", init])
    files = {"init": init, "program": program}
    return qemu.command(kernel, f"{program}.cpio", files, "/program")


def run_for(target: str, command: list[str]) -> Row:
    """Run the C cases."""
    print(f"== {target}", flush=True)
    try:
        ran, skipped, failed = run_stress(command, "plain")
    except OSError as error:
        return Row("yes", "-", "-", [f"not run: this kernel says {error.strerror}"])
    why = [f"{skipped} cases left out, see above"] if skipped else []
    return Row("yes", str(ran), "FAILED" if failed else "yes", [*why, *failed])


def main() -> int:
    """Everything, with a table at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all unless named")
    parser.add_argument("--kernel", help=f"for {qemu.QEMU}: runs the cases of {qemu.TARGET}")
    arguments = parser.parse_args()
    targets: list[str] = arguments.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such target here: {', '.join(sorted(unknown))}")

    began = time.monotonic()
    rows: dict[str, Row] = {}
    keep_libraries()
    own = RUNS_ON.get(platform.machine(), ())
    missing = qemu.missing(arguments.kernel)
    with tempfile.TemporaryDirectory(prefix="sigcffi-cross-") as directory:
        os.chmod(directory, 0o755)  # the cases run as other users
        flags = generate(directory)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            # First what takes longest, so that its cases run while the others are compiled.
            programs = {
                target: pool.submit(program_for, target, directory)
                for target in targets
                if target in own or (target == qemu.TARGET and not missing)
            }
            compiled = {
                target: pool.submit(compile_for, target, directory, flags) for target in targets
            }
            for target in sorted(targets, key=lambda target: target not in programs):
                try:
                    if target in programs:
                        command = [programs[target].result()]
                        if target not in own:
                            command = machine_for(*command, directory, arguments.kernel)
                        rows[target] = run_for(target, command)
                    else:
                        why = [f"not run: {missing}"] if target == qemu.TARGET else []
                        rows[target] = Row("yes", "-", "-", why)
                    compiled[target].result()
                except RuleError as error:
                    rows[target] = Row("FAILED", "-", "-", str(error).splitlines())
    print(f"\n{'target':28}  compiled  cases run  passed")
    for target in targets:
        row = rows[target]
        print(f"{target:28}  {row.compiled:8}  {row.ran:9}  {row.passed}")
        for line in row.why:
            print(f"    {line}")
    failed = sum(row.failed for row in rows.values())
    others = f"no others run on {platform.machine()}; {time.monotonic() - began:.0f} s in all"
    print(f"cross: {len(rows) - failed} of {len(rows)} targets are well; {others}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
