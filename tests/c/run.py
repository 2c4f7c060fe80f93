"""The C half by itself: its rules checked in the object code, then the stress program.

Law: nothing passes that was not tried. A compiler that is missing is a failure, a case that a build
leaves out says why, and a run of no cases has failed.

``python tests/c/run.py [gcc] [clang] [--csrc DIRECTORY] [--case NAME]``; a minute or two. Both
compilers unless named. ``--csrc`` takes the C half from elsewhere: to see that a case fails, break
a copy. Exit status: 0 if all is well.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
CSRC = os.path.join(HERE, os.pardir, os.pardir, "sigcffi", "_csrc")
COMPILERS = ("gcc", "clang")

WARNINGS = ("-Wall", "-Wextra", "-Werror")
COMMON = ("-std=gnu11", "-pthread", *WARNINGS)


class Build(NamedTuple):
    """One way to compile and run the stress program."""

    flags: tuple[str, ...]
    environment: dict[str, str]


def options(**values: int) -> str:
    """Join options for a sanitizer's environment variable."""
    return ":".join(f"{name}={value}" for name, value in values.items())


# The faults are part of the programme, and so is the process's death by them: the sanitizers'
# own handlers for these signals would be the base, and would end it in another way.
HANDS_OFF = {f"handle_{name}": 0 for name in ("segv", "sigbus", "sigfpe", "sigill", "abort")}

BUILDS = {
    "plain": Build(("-O2",), {}),
    "asan+ubsan": Build(
        (
            "-O1",
            "-g",
            "-fno-omit-frame-pointer",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
        ),
        {
            "ASAN_OPTIONS": options(**HANDS_OFF, detect_leaks=1),
            "UBSAN_OPTIONS": options(**HANDS_OFF, print_stacktrace=1),
        },
    ),
    # ThreadSanitizer does not let a handler run where the kernel calls it, only where the thread
    # waits in a call or next comes through an intercepted one, and holds back one signal of each
    # number. So it sees no handler between any two instructions (the other builds do that); what
    # it judges are the orders between threads. The threads of this program take signals while
    # they wait, so that none is lost by the tool, and nothing is suppressed.
    #   report_signal_unsafe  malloc and the like in a handler: the default, but it must stay so
    #   history_size          deep enough that a report shows both sides' stacks
    #   halt_on_error         the first report ends the case, and so fails it
    "tsan": Build(
        ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=thread"),
        {
            "TSAN_OPTIONS": options(
                **HANDS_OFF, report_signal_unsafe=1, history_size=4, halt_on_error=1
            )
        },
    ),
}

# Handler context: the files of this folder, and of those below it these. All are looked at as one.
HANDLER = "handler"
BELOW_HANDLER = ("state.c", "ring.c")
ENTRY = "arrive"  # where handler context begins: each level of the trampoline comes to it

# What may be called, and why. Another name in the object file is an error, and it is one here that
# no compiler's object file has any more.
HANDLER_MAY_CALL = {
    "alarm": "async-signal-safe (POSIX)",
    "__errno_location": "the address of a thread's own variable",
    "clock_gettime": "async-signal-safe (POSIX); reads memory that the kernel shares",
    "getpid": "a system call and no more",
    "getpgrp": "a system call and no more",
    "getuid": "a system call and no more",
    "syscall": "a system call and no more: not even a cancellation point",
    "sigaction": "async-signal-safe (POSIX); takes no lock",
    "sigpending": "async-signal-safe (POSIX); a system call and no more",
    "sigismember": "async-signal-safe (POSIX)",
    "sigemptyset": "async-signal-safe (POSIX)",
    "sigfillset": "async-signal-safe (POSIX)",
    "raise": "async-signal-safe (POSIX)",
    "kill": "async-signal-safe (POSIX); a system call and no more",
    "fcntl": "async-signal-safe (POSIX); a cancellation point for F_SETLKW only",
    "_exit": "async-signal-safe (POSIX)",
    "pthread_sigmask": "async-signal-safe (POSIX); a system call and no more",
    "pthread_self": "reads a register (not in POSIX's list, nowhere more than that)",
}
# A compiler writes these calls itself, and leaves them out, as it likes.
COMPILERS_OWN = {
    "memset": "touches its arguments only",
    "memcpy": "touches its arguments only",
    "_GLOBAL_OFFSET_TABLE_": "no function",
    "__stack_chk_fail": "ends the process",
}
WHY_NOT = {
    "write": "is a cancellation point: a thread that is cancelled there makes its call never",
    "send": "is a cancellation point: a thread that is cancelled there makes its call never",
    "pthread_kill": "blocks all signals for a moment in glibc, and takes a lock",
}

