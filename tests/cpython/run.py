"""The interpreter's own tests, with sigcffi in the place of ``signal``.

Law: a test that passes with the standard module passes with sigcffi. The tests are those of the
interpreter's installation, none is copied; the two runs differ by one line in a ``.pth`` file and
by nothing else; and a comparison that compared nothing has failed.

``python tests/cpython/run.py [PART...]``, in an environment where sigcffi is installed. Exit
status: 0 if the law holds, 1 if not, 2 if it could not be tried.

The line stands in a virtual environment that is made for the run and thrown away, beside a twin
without it. So the replacement is there before anything else is imported, also in the children that
a test starts with ``sys.executable``, also with ``-I`` or ``-E`` or without any environment
variable, and nothing has to be taken back afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Tests that cannot pass, by their id, each with the reason. A reason names something that only the
# standard module itself can have; what sigcffi does wrong is no reason. An entry whose test passes
# is an error.
EXCEPTIONS: dict[str, str] = {
    "test.test_signal.GenericTests.test_functions_module_attr": (
        "asserts that the __module__ of every function is 'signal', the name of the module replaced"
    ),
}
if sys.version_info >= (3, 15):
    EXCEPTIONS["test.test_faulthandler.FaultHandlerTests.test_dump_ext_modules"] = (
        "asserts that no extension module is loaded but the interpreter's own; cffi is one"
    )


class Part(NamedTuple):
    """Some tests: a module, and which of its tests."""

    names: tuple[str, ...]  # the module's, in newer and in older versions of Python
    patterns: tuple[str, ...] = ()
    required: bool = False  # else it may be missing in this version


PARTS = (
    Part(("test.test_signal",), required=True),
    Part(("test.test_threadsignals",), required=True),
    Part(("test.test_eintr",), required=True),  # as it is: everything runs in a child
    Part(("test._test_eintr", "test.eintrdata.eintr_tester"), required=True),  # one by one
    Part(("test.test_asyncio.test_unix_events",), required=True),
    Part(("test.test_asyncio.test_runners",)),
    Part(("test.test_asyncio.test_subprocess",)),
    Part(("test.test_asyncio.test_events",), ("signal", "kill")),
    Part(("test.test_unittest.test_break", "unittest.test.test_break")),
    Part(("test.test_faulthandler",)),
    Part(("test.test_file_eintr",)),
    Part(("test.test_inspect.test_inspect", "test.test_inspect"), ("signal",)),
    Part(("test.test_posix",), ("sig",)),
    Part(("test.test_socket",), ("nterrupt",)),
    Part(("test.test_subprocess",), ("signal", "sigint", "kill", "nterrupt")),
    Part(("test.test_threading",), ("signal", "nterrupt")),
)

DEADLINE = 1200.0  # seconds for one part; the longest takes 50 where nothing else runs
RETRIES = 2  # some of these tests measure time, on a machine that may be busy
RETRY_DEADLINE = 300.0
RETRIED_AT_MOST = 20  # more failures than this are not bad luck

UNREPLACED, REPLACED = MODES = ("unreplaced", "replaced")
REPLACE = 'import sys, sigcffi; sys.modules["signal"] = sigcffi\n'
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
# Nothing of Python's own may tell one interpreter what another is not told.
ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

WHO = "import signal; print(signal.signal.__module__, flush=True)"
WHO_AND_CHILD = (
    f"{WHO}; import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', {WHO!r}])"
)


class Outcome(NamedTuple):
    test: str  # the test that a subtest belongs to; its own id otherwise
    outcome: str  # "passed", "failed", "skipped", or what happened to the process
    detail: str = ""


class CannotCompareError(Exception):
    pass


# ---- The two environments ----


def places() -> list[str]:
    """Where this interpreter finds sigcffi and what it needs."""
    found = []
    for name in ("sigcffi", "_cffi_backend"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise CannotCompareError(f"{name} is not installed in {sys.prefix}")
        place = os.path.dirname(os.path.abspath(spec.origin))
        found.append(os.path.dirname(place) if spec.submodule_search_locations else place)
    return list(dict.fromkeys(found))


@contextlib.contextmanager
def environments() -> Iterator[dict[str, str]]:
    """The interpreters of two virtual environments, with and without the replacement."""
    with tempfile.TemporaryDirectory(prefix="sigcffi-cpython-") as top:
        pythons = {}
        for mode in MODES:
            directory = os.path.join(top, mode)
            venv.create(directory, symlinks=True)
            pythons[mode] = os.path.join(directory, "bin", "python")
            site = ask(pythons[mode], "import sysconfig; print(sysconfig.get_path('purelib'))")
            with open(os.path.join(site, "replace.pth"), "w", encoding="utf-8") as pth:
                pth.writelines(f"{place}\n" for place in places())
                if mode == REPLACED:
                    pth.write(REPLACE)
        yield pythons


def ask(python: str, code: str, *options: str, env: dict[str, str] = ENVIRON) -> str:
    done = subprocess.run(
        [python, *options, "-c", code], capture_output=True, text=True, check=False, env=env
    )
    if done.returncode or done.stderr:
        raise CannotCompareError(f"{python} {' '.join(options)}: {done.stderr}")
    return done.stdout.strip()


def check_module(mode: str, module: str, where: str) -> None:
    """Refuse to go on if the replacement is not there, or is there in the run without it."""
    if (module.partition(".")[0] == "sigcffi") != (mode == REPLACED):
        raise CannotCompareError(f"{mode}, {where}: signal.signal comes from {module}")


def check_replacement(pythons: dict[str, str]) -> None:
    for mode, python in pythons.items():
        for options, env in ((), ENVIRON), (("-I",), ENVIRON), (("-E",), ENVIRON), ((), {}):
            who, child = ask(python, WHO_AND_CHILD, *options, env=env).split()
            check_module(mode, who, f"python {options}")
            check_module(mode, child, f"child of python {options}")


# ---- Running ----


def available(part: Part) -> str | None:
    """The module's name in this version of Python."""
    for name in part.names:
        with contextlib.suppress(ModuleNotFoundError):
            if importlib.util.find_spec(name) is not None:
                return name
    if part.required:
        raise CannotCompareError(
            f"this interpreter has no {' or '.join(part.names)}: its test package is not installed"
        )
    return None


