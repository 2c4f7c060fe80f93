"""Standard streams that are closed, full or broken: what nobody can read changes no status of a
command that did not have to say anything, and is never a traceback.
"""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from commands import COMMAND, line_of, python, sigcffi_says
from support import DEADLINE

OWN = str(os.getpid())
TERMINATED = ["run", "--", "sh", "-c", "kill -TERM $$"]
BAD, FULL = "Bad file descriptor", "No space left on device"
needs_full = pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="no device that is always full"
)


def outcome(redirected: str, *words: str) -> tuple[int, str, str]:
    """Of a command whose streams the shell has redirected."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *COMMAND, *words],
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["run", "--", "true"], 0),
        (["run", "--", "sh", "-c", "exit 7"], 7),
        (TERMINATED, -signal.SIGTERM),
        (["send", "0", OWN], 0),
    ],
)
def test_who_has_nothing_to_say_needs_no_stream(closed: str, words: list[str], status: int) -> None:
    assert outcome(closed, *words) == (status, "", "")


def test_the_command_has_no_stream_that_was_closed() -> None:
    listing = ["run", "--", "sh", "-c", "ls /proc/$$/fd"]
    assert outcome("<&- 2>&-", *listing)[1].split() == ["1"]


@pytest.mark.parametrize(
    ("redirected", "why"), [(">&-", BAD), pytest.param(">/dev/full", FULL, marks=needs_full)]
)
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["show"], 1),
        (["show", "--json"], 1),
        (["show", OWN, "--watch", "1"], 1),
        (["send", "--json", "0", OWN], 1),
        (["--help"], 1),
        (["watch", "--help"], 1),
        (["run", "--help"], 125),
    ],
)
def test_what_cannot_be_written_is_one_line(
    redirected: str, why: str, words: list[str], status: int
) -> None:
    name = "" if words[0].startswith("-") else f" {words[0]}"
    assert outcome(redirected, *words) == (status, "", f"sigcffi{name}: {why}\n")


@pytest.mark.parametrize("redirected", ["2>&-", pytest.param("2>/dev/full", marks=needs_full)])
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["no-such-command"], 2),
        (["send", "USR1"], 2),
        (["send", "0", str(2**31 - 1)], 1),
        (["run", "--", "no-such-command"], 127),
        (["run", "--init", "--", "sh", "-c", "exit 7"], 7),
        (["run", "--json", "--", "true"], 125),
        (["run", "--json", "--init", "--", "true"], 125),
        (["run", "--json", *TERMINATED[1:]], 125),
    ],
)
def test_where_nobody_reads_complaints_the_status_tells(
    redirected: str, words: list[str], status: int
) -> None:
    assert outcome(redirected, *words) == (status, "", "")


def test_a_report_that_nobody_reads_is_not_the_end_by_a_signal() -> None:
    """That would be taken for the command's."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [*COMMAND, "run", "--json", "--", "true"]
    done = subprocess.run(words, stderr=writing, timeout=DEADLINE, check=False)
    os.close(writing)
    assert done.returncode == 125


@needs_full
def test_a_complaint_that_cannot_be_written_leaves_the_stream_to_the_command() -> None:
    command = ["sh", "-c", "readlink /proc/$$/fd/2"]
    assert outcome("2>/dev/full", "run", "--init", *command) == (0, "/dev/full\n", "")


def test_a_name_that_the_locale_has_no_characters_for_is_shown() -> None:
    code = """
with open("/proc/self/comm", "wb") as file:
    file.write("xä".encode())
print(flush=True)
input()
"""
    with subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line_of(process.stdout)
        in_ascii = os.environ | {"PYTHONIOENCODING": "ascii"}
        done = sigcffi_says("show", str(process.pid), env=in_ascii)
        process.communicate(b"\n", DEADLINE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "(x\\xe4)" in done.stdout


def test_watch_ends_with_the_first_signal_that_it_cannot_tell_of() -> None:
    words = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "watch", "USR1"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, bufsize=0) as process:
        try:
            assert "waits for SIGUSR1" in line_of(process.stderr)
            process.send_signal(signal.SIGUSR1)
            assert line_of(process.stderr) == f"sigcffi watch: {BAD}"
            assert process.wait(DEADLINE) == 1
        finally:
            process.kill()
