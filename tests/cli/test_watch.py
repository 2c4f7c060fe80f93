"""``sigcffi watch``: each signal that comes, with all that it carries."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from commands import json_line_of, line_of, running
from support import DEADLINE

import sigcffi as signal


def begun(process: subprocess.Popen[bytes], names: str, ends: str = "SIGINT") -> None:
    expected = f"sigcffi watch: process {process.pid} waits for {names}; {ends} ends it"
    assert line_of(process.stderr) == expected


def test_each_signal_is_a_line() -> None:
    with running("watch", "USR1", "RTMIN+1") as process:
        begun(process, "SIGUSR1, SIGRTMIN+1")
        for value in range(20):
            signal.sigqueue(process.pid, signal.SIGRTMIN + 1, value)
        who = f"by process {os.getpid()} of user {os.getuid()}"
        for value in range(20):
            moment, _, text = line_of(process.stdout).partition(" ")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[-+]\d{4}", moment)
            assert text == f"SIGRTMIN+1 queued with value {value} {who}"
        process.send_signal(signal.SIGUSR1)
        assert line_of(process.stdout).endswith(f" SIGUSR1 sent with kill {who}")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
        assert process.stderr is not None
        assert process.stderr.readall() == b""


def test_its_json_has_the_fields_that_mean_something() -> None:
    with running("watch", "--json", "usr2,hup", "RTMAX") as process:
        begun(process, "SIGHUP, SIGUSR2, SIGRTMAX")
        signal.sigqueue(process.pid, signal.SIGRTMAX, -3)
        found = json_line_of(process.stdout)
        assert found.pop("time")[:2] == "20"
        assert found == {
            "signal": "SIGRTMAX",
            "si_signo": signal.SIGRTMAX,
            "si_code": signal.SI_QUEUE,
            "si_errno": 0,
            "si_value": -3,
            "si_pid": os.getpid(),
            "si_uid": os.getuid(),
            "code_name": "SI_QUEUE",
        }


@pytest.mark.parametrize(
    ("watched", "names", "ends"),
    [
        ("INT", "SIGINT", signal.SIGQUIT),
        ("INT,QUIT", "SIGINT, SIGQUIT", signal.SIGTERM),
        ("INT,QUIT,TERM", "SIGINT, SIGQUIT, SIGTERM", signal.SIGKILL),
    ],
)
def test_what_is_watched_does_not_end_it(watched: str, names: str, ends: signal.Signals) -> None:
    with running("watch", watched, preexec_fn=without_core) as process:
        begun(process, names, ends.name)
        for name in names.split(", "):
            process.send_signal(signal.Signals[name])
            assert f" {name} sent with kill " in line_of(process.stdout)
        process.send_signal(ends)
        assert process.wait(DEADLINE) == -ends


def without_core() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def test_all_can_be_watched() -> None:
    with running("watch", "all") as process:
        assert line_of(process.stderr).endswith("; SIGKILL ends it")
        for signum in sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}):
            process.send_signal(signum)
            assert " sent with kill by process " in line_of(process.stdout)
