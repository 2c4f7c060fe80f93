"""The command line, as a user runs it: in a process of its own."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support import DEADLINE

COMMAND = [sys.executable, "-W", "error", "-m", "sigcffi"]


def sigcffi_says(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that has come to its end."""
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
        **options,
    )


def outcome(*words: str, **options: Any) -> tuple[int, str, str]:
    done = sigcffi_says(*words, **options)
    return done.returncode, done.stdout, done.stderr


@contextmanager
def running(*words: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs, with pipes from what it says and complains of, not buffered; who is left
    at the end of the block is killed.
    """
    with subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(stream: Any) -> str:
    """The next line of what a process says, which it does not keep to itself for ever."""
    assert select.select([stream], [], [], DEADLINE)[0], f"nothing was said in {DEADLINE} s"
    line: bytes = stream.readline()
    return line.decode().rstrip("\n")


def json_line_of(stream: Any) -> Any:
    return json.loads(line_of(stream))


def python(code: str, *arguments: str) -> list[str]:
    """The words of a command that is a Python program."""
    return [sys.executable, "-S", "-E", "-W", "error", "-c", code, *arguments]
