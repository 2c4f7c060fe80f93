"""``shutdown``: the ends that C makes of a program, and what its parent sees."""

from __future__ import annotations

import itertools
from pathlib import Path

import endings
import pytest
from stuck import child, ended, ended_in_c
from support import FREE_THREADED, PYPY, run_python, says, taken, tell

import sigcffi as signal

TERM = signal.SIGTERM
PAGE = Path(__file__).parents[2] / "docs" / "stopping.md"


@pytest.mark.parametrize("force", [1, 2, 3])
def test_so_many_signals_behind_the_second_end_a_program_that_is_stuck(
    foreign_path: Path, force: int
) -> None:
    code = f"""
    with signal.shutdown(S, force={force}):
        sit()
    """
    with child(foreign_path, code, TERM) as process:
        says(process, b".")
        for _ in range(1 + force):
            process.send_signal(TERM)
            taken(process.pid, TERM)
        assert process.poll() is None
        process.send_signal(TERM)
        assert ended(process) == -TERM


def test_signals_of_both_kinds_count_together(foreign_path: Path) -> None:
    code = """
    with signal.shutdown(force=1):
        sit()
    """
    with child(foreign_path, code) as process:
        says(process, b".")
        for signum in signal.SIGTERM, signal.SIGINT:
            process.send_signal(signum)
            taken(process.pid, signum)
        process.send_signal(signal.SIGINT)
        assert ended(process) == -signal.SIGINT


def test_without_force_no_signal_ends_it(foreign_path: Path) -> None:
    code = """
    with signal.shutdown(S, force=None) as stop:
        sit()
    os._exit(23)
    """
    with child(foreign_path, code, TERM) as process:
        says(process, b".")
        for _ in range(10):
            process.send_signal(TERM)
            taken(process.pid, TERM)
        tell(process)
        assert ended(process) == 23


def test_the_traceback_is_printed_before_where_faulthandler_is_enabled(foreign_path: Path) -> None:
    code = """
    import faulthandler
    faulthandler.enable()

    def stuck_here():
        with signal.shutdown(S, force=1):
            sit()

    stuck_here()
    """
    with child(foreign_path, code, TERM) as process:
        says(process, b".")
        for _ in range(2):
            process.send_signal(TERM)
            taken(process.pid, TERM)
        process.send_signal(TERM)
        assert ended(process, b"stuck_here") == -TERM


@pytest.mark.parametrize(("grace", "signals"), [(0.01, 1), (None, 2)])
def test_kill_after_ends_a_program_that_does_not_come_to_its_interruption(
    foreign_path: Path, grace: float | None, signals: int
) -> None:
    # A section keeps the interruption away until C is stuck.
    code = f"""
    with signal.shutdown(S, grace={grace}, kill_after=SECONDS), signal.deferred():
        for _ in range({signals}):
            os.kill(os.getpid(), S)
        sit()
    """
    status, said = ended_in_c(foreign_path, code)
    assert status == -signal.SIGUSR1
    assert b"no sign of life" in said


def test_kill_after_does_not_end_a_program_that_is_cleaning_up() -> None:
    code = """
    import os, time, sigcffi as signal
    with signal.shutdown(signal.SIGUSR1, grace=0, kill_after=0.2) as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            while True:
                time.sleep(0.001)
        finally:
            end = time.monotonic() + 0.4
            while time.monotonic() < end:
                pass
    print(stop.stage)
    """
    assert run_python(code).stdout == "interrupted\n"


def test_kill_after_is_over_with_the_block() -> None:
    code = """
    import os, time, sigcffi as signal
    with signal.shutdown(signal.SIGUSR1, grace=0.1, kill_after=0.1):
        os.kill(os.getpid(), signal.SIGUSR1)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        pass
    print("alive")
    """
    assert run_python(code).stdout == "alive\n"


EXIT = """
    import atexit, ctypes, os, signal as standard, sys
    import sigcffi as signal
    atexit.register(print, "at exit")
    with signal.shutdown() as stop:
        {how}
        stop.wait()
    sys.stdout.write("not flushed, ")
    stop.exit()
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_exit_ends_as_the_signal_would_have_when_all_is_done(signum: int) -> None:
    code = EXIT.format(how=f"os.kill(os.getpid(), {int(signum)})")
    done = run_python(code)
    assert (done.returncode, done.stdout, done.stderr) == (-signum, "not flushed, at exit\n", "")


def test_exit_without_a_signal_is_a_success() -> None:
    done = run_python(EXIT.format(how="stop.request('enough')"))
    assert done.stdout == "not flushed, at exit\n"


def test_exit_belongs_to_the_main_thread() -> None:
    code = """
    import os, threading, sigcffi as signal
    with signal.shutdown(signal.SIGUSR1) as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
    def leave():
        try:
            stop.exit()
        except ValueError as error:
            print(error)
    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    """
    assert "main thread" in run_python(code).stdout


def test_a_child_of_a_program_that_is_exiting_exits_as_it_says() -> None:
    code = """
    import os, sys, sigcffi as signal
    with signal.shutdown(signal.SIGUSR1) as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
    try:
        stop.exit()
    finally:
        pid = os.fork()
        if pid == 0:
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGUSR1, "7\n")


@pytest.mark.skipif(PYPY, reason="PyPy's own loops look for signals: nothing is stuck in C")
@pytest.mark.parametrize(
    ("where", "way"),
    list(itertools.product(endings.places(), endings.WAYS)),
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_a_program_ends_as_the_documentation_says(
    where: str, way: tuple[str, str, list[str], int]
) -> None:
    how, *rest = way
    if where == "threads" and FREE_THREADED and "stuck" in how:
        pytest.skip("free-threaded: one thread that is stuck does not hold up the others")
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines()]
    [columns] = [line for line in lines if line[0] == "reached by"]
    [row] = [line for line in lines if line[0] == how]
    assert endings.ending(where, *rest) == row[columns.index(where)]
