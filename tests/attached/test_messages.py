"""``actions.message``: a line that says who has sent a signal, at once or not at all."""

from __future__ import annotations

import errno
import os
import pty
import re
import signal as standard
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import (
    Recorder,
    join,
    python_says,
    queue,
    readable,
    run_python,
    running_python,
    says,
    until_ended,
)

import sigcffi as signal
from sigcffi import actions

S, R = signal.SIGUSR1, signal.SIGRTMIN

HERE = os.getpid()
UID = os.getuid()

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) process (?P<pid>\d+): (?P<rest>.*)\n"
)


class Lines:
    """A pipe that does not block where it is read, and what was written into it."""

    def __init__(self) -> None:
        self.reading, self.fd = os.pipe()
        os.set_blocking(self.reading, False)

    def rests(self) -> list[str]:
        """Of each line what stands behind time and process."""
        found = b""
        while True:
            try:
                piece = os.read(self.reading, 65536)
            except BlockingIOError:
                break
            if not piece:
                break
            found += piece
        rests = []
        for line in found.decode().splitlines(keepends=True):
            match = LINE.fullmatch(line)
            assert match is not None, line
            assert int(match["pid"]) == HERE
            rests.append(match["rest"])
        return rests


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    yield lines
    for fd in (lines.reading, lines.fd):
        os.close(fd)


def descriptors() -> set[int]:
    return {int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}


def command() -> str:
    return Path("/proc/self/comm").read_text().rstrip("\n")


# ---- What it says ----


def test_a_line_has_the_time_the_process_the_sender_and_the_text(lines: Lines) -> None:
    signal.signal(S, lambda signum, frame: None)
    with actions.message(S, lines.fd, text="worker 3 – in Ö") as message:
        before = datetime.now(UTC)
        os.kill(HERE, S)
        after = datetime.now(UTC)
        [line] = os.read(lines.reading, 4096).decode().splitlines(keepends=True)
        assert repr(message) == "<Message of SIGUSR1, attached>"
    match = LINE.fullmatch(line)
    assert match is not None
    assert before <= datetime.fromisoformat(match["time"]) <= after
    assert int(match["pid"]) == HERE
    assert match["rest"] == (
        f"SIGUSR1 sent with kill by process {HERE} of user {UID} ({command()}): worker 3 – in Ö"
    )


def test_it_speaks_as_describe_does_and_adds_the_senders_command(lines: Lines) -> None:
    recorder = Recorder()
    signums = S, R, R + 1, signal.SIGCHLD
    for signum in signums:
        signal.sigaction(signum, recorder)
    messages = [actions.message(signum, lines.fd) for signum in signums]
    os.kill(HERE, S)
    signal.pthread_kill(threading.get_ident(), S)
    queue(R, -7)
    with signal.Timer(R + 1, value=5) as timer:
        timer.settime(0.0001)
        while len(recorder.infos) < 4:
            signal.pause()
    child = subprocess.Popen(["/bin/sh", "-c", "exit 3"])
    until_ended(child.pid)
    while len(recorder.infos) < 5:
        signal.pause()
    child.wait()
    for message in messages:
        message.close()
    described = [info.describe() for info in recorder.infos]
    assert lines.rests() == [
        *(f"{line} ({command()})" for line in described[:3]),
        *described[3:],
    ]


def test_a_fault_is_told_with_its_address(lines: Lines) -> None:
    code = """
        import ctypes, sys, sigcffi as signal
        from sigcffi import actions

        actions.message(signal.SIGSEGV, text="so it is")
        ctypes.string_at(16)
    """
    done = run_python(code)
    assert done.returncode == -signal.SIGSEGV
    assert re.search(
        r"Z process \d+: SIGSEGV at address 0x10 \(code 1\): so it is\n$", done.stderr
    ), done.stderr


