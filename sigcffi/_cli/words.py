"""From the words of a command line to signals, processes and times; and what is said to the user.

Law: understands, and does nothing; what it does not understand is an ArgumentTypeError in one line.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from contextlib import suppress
from signal import NSIG, SIGKILL, SIGRTMAX, SIGRTMIN, SIGSTOP, Signals

from sigcffi._core.names import name_of
from sigcffi._masks.masks import valid_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn, TextIO

__all__ = [
    *("CATCHABLE", "Parser", "complain", "dumps", "names_of", "nearest"),
    *("number", "process", "rewriting", "say", "seconds", "signal", "signals", "step"),
]

Unclear = argparse.ArgumentTypeError

CATCHABLE = frozenset(map(int, valid_signals() - {SIGKILL, SIGSTOP}))
_UNITS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
_MOST_SECONDS = 2**63 // 10**9


def say(stream: TextIO | None, text: str, end: str = "\n") -> None:
    """Write to sys.stdout or sys.stderr; OSError if that cannot be. Not through their buffers: what
    they keep, the interpreter writes at its end once more, with a status of its own.
    """
    if stream is None:  # it was closed before this process began
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    left = (text + end).encode(stream.encoding, "backslashreplace")
    while left:
        left = left[os.write(stream.fileno(), left) :]


def complain(program: str, text: object) -> None:
    """One line on standard error, also where the text has several; where nobody can be told, the
    exit status tells.
    """
    line = " ".join(str(text).split())
    with suppress(OSError):
        say(sys.stderr, f"{program}: {line}")


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line, and ends with *usage_status* then."""

    def __init__(self, command: str, description: str, usage_status: int = 2) -> None:
        super().__init__(
            prog=f"sigcffi {command}",
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._usage_status = usage_status
        self.add_argument("--json", action="store_true", help="say it in JSON")

    def print_help(self, file: Any = None) -> None:
        say(file or sys.stdout, self.format_help(), end="")

    def error(self, message: str) -> NoReturn:
        complain(self.prog, message)
        sys.exit(self._usage_status)


def dumps(value: object) -> str:
    """A value in JSON, on one line."""
    import json  # rarely needed

    return json.dumps(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """What to say behind an unknown word: the known one that is nearest, or nothing."""
    import difflib  # rarely needed

    found = difflib.get_close_matches(word, list(known), 1)
    return f": did you mean {found[0]}?" if found else ""


def names_of(signums: Iterable[int]) -> list[str]:
    return [name_of(signum) for signum in sorted(signums)]


def signal(word: str) -> int:
    """The signal of a name, with or without "SIG", of RTMIN+n, RTMAX-n, or of a number."""
    name = word.upper().removeprefix("SIG")
    if name.isascii() and name.isdigit():
        signum = int(name)
    elif "SIG" + name in Signals.__members__:
        signum = int(Signals["SIG" + name])
    elif parts := re.fullmatch(r"RTMIN\+(\d{1,3})|RTMAX-(\d{1,3})", name, re.ASCII):
        up, down = parts.groups()
        signum = SIGRTMIN + int(up) if up else SIGRTMAX - int(down)
        if not SIGRTMIN <= signum <= SIGRTMAX:
            raise Unclear(f"no signal {word!r}: SIGRTMAX is SIGRTMIN+{SIGRTMAX - SIGRTMIN}")
    else:
        raise Unclear(f"unknown signal {word!r}{nearest('SIG' + name, Signals.__members__)}")
    if signum not in valid_signals():
        raise Unclear(f"there is no signal {word!r}: they go from 1 to {NSIG - 1}")
    return signum


def signal_or_none(word: str) -> int:
    """A signal, or 0 for "0"."""
    return 0 if word == "0" else signal(word)


def signals(words: str) -> frozenset[int]:
    """Some of the signals that can be caught: separated by commas, "all" or "none"."""
    if words == "all":
        return CATCHABLE
    if words == "none":
        return frozenset()
    found = frozenset(map(signal, words.split(",")))
    if impossible := found - CATCHABLE:
        raise Unclear(f"nothing can be done about {', '.join(names_of(impossible))}")
    return found


def seconds(word: str) -> float:
    """A time in seconds, or with one of the units s, m, h, d behind it."""
    parts = re.fullmatch(r"(\d+\.?\d*|\.\d+)([smhd]?)", word, re.ASCII)
    if parts is None:
        raise Unclear(f"{word!r} is no time: 5, 0.5, 5s, 5m, 5h, 5d")
    time = float(parts[1]) * _UNITS[parts[2]]
    if time >= _MOST_SECONDS:
        raise Unclear(f"{word!r} is too long")
    return time


def step(word: str) -> tuple[int, float]:
    """A signal and a time, SIGNAL:SECONDS."""
    name, colon, time = word.partition(":")
    if not colon:
        raise Unclear(f"{word!r} is not SIGNAL:SECONDS")
    return signal(name), seconds(time)


def rewriting(word: str) -> tuple[int, int]:
    """A signal that can be caught, and one that is passed on instead: A:B; B may be 0."""
    name, colon, other = word.partition(":")
    if not colon:
        raise Unclear(f"{word!r} is not A:B")
    signum = signal(name)
    signals(name)  # it can be caught
    return signum, signal_or_none(other)


def process(word: str) -> int:
    """The number of a process."""
    if not (word.isascii() and word.isdigit() and 0 < int(word) < 2**31):
        raise Unclear(f"{word!r} is not the number of a process")
    return int(word)


def number(word: str) -> int:
    """A C int."""
    if re.fullmatch(r"[+-]?\d+", word, re.ASCII) is None or not -(2**31) <= int(word) < 2**31:
        raise Unclear(f"{word!r} is not an integer from {-(2**31)} to {2**31 - 1}")
    return int(word)