def run_both(
    pythons: dict[str, str], name: str, patterns: Sequence[str], deadline: float
) -> dict[str, dict[str, Outcome]]:
    """What became of each test, by id, in both modes; they run at the same time."""
    with tempfile.TemporaryDirectory(prefix="sigcffi-cpython-") as top:
        processes = {}
        try:
            for mode, python in pythons.items():
                directory = os.path.join(top, mode)
                os.mkdir(directory)
                command = [python, "-X", "faulthandler", WORKER, f"{directory}.record"]
                with open(f"{directory}.log", "wb") as log:
                    processes[mode] = subprocess.Popen(
                        [*command, json.dumps(patterns), name],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        cwd=directory,
                        env=ENVIRON,
                        start_new_session=True,  # so that all of it can be ended
                    )
            end = time.monotonic() + deadline
            hung = {mode for mode in MODES if not ended_by(end, processes[mode])}
        finally:
            for process in processes.values():
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return {
            mode: outcomes(
                mode,
                os.path.join(top, mode),
                "hung" if mode in hung else f"ended the process (status {process.returncode})",
            )
            for mode, process in processes.items()
        }


def ended_by(end: float, process: subprocess.Popen[bytes]) -> bool:
    """Wait for a worker until *end*; then have faulthandler write where it hangs."""
    try:
        process.wait(max(end - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        return False
    return True


def outcomes(mode: str, directory: str, unfinished: str) -> dict[str, Outcome]:
    """Read what a worker has written; *unfinished* is the outcome of a test it did not survive."""
    found: dict[str, Outcome] = {}
    running = "the process"
    ended = False
    with contextlib.suppress(FileNotFoundError), open(f"{directory}.record", "rb") as record:
        for line in map(json.loads, record):
            if "started" in line:
                running = line["started"]
            elif "module" in line:
                ended = True
                check_module(mode, line["module"], running)
                holders = [name for name in line["holders"] if not name.startswith("sigcffi.")]
                if holders:
                    raise CannotCompareError(f"{mode}: {holders} use the standard module")
            elif line["id"] not in found or found[line["id"]].outcome == "passed":
                # Subtests may share an id: the worst counts.
                found[line["id"]] = Outcome(line["test"], line["outcome"], line["detail"])
    if not ended:
        with open(f"{directory}.log", encoding="utf-8", errors="replace") as log:
            tail = "".join(log.readlines()[-30:])
        found[running] = Outcome(running, unfinished, tail)
    return found


# ---- Comparing ----


def lost(both: dict[str, dict[str, Outcome]]) -> dict[str, dict[str, Outcome]]:
    """What passes unreplaced only: by test, the outcomes of it and its subtests."""
    worse: dict[str, dict[str, Outcome]] = {}
    for name, (test, outcome, _) in both[UNREPLACED].items():
        if outcome != "passed":
            continue
        # A subtest may be named after a number that is another in each run; whether all of them
        # passed is told by the test.
        missing = Outcome(test, "passed" if name != test else "not run")
        now = both[REPLACED].get(name, missing)
        if now.outcome != "passed":
            worse.setdefault(test, {})[name] = now
    return worse


class Report:
    """What has been compared so far."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.broken: dict[str, dict[str, Outcome]] = {}  # not excepted
        self.excepted: set[str] = set()
        self.stale: set[str] = set()  # exceptions that are none
        self.notes: list[str] = []

    def add(self, pythons: dict[str, str], name: str, part: Part) -> None:
        """Run a part, and again what seems lost."""
        began = time.monotonic()
        both = run_both(pythons, name, part.patterns, DEADLINE)
        worse = lost(both)
        excepted = worse.keys() & EXCEPTIONS.keys()
        suspects = [test for test in worse if test not in EXCEPTIONS]
        if len(suspects) <= RETRIED_AT_MOST:
            for test in suspects:
                if self._passes_after_all(pythons, test, worse[test]):
                    del worse[test]
                    both[REPLACED][test] = Outcome(test, "passed")
        self.broken.update({test: worse[test] for test in worse.keys() - excepted})
        self.excepted |= excepted
        self.stale |= {
            test for test in EXCEPTIONS.keys() - excepted if counts(both[REPLACED], "passed", test)
        }
        self.notes += [
            f"{test}: {outcome.outcome} unreplaced"
            for test, outcome in both[UNREPLACED].items()
            if outcome.outcome not in ("passed", "skipped")
        ]
        passed = counts(both[UNREPLACED], "passed")
        title = name + "".join(f" -k {pattern}" for pattern in part.patterns)
        if passed == 0:
            if part.required:
                raise CannotCompareError(f"{title}: nothing passes unreplaced")
            self.notes.append(f"{title}: nothing passes unreplaced, nothing compared")
            return
        self.rows.append(
            (
                title,
                str(passed),
                str(counts(both[REPLACED], "passed")),
                str(counts(both[REPLACED], "skipped")),
                str(len(excepted)),
                str(len(worse.keys() - excepted)),
                f"{time.monotonic() - began:.0f} s",
            )
        )

    def _passes_after_all(
        self, pythons: dict[str, str], test: str, first: dict[str, Outcome]
    ) -> bool:
        """Whether a test passes replaced when it is run alone; never without saying so."""
        for _ in range(RETRIES):
            both = run_both(pythons, test, (), RETRY_DEADLINE)
            said = {mode: both[mode].get(test, Outcome(test, "not found")) for mode in MODES}
            self.notes.append(
                f"{test}: retried alone, "
                + ", ".join(f"{outcome.outcome} {mode}" for mode, outcome in said.items())
            )
            if said[REPLACED].outcome == "passed":
                for outcome in first.values():
                    self.notes.append(f"    at first {outcome.outcome}: {last_line(outcome)}")
                return True
        return False

    def show(self) -> None:
        heads = ("tests", "unreplaced", "replaced", "skipped", "exceptions", "LOST", "time")
        rows = [heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for first, *rest in rows:
            cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
            print("  ".join([first.ljust(widths[0]), *cells]))
        for note in self.notes:
            print("note:", note)
        for test in sorted(self.excepted):
            print(f"exception: {test}: {EXCEPTIONS[test]}")
        for test in sorted(self.stale):
            print(f"\nNO EXCEPTION: {test} passes; take it out of the list")
        for worse in self.broken.values():
            for name, outcome in worse.items():
                print(f"\nLOST: {name}: {outcome.outcome}\n{outcome.detail}".rstrip())


def counts(found: dict[str, Outcome], outcome: str, test: str | None = None) -> int:
    """How many tests, subtests not counted, ended so; or whether *test* did."""
    return sum(
        seen.outcome == outcome and seen.test == name and test in (None, name)
        for name, seen in found.items()
    )


def last_line(outcome: Outcome) -> str:
    return (outcome.detail.strip().splitlines() or [""])[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description="The interpreter's own tests, with sigcffi.")
    parser.add_argument("part", nargs="*", help="only modules with this in their name")
    wanted: list[str] = parser.parse_args().part
    print(f"{sys.implementation.name} {sys.version.split()[0]}", flush=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # What a shell starts in the background ignores it; some of these tests wait for it then.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    report = Report()
    try:
        parts = [(available(part), part) for part in PARTS]
        with environments() as pythons:
            check_replacement(pythons)
            for name, part in parts:
                if name and (not wanted or any(word in name for word in wanted)):
                    report.add(pythons, name, part)
    except CannotCompareError as error:
        if report.rows:
            report.show()
        print(f"\nCANNOT COMPARE: {error}")
        return 2
    report.show()
    return 1 if report.broken or report.stale else 0


if __name__ == "__main__":
    sys.exit(main())
