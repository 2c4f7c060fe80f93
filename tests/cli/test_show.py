"""``sigcffi show``, and what all commands have in common."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COMMAND, line_of, outcome, running, sigcffi_says
from support import DEADLINE, run_python, running_python, says, until

import sigcffi as signal


@pytest.mark.parametrize("words", [[], ["show"]])
def test_without_a_process_it_is_the_table_of_this_interpreter(words: list[str]) -> None:
    status, said, complained = outcome(*words)
    lines = said.splitlines()
    assert (status, complained) == (0, "")
    assert lines[0].split() == [
        *("NO", "NAME", "MEANING", "DEFAULT", "DISPOSITION", "BLOCKED", "PENDING", "DELIVERIES")
    ]
    assert len(lines) == 1 + len(signal.valid_signals())
    assert [line.split()[1] for line in lines[1:3]] == ["SIGHUP", "SIGINT"]
    assert "Python handler default_int_handler" in lines[2]


def test_its_json_says_the_same() -> None:
    status, said, complained = outcome("--json")
    assert (status, complained) == (0, "")
    found = json.loads(said)
    [interrupt] = [each for each in found["signals"] if each["name"] == "SIGINT"]
    assert interrupt["handler"] == "default_int_handler"
    assert interrupt["default_action"] == "terminate"
    assert len(found["threads"]) == 1


@pytest.fixture
def somebody() -> object:
    """A process that ignores SIGUSR1 and has SIGHUP pending, and a thread that blocks SIGUSR2."""
    code = """
        import os, signal, sys, threading
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        end = threading.Event()
        def second():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
            print(flush=True)
            end.wait()
        threading.Thread(target=second, daemon=True).start()
        os.kill(os.getpid(), signal.SIGHUP)
        sys.stdin.read(1)
    """
    with running_python(code) as child:
        says(child, b"\n")
        until(lambda: signal.process_signals(child.pid).pending, "it has sent itself something")
        yield child


def test_a_process_is_told_as_a_table(somebody: subprocess.Popen[bytes]) -> None:
    status, said, complained = outcome("show", str(somebody.pid), "--threads")
    assert (status, complained) == (0, "")
    [first, heading, *lines] = said.splitlines()
    assert first.startswith(f"process {somebody.pid} (")
    assert first.endswith(", sleeping, 2 threads")
    assert heading.split()[-3:] == ["DISPOSITION", "BLOCKED", "PENDING"]
    rows = {line.split()[1]: re.split(r" {2,}", line)[-2:] for line in lines}
    threads = signal.process_signals(somebody.pid).threads
    assert rows["SIGHUP"] == ["yes", "process"]
    assert rows["SIGUSR2"] == ["1 of 2 threads", f"thread {threads[1].tid}"]
    assert "ignored" in next(line for line in lines if " SIGUSR1 " in line)
    assert "caught" in next(line for line in lines if " SIGINT " in line)
    assert lines[-3].split() == ["THREAD", "NAME", "STATE", "BLOCKED", "PENDING"]
    assert re.split(r" {2,}", lines[-1])[-3:] == ["sleeping", "SIGHUP SIGUSR2", "SIGUSR2"]


def test_processes_are_told_in_json(somebody: subprocess.Popen[bytes]) -> None:
    status, said, complained = outcome("show", "--json", str(somebody.pid), str(os.getpid()))
    assert (status, complained) == (0, "")
    first, second = json.loads(said)["processes"]
    assert (first["pid"], second["pid"]) == (somebody.pid, os.getpid())
    assert "SIGUSR1" in first["ignored"]
    assert "SIGINT" in first["caught"]
    assert first["pending"] == ["SIGHUP"]
    assert first["threads"][1]["blocked"] == ["SIGHUP", "SIGUSR2"]
    assert first["threads"][1]["pending"] == ["SIGUSR2"]


def test_a_process_that_is_gone_keeps_nobody_else_from_being_shown() -> None:
    status, said, complained = outcome("show", "--json", "2147483647", str(os.getpid()))
    assert status == 1
    assert complained == "sigcffi show: process 2147483647: No such process\n"
    assert [each["pid"] for each in json.loads(said)["processes"]] == [os.getpid()]


def test_it_watches_until_the_process_has_ended(somebody: subprocess.Popen[bytes]) -> None:
    with running("show", "--json", "--watch", "0.01", str(somebody.pid)) as process:
        for _ in range(3):
            assert json.loads(line_of(process.stdout))["processes"][0]["pid"] == somebody.pid
        somebody.kill()
        somebody.wait()
        assert process.stdout is not None
        rest = process.stdout.readall()
        assert process.wait(DEADLINE) == 0
        assert process.stderr.readall().decode() == (  # type: ignore[union-attr]
            f"sigcffi show: process {somebody.pid} has ended\n"
        )
        assert rest.endswith(b"\n") or rest == b""


def test_it_watches_until_ctrl_c() -> None:
    with running("--watch", "1000") as process:
        while "SIGRTMAX" not in line_of(process.stdout):
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
        assert process.stderr is not None
        assert process.stderr.readall() == b""


# ---- What all commands have in common ----

COMMANDS = ["show", "watch", "send", "run"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_tells_what_it_takes(name: str) -> None:
    status, said, complained = outcome(name, "--help", env=os.environ | {"NO_COLOR": "1"})
    assert (status, complained) == (0, "")
    assert said.startswith(f"usage: sigcffi {name} ")
    assert "--json" in said


def test_help_names_the_commands() -> None:
    status, said, complained = outcome("--help")
    assert (status, complained) == (0, "")
    assert [name for name in COMMANDS if f"  {name} " in said] == COMMANDS


def test_the_version_is_the_packages() -> None:
    assert outcome("--version") == (0, f"sigcffi {signal.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (["shwo"], 2, "sigcffi: there is no command 'shwo': did you mean show?"),
        (["xyzzy"], 2, "sigcffi: there is no command 'xyzzy'"),
        (["show", "x"], 2, "sigcffi show: argument PID: 'x' is not the number of a process"),
        (["show", "0"], 2, "sigcffi show: argument PID: '0' is not the number of a process"),
        (
            ["--watch", "-1"],
            2,
            "sigcffi show: argument --watch: '-1' is no time: 5, 0.5, 5s, 5m, 5h,",
        ),
        (["show", "--jsn"], 2, "sigcffi show: unrecognized arguments: --jsn"),
        (["watch"], 2, "sigcffi watch: the following arguments are required: SIGNAL"),
        (
            ["watch", "SIGTREM"],
            2,
            "sigcffi watch: argument SIGNAL: unknown signal 'SIGTREM': did you mean SIGTERM?",
        ),
        (["watch", "kill"], 2, "sigcffi watch: argument SIGNAL: nothing can be done about SIGKILL"),
        (["watch", "none"], 2, "sigcffi watch: there is nothing to watch"),
        (["watch", "65"], 2, "sigcffi watch: argument SIGNAL: there is no signal '65'"),
        (["watch", "RTMIN+99"], 2, "sigcffi watch: argument SIGNAL: no signal 'RTMIN+99'"),
        (["send", "TERM"], 2, "sigcffi send: the following arguments are required: PID"),
        (["send", "TERM", "-5"], 2, "sigcffi send: "),
        (["send", "qsr1", "1"], 2, "sigcffi send: argument SIGNAL: unknown signal 'qsr1': did you"),
        (
            ["send", "TERM", "1", "--value", "2147483648"],
            2,
            "sigcffi send: argument --value: '2147",
        ),
        (
            ["send", "TERM", "1", "--then", "KILL"],
            2,
            "sigcffi send: argument --then: 'KILL' is not",
        ),
        (
            ["send", "TERM", "1", "2", "--thread", "1"],
            2,
            "sigcffi send: --thread is of one process",
        ),
        (["run"], 125, "sigcffi run: there is no command"),
        (["run", "--"], 125, "sigcffi run: there is no command"),
        (["run", "--timeout", "x", "true"], 125, "sigcffi run: argument --timeout: 'x' is no time"),
        (["run", "--timeout", "1e400", "true"], 125, "sigcffi run: argument --timeout: '1e400' is"),
        (["run", "--timeout", "9" * 30, "true"], 125, "sigcffi run: argument --timeout: "),
        (
            ["run", "--rewrite", "TERM", "true"],
            125,
            "sigcffi run: argument --rewrite: 'TERM' is not",
        ),
        (
            ["run", "--rewrite", "KILL:TERM", "true"],
            125,
            "sigcffi run: argument --rewrite: nothing",
        ),
        (
            ["run", "--ignore", "STOP", "true"],
            125,
            "sigcffi run: argument --ignore: nothing can be",
        ),
        (["run", "--block", "", "true"], 125, "sigcffi run: argument --block: unknown signal ''"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_what_is_not_understood_is_said_in_one_line(
    words: list[str], status: int, complaint: str
) -> None:
    found, said, complained = outcome(*words)
    assert (found, said) == (status, "")
    assert complained.count("\n") == 1
    assert complained.startswith(complaint), complained


def test_the_console_script_is_the_same() -> None:
    script = Path(sys.executable).with_name("sigcffi")
    done = subprocess.run([script, "send", "x", "1"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, outcome("send", "x", "1")[2])


def test_a_reader_that_is_gone_ends_it_as_it_ends_others() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "show"], stdout=writing, stderr=subprocess.PIPE, timeout=DEADLINE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
def test_what_cannot_be_written_is_a_failure() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "show"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "sigcffi show: No space left on device\n")


def test_show_imports_little() -> None:
    code = """
        import argparse, sys
        from sigcffi._cli.main import main
        argparse.ArgumentParser()  # PyPy's brings threading
        before = set(sys.modules)
        main(["show"])
        slow = {"json", "difflib", "typing", "subprocess", "asyncio", "inspect", "threading"}
        print(*sorted(slow & set(sys.modules) - before), file=sys.stderr)
        print(*sorted(n for n in sys.modules if n.startswith("sigcffi._cli.")), file=sys.stderr)
    """
    slow, own = run_python(code).stderr.splitlines()
    assert slow == ""
    assert own == "sigcffi._cli.main sigcffi._cli.show sigcffi._cli.words"


def test_nothing_but_its_own_complaint_comes_of_a_hidden_failure() -> None:
    done = sigcffi_says("show", str(2**31 - 1))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