# A thread without an alternate stack may have little left, and an alternate stack may be as small
# as MINSIGSTKSZ, 2 KB for handler and signal frame, which nobody can meet; SIGSTKSZ is 8 KB.
MOST_STACK = 1536  # of one function
MOST_STACK_ALTOGETHER = 3072  # of the deepest chain of calls


class RuleError(Exception):
    """One thing that is not as it should be."""


def run(command: Iterable[str], **keywords: object) -> str:
    """Run a tool; its output."""
    arguments = list(command)
    done = subprocess.run(  # type: ignore[call-overload]
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **keywords,
    )
    if done.returncode != 0:
        raise RuleError(f"{' '.join(arguments)}\nstatus {done.returncode}\n{done.stdout}")
    output: str = done.stdout
    return output


def files(directory: str, ending: str) -> list[str]:
    """The files of this kind in a directory and what is below it, in order."""
    return sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(directory)
        for name in names
        if name.endswith(ending)
    )


# ---- The rules of handler context ----


def handler_files(csrc: str) -> list[str]:
    """The C files whose code runs in handlers."""
    below = [os.path.join(csrc, name) for name in BELOW_HANDLER]
    return [*below, *files(os.path.join(csrc, HANDLER), ".c")]


def calls(assembly: str) -> dict[str, set[str]]:
    """Who calls whom by name, from a compiler's assembly output, nothing inlined.

    Calls through a pointer are not seen. There is one: the trampoline calling its base.
    """
    functions = set(re.findall(r"^\s*\.type\s+(\w+), *[@%]function", assembly, re.M))
    graph: dict[str, set[str]] = collections.defaultdict(set)
    current = None
    for line in assembly.splitlines():
        label = re.match(r"(\w+):", line)
        if label and label[1] in functions:
            current = label[1]
            graph[current] = set()
        call = re.match(r"\s+(?:call[lq]?|jmp|bl?)\s+([A-Za-z_]\w*)(?:@PLT)?\s*(?:#.*)?$", line)
        if call and current and not call[1].startswith(".L"):
            graph[current].add(call[1])
    return dict(graph)


