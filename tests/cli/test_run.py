"""``sigcffi run``: how it ends, what the command starts with, and its limits of time. Where
timeout(1) and env(1) of GNU are, they are asked the same.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COMMAND, line_of, outcome, python, running
from support import DEADLINE, in_time

import sigcffi as signal


def is_gnu(name: str, *words: str) -> bool:
    try:
        said = subprocess.run([name, *words], capture_output=True, check=False).stdout
    except FileNotFoundError:
        return False
    return b"GNU coreutils" in said


needs_env = pytest.mark.skipif(not is_gnu("env", "--version"), reason="no env(1) of GNU")


def without_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def status_of(*words: str) -> int:
    done = subprocess.run(
        words, stderr=subprocess.DEVNULL, preexec_fn=without_core, timeout=DEADLINE, check=False
    )
    return done.returncode


def killed_by(signum: int) -> list[str]:
    code = """
import os, signal, sys
signum = int(sys.argv[1])
if signum != signal.SIGKILL:
    signal.signal(signum, signal.SIG_DFL)
os.kill(os.getpid(), signum)
"""
    return python(code, str(int(signum)))


# ---- How it ends ----


@pytest.mark.parametrize("status", [0, 1, 2, 42, 124, 255])
def test_it_exits_as_its_command_exits(status: int) -> None:
    assert status_of(*COMMAND, "run", "--", "sh", "-c", f"exit {status}") == status


@pytest.mark.parametrize("name", ["TERM", "KILL", "HUP", "INT", "PIPE", "SEGV", "ABRT", "RTMIN"])
def test_it_ends_by_the_signal_that_ended_its_command(name: str) -> None:
    signum = getattr(signal, f"SIG{name}")
    assert status_of(*COMMAND, "run", *killed_by(signum)) == -signum


@pytest.mark.skipif(sys.platform != "linux", reason="which ones, the C library decides")
@pytest.mark.parametrize("signum", [32, 33])
def test_it_ends_by_a_signal_that_the_c_library_keeps_for_itself(signum: int) -> None:
    command = python("import os, sys; os.kill(os.getpid(), int(sys.argv[1]))", str(signum))
    assert signum not in signal.valid_signals()
    assert status_of(*command) == -signum
    assert status_of(*COMMAND, "run", *command) == -signum
    assert status_of(*COMMAND, "run", "--json", *command) == -signum


def test_a_command_that_is_not_found_is_told_from_one_that_cannot_be_run(tmp_path: Path) -> None:
    no_program = tmp_path / "program"
    no_program.write_text("")
    for path, status, reason in [
        ("no-such-command", 127, "No such file or directory"),
        ("", 127, "No such file or directory"),
        ("/no/such/command", 127, "No such file or directory"),
        (str(no_program), 126, "Permission denied"),
        (str(tmp_path), 126, "Permission denied"),
        (f"{no_program}/x", 126, "Not a directory"),
    ]:
        named = path or "''"
        complaint = f"sigcffi run: {named}: {reason}\n"
        assert outcome("run", "--", path) == (status, "", complaint)
        if is_gnu("timeout", "--version"):
            assert status_of("timeout", "0", path) == status


def test_the_path_is_searched_as_execvp_searches_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, mode in ((first, 0o644), (second, 0o755)):
        folder.mkdir()
        (folder / "the-command").write_text("echo $0 $1; exit 3")  # no interpreter is named
        (folder / "the-command").chmod(mode)
    for path, expected in {
        f"/no/such/folder:{first}:{second}": (3, f"{second}/the-command x\n", ""),
        f"{first}": (126, "", "sigcffi run: the-command: Permission denied\n"),
    }.items():
        assert outcome("run", "the-command", "x", env=os.environ | {"PATH": path}) == expected


def test_options_end_where_the_command_begins() -> None:
    words = ["sh", "-c", 'echo "$@"', "sh", "--timeout", "--", "-x"]
    for begin in ([], ["--"], ["--timeout", "1000", "--"], ["--timeout=1000"]):
        assert outcome("run", *begin, *words) == (0, "--timeout -- -x\n", "")


def test_it_says_in_json_what_came_of_it() -> None:
    status, said, complained = outcome("run", "--json", "sh", "-c", "echo x; exit 3")
    assert (status, said) == (3, "x\n")
    found = json.loads(complained)
    assert found.pop("seconds") >= 0
    assert found.pop("pid") > 0
    assert found == {
        "command": ["sh", "-c", "echo x; exit 3"],
        "status": 3,
        "signal": None,
        "timed_out": False,
        "forwarded": {},
        "orphans": 0,
    }


def test_no_second_core_is_dumped(tmp_path: Path) -> None:
    """The command's own limit stays: a process of run's alone has none to dump."""
    code = "import resource, os; print(resource.getrlimit(resource.RLIMIT_CORE)); os.abort()"
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    done = subprocess.run(
        [*COMMAND, "run", sys.executable, "-u", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGABRT, f"{limits}\n")
    assert len(list(tmp_path.iterdir())) <= 1


# ---- What the command starts with ----

SHOW = ["cat", "/proc/self/status"]
needs_proc = pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="no /proc that tells of processes"
)
ALL = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def word(*signums: int) -> int:
    return sum(1 << (signum - 1) for signum in signums)


def begins_with(*words: str, ignored: int = 0, blocked: int = 0) -> bool:
    done = subprocess.run([*words, *SHOW], capture_output=True, text=True, check=False)
    words_of = dict(re.findall(r"^Sig(Blk|Ign):\s+(\w+)$", done.stdout, re.MULTILINE))
    # The C library keeps two signals for itself, which its posix_spawn lets a child ignore.
    every = word(*signal.valid_signals())
    found = {name: int(digits, 16) & every for name, digits in words_of.items()}
    assert found == {"Blk": blocked, "Ign": ignored}, done
    return True


@needs_proc
def test_nothing_is_ignored_or_blocked_because_python_does() -> None:
    assert begins_with(*COMMAND, "run")


@needs_proc
@pytest.mark.parametrize("option", ["--ignore", "--block"])
@pytest.mark.parametrize(
    ("names", "signums"),
    [
        ("USR1", [signal.SIGUSR1]),
        ("USR1,SIGHUP,rtmin+1", [signal.SIGUSR1, signal.SIGHUP, signal.SIGRTMIN + 1]),
        ("PIPE", [signal.SIGPIPE]),
        ("INT,CHLD", [signal.SIGINT, signal.SIGCHLD]),
        ("all", sorted(ALL)),
    ],
)
def test_the_command_starts_as_it_is_told(option: str, names: str, signums: list[int]) -> None:
    kind = "ignored" if option == "--ignore" else "blocked"
    assert begins_with(*COMMAND, "run", option, names, "--", **{kind: word(*signums)})


@needs_proc
@needs_env
def test_what_was_ignored_and_blocked_before_stays_so() -> None:
    before = ["env", "--ignore-signal=HUP,CHLD", "--block-signal=USR1,INT"]
    ignored, blocked = word(signal.SIGHUP, signal.SIGCHLD), word(signal.SIGUSR1, signal.SIGINT)
    assert begins_with(*before, ignored=ignored, blocked=blocked)
    assert begins_with(*before, *COMMAND, "run", ignored=ignored, blocked=blocked)
    assert begins_with(*before, *COMMAND, "run", "--default", "all")
    some = [*before, *COMMAND, "run", "--default", "HUP,INT", "--ignore", "TERM"]
    assert begins_with(
        *some, ignored=word(signal.SIGCHLD, signal.SIGTERM), blocked=word(signal.SIGUSR1)
    )


@needs_proc
@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy takes SIGINT at its start")
@needs_env
def test_an_interrupt_that_was_ignored_before_stays_so() -> None:
    before = ["env", "--ignore-signal=INT"]
    assert begins_with(*before, *COMMAND, "run", ignored=word(signal.SIGINT))


@needs_proc
@needs_env
def test_env_is_told_the_same() -> None:
    theirs = ["env", "--default-signal", "--ignore-signal=USR1", "--block-signal=USR2"]
    ours = ["run", "--default", "all", "--ignore", "USR1", "--block", "USR2"]
    for command in (theirs, [*COMMAND, *ours]):
        known = {"ignored": word(signal.SIGUSR1), "blocked": word(signal.SIGUSR2)}
        assert begins_with(*command, **known)


def test_the_environment_is_the_one_that_was_given() -> None:
    """CPython adds LC_CTYPE where nothing is said of the locale."""
    given = {"PATH": os.environ["PATH"], "LC_ALL": "", "X": "y"}
    done = subprocess.run([*COMMAND, "run", "env"], env=given, capture_output=True, text=True)
    assert sorted(done.stdout.splitlines()) == sorted(f"{key}={given[key]}" for key in given)
    assert outcome("run", "sh", "-c", "echo $LC_CTYPE", env=given | {"LC_CTYPE": "C"})[1] == "C\n"


# ---- Limits of time ----

FOR_EVER = python("import time; time.sleep(10000)")


@pytest.mark.parametrize(
    ("words", "theirs", "status"),
    [
        (["--timeout", "0.2"], ["0.2"], 124),
        (["--timeout", "0.2", "--signal", "KILL"], ["-s", "KILL", "0.2"], 137),
        (["--timeout", "0.2", "--preserve-status"], ["--preserve-status", "0.2"], 128 + 15),
        (["--timeout", "0.2", "--signal", "USR1"], ["-s", "USR1", "0.2"], 124),
    ],
)
def test_a_command_whose_time_is_over_is_ended(
    words: list[str], theirs: list[str], status: int
) -> None:
    assert status_of(*COMMAND, "run", *words, "--", *FOR_EVER) == status
    if is_gnu("timeout", "--version"):
        found = status_of("timeout", *theirs, *FOR_EVER)
        # A timeout that kills its group is killed itself: shells say the same of both.
        assert found == status or 128 - found == status


@pytest.mark.parametrize("words", [["--timeout", "0"], ["--timeout", "1h"], []])
def test_a_command_that_ends_in_time_is_not(words: list[str]) -> None:
    assert status_of(*COMMAND, "run", *words, "--kill-after", "1d", "sh", "-c", "exit 5") == 5


def test_one_that_takes_no_notice_is_killed() -> None:
    """SIGTERM is ignored from its start: there is no moment in which it would end by that."""
    begin = [*COMMAND, "run", "--ignore", "TERM"]
    assert status_of(*begin, "--timeout", "0.1", "--kill-after", "0.1", *FOR_EVER) == 137


def test_the_time_to_kill_begins_also_with_a_signal_that_was_passed_on() -> None:
    command = python("print(flush=True); import time; time.sleep(10000)")
    with running("run", "--ignore", "TERM", "--kill-after", "0.1", *command) as process:
        assert line_of(process.stdout) == ""
        process.terminate()
        assert process.wait(DEADLINE) == -signal.SIGKILL


def test_another_signal_does_not_begin_it() -> None:
    code = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP, signal.SIGTERM])
print(flush=True)
print(int(signal.sigwait([signal.SIGHUP])), flush=True)
print(int(signal.sigwait([signal.SIGTERM])), flush=True)
"""
    with running("run", "--kill-after", "1000", "--json", *python(code)) as process:
        assert line_of(process.stdout) == ""
        for signum in (signal.SIGHUP, signal.SIGTERM):
            process.send_signal(signum)
            assert line_of(process.stdout) == str(int(signum))
        assert process.wait(DEADLINE) == 0


def test_one_that_is_stopped_is_continued_to_end() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    assert status_of(*COMMAND, "run", "--timeout", "0.3", *python(code)) == 124


def test_the_whole_group_is_ended() -> None:
    """Its members hold a pipe open: it ends with the last of them."""
    code = """
import os, time
if os.fork() == 0:
    print("member", flush=True)
time.sleep(10000)
"""

    def run(seconds: float) -> bytes | None:
        with running("run", "--group", "--timeout", str(seconds), *python(code)) as process:
            assert process.stdout is not None
            said: bytes = process.stdout.readall()
            assert process.wait(DEADLINE) == 124
        return said or None

    assert in_time(run) == b"member\n"