def test_what_a_command_is_called_can_do_nothing_to_a_terminal(lines: Lines) -> None:
    code = r"""
        import os, signal, sys

        with open("/proc/self/comm", "wb") as comm:
            comm.write(b"a\x1b[2J\xc2\x9b(b)")
        os.kill(int(sys.argv[1]), signal.SIGUSR1)
    """
    signal.signal(S, lambda signum, frame: None)
    with actions.message(S, lines.fd):
        with running_python(code, str(HERE)) as child:
            until_ended(child.pid)
            pid = child.pid
        [rest] = lines.rests()
    assert rest == f"SIGUSR1 sent with kill by process {pid} of user {UID} (a?[2J??(b))"


# ---- Who has sent it ----


def test_a_sender_that_has_ended_is_named_a_hundred_times_of_a_hundred(
    lines: Lines, tmp_path: Path
) -> None:
    """It has ended, for certain, before the signal is taken; nobody has waited for it yet."""
    signal.signal(R, lambda signum, frame: None)
    expected = []
    with actions.message(R, lines.fd) as message:
        for number in range(100):
            script = tmp_path / f"sender-{number}"
            script.write_text(f"#!/bin/sh\nkill -{int(R)} {HERE}\n")
            script.chmod(0o700)
            with signal.blocked(R):
                with subprocess.Popen([script]) as sender:
                    until_ended(sender.pid)
                    assert signal.sigpending() == {R}
                    assert lines.rests() == []
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, {R})
                expected.append(
                    f"SIGRTMIN sent with kill by process {sender.pid} of user {UID} "
                    f"(sender-{number})"
                )
                assert lines.rests() == expected[-1:]
        assert message.missed == 0


def test_of_a_sender_that_was_waited_for_number_and_user_are_known(lines: Lines) -> None:
    signal.signal(S, lambda signum, frame: None)
    with actions.message(S, lines.fd):
        with signal.blocked(S), subprocess.Popen(["/bin/sh", "-c", f"kill -10 {HERE}"]) as sender:
            pass
        assert lines.rests() == [f"SIGUSR1 sent with kill by process {sender.pid} of user {UID}"]


def test_with_the_default_action_behind_it_who_has_killed_a_program_stands_in_its_log() -> None:
    code = """
        import sys, time
        import sigcffi as signal
        from sigcffi import actions

        actions.message(signal.SIGTERM, text="goodbye")
        actions.default(signal.SIGTERM)
        print("there", flush=True)
        sum(range(10**12))
    """
    with running_python(code, stderr=subprocess.PIPE) as child:
        says(child, b"there\n")
        child.terminate()
        assert child.stderr is not None
        said = child.stderr.read().decode()
        assert child.wait() == -signal.SIGTERM
    match = LINE.fullmatch(said)
    assert match is not None
    assert int(match["pid"]) == child.pid
    assert match["rest"] == (
        f"SIGTERM sent with kill by process {HERE} of user {UID} ({command()}): goodbye"
    )


# ---- Where it is written ----


def test_a_full_pipe_that_blocks_is_counted_and_its_mode_is_its_owners(lines: Lines) -> None:
    signal.signal(S, lambda signum, frame: None)
    with actions.message(S, lines.fd) as message:
        sent = 0
        while not message.missed:
            os.kill(HERE, S)
            sent += 1
        os.kill(HERE, S)
        assert message.missed == 2
        assert os.get_blocking(lines.fd)
        assert len(lines.rests()) == sent - 1
        os.kill(HERE, S)
        assert (len(lines.rests()), message.missed) == (1, 2)
        assert repr(message) == "<Message of SIGUSR1, 2 missed, attached>"


def test_neither_a_closed_pipe_nor_a_limit_to_files_brings_a_signal(tmp_path: Path) -> None:
    code = """
        import os, resource, sys
        import sigcffi as signal
        from sigcffi import actions

        S = signal.SIGUSR1
        signal.signal(S, lambda signum, frame: None)
        for signum in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(signum, signal.SIG_DFL)
        ends = os.pipe()
        with actions.message(S, ends[1]) as closed, open(sys.argv[1], "wb") as file:
            os.close(ends[0])
            with actions.message(S, file) as limited:
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
                for _ in range(3):
                    os.kill(os.getpid(), S)
                print(closed.missed, limited.missed, set(signal.sigpending()))
    """
    assert python_says(code, str(tmp_path / "file")) == "3 3 set()\n"


