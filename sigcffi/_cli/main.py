"""Which command is meant, and how a command ends that does not get to its end.

Law: only the module of the command that is meant is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from signal import SIGINT, SIGPIPE

from sigcffi import __version__
from sigcffi._cli.words import complain, nearest, say

__all__ = ["main"]

COMMANDS = {
    "show": "what every signal would do, in a Python process or in any process",
    "watch": "print the signals that come, with all that they carry",
    "send": "send a signal to processes, and others if they do not end",
    "run": "run a command: with a time limit, as a container's first process, ...",
}
_HELP = "\n".join(
    [
        "usage: sigcffi [show] | watch | send | run ...",
        "",
        "POSIX signals on the command line. sigcffi COMMAND --help tells all of a command, and",
        "sigcffi --version which version this is.",
        "",
        *(f"  {name:7}{what}" for name, what in COMMANDS.items()),
        "",
        "Exit status: 0, 1 if something failed, 2 if it was not understood; run ends as what it",
        "runs, or with 125 if something failed or was not understood.",
    ]
)


def main(words: list[str] | None = None) -> int:
    """Run the command that *words* tell, by default those of the process; its exit status."""
    words = sys.argv[1:] if words is None else words
    program, failed = "sigcffi", 1
    try:
        if words in (["-h"], ["--help"]):
            say(sys.stdout, _HELP)
            return 0
        if words == ["--version"]:
            say(sys.stdout, f"sigcffi {__version__}")
            return 0
        if not words or words[0].startswith("-"):
            words = ["show", *words]
        name = words[0]
        if name not in COMMANDS:
            complain(program, f"there is no command {name!r}{nearest(name, COMMANDS)}")
            return 2
        program = f"sigcffi {name}"
        failed = 125 if name == "run" else 1
        return int(import_module(f"sigcffi._cli.{name}").main(words[1:]))
    except KeyboardInterrupt:
        ended_by = SIGINT
    except OSError as error:
        # An end by SIGPIPE would be taken for the end of what is run.
        if failed == 125 or not isinstance(error, BrokenPipeError):
            complain(program, error.strerror or error)
            return failed
        ended_by = SIGPIPE
    from sigcffi._cli.job import end_by

    return end_by(ended_by)
