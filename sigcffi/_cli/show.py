"""``sigcffi show``: what every signal would do, in this interpreter or in any process.

Law: formats what ``dispositions`` and ``process_signals`` tell; decides nothing.
"""

from __future__ import annotations

import os
import sys
import time

from sigcffi import ProcessSignals, SignalState, ThreadSignals, dispositions, process_signals
from sigcffi._cli import words as _words
from sigcffi._cli.words import Parser, complain, dumps, names_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["main"]

_HEADINGS = ("NO", "NAME", "MEANING", "DEFAULT", "DISPOSITION", "BLOCKED", "PENDING")
_CLEAR = "\033[H\033[J"


def _parser() -> Parser:
    parser = Parser("show", "Print what every signal would do: in a Python process, or in others.")
    parser.add_argument(
        "pids",
        metavar="PID",
        nargs="*",
        type=_words.process,
        help="a process, as /proc tells of it; without: this interpreter",
    )
    parser.add_argument(
        "--threads", action="store_true", help="and what each thread blocks and has pending"
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=_words.seconds,
        help="do it again and again, until Ctrl-C or until the processes have ended",
    )
    return parser


# ---- As tables ----


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Aligned columns, a line for each row, under a line of headings."""
    lines = [tuple(headings), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _handler(state: SignalState) -> str | None:
    if not callable(state.handler):
        return None
    return getattr(state.handler, "__qualname__", None) or repr(state.handler)


def _own_row(state: SignalState) -> tuple[str, ...]:
    return (
        *(str(state.signum), state.name, state.meaning, state.default_action),
        " ".join(filter(None, (state.disposition, _handler(state)))),
        "yes" if state.blocked else "-",
        "yes" if state.pending else "-",
        str(state.deliveries),
    )


def _row(state: SignalState, process: ProcessSignals) -> tuple[str, ...]:
    signum, threads = state.signum, process.threads
    disposition = "default"
    if signum in process.ignored:
        disposition = "ignored"
    elif signum in process.caught:
        disposition = "caught"
    blocking = sum(signum in thread.blocked for thread in threads)
    blocked = "yes" if blocking == len(threads) else f"{blocking} of {len(threads)} threads"
    waiting = [f"thread {thread.tid}" for thread in threads if signum in thread.pending]
    if signum in process.pending:
        waiting.insert(0, "process")
    return (
        *(str(signum), state.name, state.meaning, state.default_action, disposition),
        blocked if blocking else "-",
        ", ".join(waiting) or "-",
    )


def _listed(signums: Iterable[int]) -> str:
    return " ".join(names_of(signums)) or "-"


def _threads(process: ProcessSignals) -> str:
    return table(
        ("THREAD", "NAME", "STATE", "BLOCKED", "PENDING"),
        (
            (
                *(str(thread.tid), thread.name, thread.state),
                *(_listed(thread.blocked), _listed(thread.pending)),
            )
            for thread in process.threads
        ),
    )


def _text(process: ProcessSignals, with_threads: bool) -> str:
    count = len(process.threads)
    parts = [
        f"process {process.pid} ({process.name}), {process.state}, "
        f"{count} thread{'s' if count != 1 else ''}",
        table(_HEADINGS, (_row(state, process) for state in dispositions())),
    ]
    return "\n".join([*parts, _threads(process)] if with_threads else parts)


def _own_text(with_threads: bool) -> str:
    own = table((*_HEADINGS, "DELIVERIES"), map(_own_row, dispositions()))
    return own + "\n" + _threads(_this_process()) if with_threads else own


def _this_process() -> ProcessSignals:
    return process_signals(os.getpid())


# ---- As JSON ----


def _thread_as_json(thread: ThreadSignals) -> dict[str, Any]:
    return {
        "tid": thread.tid,
        "name": thread.name,
        "state": thread.state,
        "blocked": names_of(thread.blocked),
        "pending": names_of(thread.pending),
    }


def _process_as_json(process: ProcessSignals) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "name": process.name,
        "state": process.state,
        "ignored": names_of(process.ignored),
        "caught": names_of(process.caught),
        "pending": names_of(process.pending),
        "threads": list(map(_thread_as_json, process.threads)),
    }


def _own_as_json() -> dict[str, Any]:
    signals = [vars(state) | {"handler": _handler(state)} for state in dispositions()]
    return {"signals": signals, "threads": _process_as_json(_this_process())["threads"]}


# ---- The command ----


class _Looking:
    """Looks at processes, once or again and again."""

    def __init__(self, program: str, options: Any) -> None:
        self.program = program
        self.options = options
        self.pids: list[int] = list(dict.fromkeys(options.pids))
        self.seen: set[int] = set()
        self.status = 0

    def text(self) -> str:
        """What is to be shown now: nothing if there is none of the processes."""
        options = self.options
        if not options.pids:
            return dumps(_own_as_json()) if options.json else _own_text(options.threads)
        processes = self._processes()
        if options.json and processes:
            return dumps({"processes": list(map(_process_as_json, processes))})
        return "\n\n".join(_text(process, options.threads) for process in processes)

    def _processes(self) -> list[ProcessSignals]:
        found = []
        for pid in self.pids.copy():
            try:
                found.append(process_signals(pid))
                self.seen.add(pid)
            except OSError as error:
                self.pids.remove(pid)
                if pid in self.seen and isinstance(error, ProcessLookupError):
                    complain(self.program, f"process {pid} has ended")
                else:
                    complain(self.program, f"process {pid}: {error.strerror}")
                    self.status = 1
        return found


def main(words: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(words)
    looking = _Looking(parser.prog, options)
    text = looking.text()
    if options.watch is None:
        if text:
            say(sys.stdout, text)
        return looking.status
    prefix, end = (_CLEAR, "\n") if os.isatty(1) else ("", "\n" if options.json else "\n\n")
    try:
        while True:  # a loop with a condition jumps back without the "except" below, in 3.13
            if not text:
                break
            say(sys.stdout, prefix + text, end)
            time.sleep(options.watch)
            text = looking.text()
    except KeyboardInterrupt:
        pass
    return looking.status