def test_in_a_file_it_stands_between_what_the_program_has_written(tmp_path: Path) -> None:
    signal.signal(S, lambda signum, frame: None)
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as file, actions.message(S, file):
        for number in range(3):
            file.write(b"%d\n" % number)
            os.kill(HERE, S)
    written = path.read_text().splitlines(keepends=True)
    assert written[::2] == ["0\n", "1\n", "2\n"]
    assert all(LINE.fullmatch(line) for line in written[1::2])
    assert len(written) == 6


def typed(terminal: int) -> str:
    """A line, of which a terminal may have a part only for a while."""
    said = b""
    while not said.endswith(b"\n"):
        assert readable(terminal)
        said += os.read(terminal, 4096)
    return said.decode().replace("\r", "")


def test_on_a_terminal_it_does_not_wait_for_the_terminal_to_go_on() -> None:
    signal.signal(S, lambda signum, frame: None)
    master, slave = pty.openpty()
    try:
        with actions.message(S, master):  # what is written there its programs read
            os.kill(HERE, S)
            assert LINE.fullmatch(typed(slave))
        typed(master)  # the echo
        with actions.message(S, slave) as message:
            os.kill(HERE, S)
            assert LINE.fullmatch(typed(master))
            while not message.missed:  # until the terminal is full, which nobody reads
                os.kill(HERE, S)
            assert os.get_blocking(slave)
    finally:
        os.close(master)
        os.close(slave)


def test_many_threads_write_each_line_once_and_in_full(lines: Lines) -> None:
    each = 100
    signal.signal(R, lambda signum, frame: None)

    def send() -> None:
        for number in range(each):
            signal.pthread_sigqueue(threading.get_ident(), R, number)

    with actions.message(R, lines.fd) as message:
        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            join(sender)
        rests = lines.rests()
        assert len(rests) + message.missed == 4 * each
        assert len(rests) >= each


# ---- What is refused ----


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"text": 3}, TypeError),
        ({"text": b"bytes"}, TypeError),
        ({"text": "two\nlines"}, ValueError),
        ({"text": "two\rlines"}, ValueError),
        ({"text": "a\0b"}, ValueError),
        ({"text": "ä" * 129}, ValueError),
        ({"text": "\udc80"}, UnicodeEncodeError),
        ({"fd": -1}, OSError),
        ({"fd": 2**40}, OverflowError),
        ({"fd": "2"}, TypeError),
        ({"signum": 0}, ValueError),
        ({"signum": signal.SIGKILL}, OSError),
    ],
)
def test_bad_arguments_are_refused_before_anything_has_changed(
    options: dict[str, Any], error: type[Exception]
) -> None:
    before = standard.getsignal(S), descriptors()
    with pytest.raises(error):
        actions.message(**{"signum": S, **options})
    assert (standard.getsignal(S), descriptors()) == before


def test_a_descriptor_that_nothing_can_be_written_to_is_refused(lines: Lines) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011
        actions.message(S, lines.reading)
    assert caught.value.errno == errno.EBADF


def test_the_longest_text_is_written_in_full(lines: Lines) -> None:
    signal.signal(S, lambda signum, frame: None)
    with actions.message(S, lines.fd, text="ä" * 128):
        os.kill(HERE, S)
    assert lines.rests()[0].endswith(": " + "ä" * 128)


def test_its_descriptor_is_its_own_and_no_program_inherits_it(lines: Lines) -> None:
    signal.signal(S, lambda signum, frame: None)
    before = descriptors()
    with actions.message(S, lines.fd):
        [fd] = descriptors() - before
        assert fd > 2
        assert not os.get_inheritable(fd)
        copy = os.dup(lines.fd)
        os.close(lines.fd)
        os.kill(HERE, S)
        assert len(lines.rests()) == 1
        os.dup2(copy, lines.fd)
        os.close(copy)
    assert descriptors() == before
