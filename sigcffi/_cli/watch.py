"""``sigcffi watch``: print each signal that comes, with all that it carries.

Law: what is printed is what the receiver hands over, one line each, at once.
"""

from __future__ import annotations

import os
import sys
import time
from signal import SIG_DFL, SIGINT, SIGKILL, SIGQUIT, SIGTERM

from sigcffi import SigInfo, open_signal_receiver, signal
from sigcffi._cli import words as _words
from sigcffi._cli.words import Parser, complain, dumps, names_of, say
from sigcffi._core.names import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

_FIELDS = (
    *("si_code", "si_errno", "si_pid", "si_uid", "si_status", "si_band"),
    *("si_value", "si_addr", "si_fd", "si_timerid", "si_overrun"),
)


def _moment(info: SigInfo) -> str:
    """When it came: the local time, to the microsecond."""
    assert info.time_ns is not None
    since_1970 = time.time_ns() - (time.monotonic_ns() - info.time_ns)
    whole, rest = divmod(since_1970, 10**9)
    local = time.localtime(whole)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{rest // 1000:06}%z", local)


def _as_json(info: SigInfo) -> dict[str, Any]:
    """The fields that mean something."""
    fields = {name: getattr(info, name) for name in _FIELDS}
    return {
        "time": _moment(info),
        "signal": name_of(info.si_signo),
        "si_signo": int(info.si_signo),
        **{name: value for name, value in fields.items() if value is not None},
        **({"code_name": info.code_name} if info.code_name else {}),
    }


def _line(info: SigInfo) -> str:
    return f"{_moment(info)} {info.describe()}"


def _parser() -> Parser:
    parser = Parser(
        "watch",
        "Print each signal that comes: who sent it, how, and with which value.\n"
        "Until Ctrl-C, unless that is what is watched: until SIGQUIT or SIGTERM then.",
    )
    parser.add_argument(
        "signals",
        metavar="SIGNAL",
        nargs="+",
        type=_words.signals,
        help="a name, a number, RTMIN+n, several with commas between them, or all",
    )
    return parser


def main(words: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(words)
    signums = frozenset().union(*options.signals)
    if not signums:
        parser.error("there is nothing to watch")
    ends = next(each for each in (SIGINT, SIGQUIT, SIGTERM, SIGKILL) if each not in signums)
    if SIGINT in signums:
        signal(SIGINT, SIG_DFL)  # which is not taken while there is a receiver
    with open_signal_receiver(*signums) as receiver:
        names = ", ".join(names_of(signums))
        complain(parser.prog, f"process {os.getpid()} waits for {names}; {name_of(ends)} ends it")
        try:
            for info in receiver:
                say(sys.stdout, dumps(_as_json(info)) if options.json else _line(info))
        except KeyboardInterrupt:
            pass
    return 0