def reachable(graph: dict[str, set[str]], entry: str) -> set[str]:
    """All that is called from *entry*, itself included."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.get(name, ()))
    return found


def stack_usage(path: str) -> dict[str, int]:
    """Bytes of stack by function, from what ``-fstack-usage`` wrote."""
    usage = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            place, size, kind = line.split("\t")
            name = place.rpartition(":")[2]
            if kind.strip() not in ("static", "dynamic,bounded"):  # bounded: arguments pushed
                raise RuleError(f"{name}: its stack is {kind.strip()}: nobody can tell how deep")
            usage[name] = int(size)
    return usage


def deepest(graph: dict[str, set[str]], usage: dict[str, int], name: str) -> int:
    """Bytes of stack of the deepest chain of calls; there is no recursion in handler context."""
    below = (deepest(graph, usage, callee) for callee in graph.get(name, ()))
    return usage.get(name, 0) + max(below, default=0)


def undocumented(csrc: str, names: set[str]) -> set[str]:
    """Those of the functions whose first comment does not say that they run in handlers."""
    source = ""
    for path in (*handler_files(csrc), *files(csrc, ".h")):
        with open(path, encoding="utf-8") as text:
            source += text.read()
    silent = set()
    for name in names:
        comments = re.findall(rf"(/\*(?:(?!\*/).)*\*/)\n[^/;{{}}]*\b{name}\(", source, re.S)
        if not any("handler context" in comment for comment in comments):
            silent.add(name)
    return silent


def defined(csrc: str, name: str) -> str:
    """The file of the C half that defines this function, if there is one."""
    for path in files(csrc, ".c"):
        with open(path, encoding="utf-8") as text:
            if re.search(rf"^\w[^;(]*\b{name}\([^;{{]*\n{{", text.read(), re.M):
                return os.path.relpath(path, csrc)
    return ""


def check_handler_context(compiler: str, csrc: str, directory: str) -> str:
    """The object code of handler context keeps the rules; what was found, in a line."""
    stem = os.path.join(directory, f"{compiler}-handler-context")
    source = f"{stem}.c"
    with open(source, "w", encoding="utf-8") as unity:
        unity.writelines(f'#include "{os.path.abspath(p)}"\n' for p in handler_files(csrc))
    flags = (*COMMON, "-fPIC", "-I", csrc)
    run([compiler, *flags, "-O0", "-fno-inline", "-S", source, "-o", f"{stem}.s"])
    with open(f"{stem}.s", encoding="utf-8") as assembly:
        graph = calls(assembly.read())
    run([compiler, *flags, "-O2", "-fstack-usage", "-c", source, "-o", f"{stem}.o"])
    undefined = {line.split()[-1] for line in run(["nm", "-u", f"{stem}.o"]).splitlines()}
    undefined = {name.partition("@")[0] for name in undefined}

    if ENTRY not in graph:
        raise RuleError(f"there is no {ENTRY}()")
    context = reachable(graph, ENTRY)
    own, foreign = context & graph.keys(), context - graph.keys()
    problems = []
    for name in sorted(foreign - HANDLER_MAY_CALL.keys() - COMPILERS_OWN.keys()):
        callers = ", ".join(sorted(caller for caller in own if name in graph[caller]))
        reason = WHY_NOT.get(name, "is not on the list of what a handler may call")
        if file := defined(csrc, name):
            reason = f"is of {file}, outside handlers"
        problems.append(f"{callers} calls {name}(), which {reason}")
    # What these files have for calls outside handlers needs no more than handlers do.
    allowed = {**HANDLER_MAY_CALL, **COMPILERS_OWN}
    for name in sorted(undefined - allowed.keys() - foreign):
        problems.append(f"{name}() is not on the list of what {HANDLER}/ may call")
    for name in sorted(HANDLER_MAY_CALL.keys() - undefined):
        problems.append(f"{name}() is on the list, but no handler calls it")
    for name in sorted(undocumented(csrc, own)):
        problems.append(f"{name}() runs in handler context, and its comment does not say so")

    # Optimised, callers contain their callees: the table lacks these, and the sum is the same.
    usage = stack_usage(f"{stem}.su")
    for name in sorted(own & usage.keys()):
        if usage[name] > MOST_STACK:
            problems.append(f"{name}() takes {usage[name]} bytes of stack, over {MOST_STACK}")
    if ENTRY not in usage:
        problems.append(f"-fstack-usage knows no {ENTRY}()")
    altogether = deepest(graph, usage, ENTRY)
    if altogether > MOST_STACK_ALTOGETHER:
        problems.append(f"{altogether} bytes of stack in all, over {MOST_STACK_ALTOGETHER}")
    if problems:
        raise RuleError("\n".join(problems))
    return f"{len(own)} functions, {len(foreign)} foreign calls, {altogether} bytes of stack"


# ---- The stress program ----


# The program steps in at five moments: before sigcffi_waits_pause sleeps, after a handler is set,
# while a record is written, while the reader waits for it, before a mask changes. Two of the
# functions have other names where a time_t has more bits than a long (harness.h).
WRAPPED = (
    *("sigsuspend", "sigaction", "clock_gettime", "nanosleep", "pthread_sigmask"),
    *("__clock_gettime64", "__nanosleep64", "__nanosleep_time64"),
)


def compile_stress(command: Iterable[str], csrc: str, program: str) -> str:
    """Build the program with the *command* of a compiler; its path."""
    linking = [*(f"-Wl,--wrap={name}" for name in WRAPPED), "-ldl", "-lrt"]
    sources = [*files(HERE, ".c"), *files(csrc, ".c")]
    run([*command, *COMMON, "-I", csrc, *sources, *linking, "-o", program])
    return program


def unrandomised() -> list[str]:
    """Return the command that gives a program a layout which older ThreadSanitizers know.

    They refuse to start where the kernel randomises addresses by more bits than they expect.
    """
    command = ["setarch", "-R"]
    if shutil.which("setarch") is None:
        return []
    refused = subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode
    return [] if refused else command


def run_stress(command: list[str], build: str) -> tuple[int, int, list[str]]:
    """Run the cases: how many were well, how many left out, and what failed."""
    done = subprocess.run(
        [*(unrandomised() if build == "tsan" else []), *command],
        env={**os.environ, **BUILDS[build].environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(done.stdout, end="", flush=True)
    kinds = collections.Counter(line.partition(" ")[0] for line in done.stdout.splitlines())
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    if done.returncode != 0 and not failed:
        failed = [f"status {done.returncode}"]
    if kinds["ok"] == 0:
        failed.append("no case was run")
    return kinds["ok"], kinds["skip"], failed


def main() -> int:
    """Everything, with a summary at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("compilers", nargs="*", metavar="gcc|clang", help="both unless named")
    parser.add_argument("--csrc", default=CSRC, help="the C half, if not that of this tree")
    parser.add_argument("--case", action="append", default=[], help="this one only; repeatable")
    arguments = parser.parse_args()
    compilers: list[str] = arguments.compilers or list(COMPILERS)
    csrc = os.path.normpath(arguments.csrc)
    if unknown := set(compilers) - set(COMPILERS):
        parser.error(f"no such compiler here: {', '.join(sorted(unknown))}")

    began = time.monotonic()
    summary: list[str] = []
    failures = 0
    with tempfile.TemporaryDirectory(prefix="sigcffi-c-") as directory:
        os.chmod(directory, 0o755)  # the cases run as other users, and reports name the program
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            programs = {
                (compiler, name): pool.submit(
                    compile_stress,
                    [compiler, *build.flags],
                    csrc,
                    os.path.join(directory, f"stress-{compiler}-{name}"),
                )
                for compiler in compilers
                for name, build in BUILDS.items()
            }
            for compiler in compilers:
                title = f"{compiler} handler context"
                try:
                    found = check_handler_context(compiler, csrc, directory)
                    summary.append(f"{title}: ok ({found})")
                except (RuleError, OSError) as error:
                    failures += 1
                    summary.append(f"{title}: FAILED")
                    summary += [f"    {line}" for line in str(error).splitlines()]
        for (compiler, build), compiled in programs.items():
            title = f"{compiler} {build}"
            print(f"== {title}", flush=True)
            start = time.monotonic()
            try:
                ran, skipped, failed = run_stress([compiled.result(), *arguments.case], build)
            except (RuleError, OSError) as error:
                ran, skipped, failed = 0, 0, str(error).splitlines()
            failures += bool(failed)
            seconds = time.monotonic() - start
            verdict = "FAILED" if failed else "ok"
            counts = f"{ran} cases passed, {skipped} left out, {seconds:.1f} s"
            summary.append(f"{title}: {verdict} ({counts})")
            summary += [f"    {line}" for line in failed]
    print("== summary", *summary, f"{time.monotonic() - began:.0f} s in all", sep="\n")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
