"""The examples run as they stand."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support import DEADLINE, asleep, in_time, taken, until

import sigcffi as signal

EXAMPLES = Path(__file__).parents[2] / "examples"


def outcome(name: str, *arguments: str) -> tuple[int, str, str]:
    """Of a run of an example: its status, its output, and what it has complained of."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "expected", "status"),
    [
        (
            "open_with_timeout.py",
            "Opening a device that nobody answers for, for at most 2 seconds ...\n"
            "Signal handler called with signal 14 (Alarm clock)\n"
            "Gave up: Couldn't open device!\n",
            0,
        ),
        (
            "stop_a_c_loop.py",
            "Adding up pi until a signal comes ...\nStopped: True. It is about 3.14.\n",
            0,
        ),
        ("compress.py", "compress.py: compressed\n", 0),
        (
            "supervisor.py",
            "program: working\nprogram: stopping\n"
            "supervisor: the program has ended with status 7\n",
            7,
        ),
    ],
)
def test_an_example_ends_by_itself_and_says_what_happened(
    name: str, expected: str, status: int
) -> None:
    assert outcome(name) == (status, expected, "")


def test_steps_are_given_up_when_their_time_is_over_and_others_are_not() -> None:
    def run(seconds: float) -> tuple[int, str, str] | None:
        done = outcome("steps_with_deadlines.py", str(seconds))
        return None if "quick: given up" in done[1] else done

    expected = (
        "quick: done\nstuck: given up\nstubborn: given up\nreport: complete\n"
        "quick: done\nstuck: given up\nreport: the job's time was over\n"
    )
    assert in_time(run) == (0, expected, "")


def test_a_first_process_waits_for_orphans_and_ends_as_its_program() -> None:
    status, said, complained = outcome("first_process.py")
    if "no PID namespace" in complained:
        pytest.skip("no PID namespace can be made here")
    assert complained == ""
    assert said == (
        "program: working, as process 2\nprogram: stopping\n"
        "first process: the program has ended with status 7; orphans waited for: 3\n"
    )
    assert status == 7


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_the_supervisor_ends_as_what_it_runs_ends(signum: int) -> None:
    program = "import sys; print('there', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "supervisor.py", sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signum)
        process.wait(DEADLINE)
        said = process.stdout.read()
    assert said == f"supervisor: the program has ended with status {-signum}\n"
    assert process.returncode == -signum


def test_every_example_is_run() -> None:
    [mark] = test_an_example_ends_by_itself_and_says_what_happened.pytestmark  # type: ignore[attr-defined]
    run = {row[0] for row in mark.args[1]} | {"graceful_server.py", "steps_with_deadlines.py"}
    run |= {"worker.py", "first_process.py", "test_transfer.py"}
    assert run == {path.name for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("impatient", [False, True])
def test_a_server_lets_its_clients_finish_unless_it_is_asked_twice(impatient: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / "graceful_server.py", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(" ")[2])
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"
            server.terminate()
            name = Path("/proc/self/comm").read_text().rstrip()
            who = f"process {os.getpid()} of user {os.getuid()} ({name})"
            assert server.stdout.readline() == f"Asked to end by {who}\n"
            assert server.stdout.readline() == "Waiting for 1 to finish\n"
            if impatient:
                server.terminate()
                assert client.recv(100) == b""
            else:
                client.sendall(b"goodbye\n")
                assert client.recv(100) == b"goodbye\n"
        said, complained = server.communicate(timeout=DEADLINE)
    assert complained == ""
    assert said == ("" if impatient else "Everybody has finished\n")
    assert server.returncode == (-signal.SIGTERM if impatient else 0)


@pytest.mark.parametrize("impatient", [False, True])
def test_a_tool_that_is_stopped_leaves_nothing_half_done(tmp_path: Path, impatient: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    os.mkfifo(first)
    second.write_text("text")
    with subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / "compress.py", first, second],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tool:
        with open(first, "w") as source:  # it has begun
            until(lambda: (tmp_path / "first.gz").exists(), "the file to be written")
            # Before, an exception may strike between a file's opening and its "with".
            until(lambda: asleep(tool.pid), "the tool to read")
            tool.send_signal(signal.SIGINT)
            if impatient:
                taken(tool.pid, signal.SIGINT)
                tool.send_signal(signal.SIGINT)
                tool.wait(DEADLINE)
            else:
                source.write("text")
        said, complained = tool.communicate(timeout=DEADLINE)
    assert complained == ""
    assert said == ("first: given up\n" if impatient else "first: compressed\n")
    assert tool.returncode == -signal.SIGINT
    assert {path.name for path in tmp_path.glob("*.gz")} == (set() if impatient else {"first.gz"})


def test_a_worker_logs_in_a_thread_while_the_main_thread_has_the_lock() -> None:
    status, said, complained = outcome("worker.py")
    assert status == 0
    number = r"[0-9]+"
    assert re.fullmatch(
        "MainThread: job 1 is done\n"
        rf"sigcffi: process {number} wants the settings to be read again\n"
        "MainThread: job 2 is done\n"
        "MainThread: job 3 is done\n"
        "MainThread: asked to stop; 2 jobs are given back\n",
        said,
    )
    assert re.fullmatch(
        rf"\S+Z process ({number}): SIGTERM sent with kill by process \1 of user {number} \(.+\): "
        "the worker stops\n",
        complained,
    )


def test_a_test_module_finds_what_ctrl_c_does() -> None:
    """Also: the plugin does not mind that sigcffi was imported before pytest."""
    status, said, complained = outcome("test_transfer.py")
    assert (status, complained) == (0, ""), said
    assert "5 passed" in said
