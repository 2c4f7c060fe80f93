"""A wrapper leaves Ctrl-C to the program that it runs, and the program ignores it, too."""

import os
import signal
import subprocess

from side_by_side import say, side_by_side

import sigcffi


def run():
    """A program that sends Ctrl-C to itself and to its parent, as a terminal would."""
    program = subprocess.run(["sh", "-c", "kill -INT $PPID; kill -INT $$; exit 7"], check=False)
    if program.returncode == -signal.SIGINT:
        say("the program is ended by Ctrl-C")
    else:
        say(f"the program does not notice Ctrl-C: exit status {program.returncode}")
    say("the wrapper goes on")


def with_signal():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run()


def with_sigcffi():
    with sigcffi.handling(signal.SIGINT, lambda info, frame: None):
        run()


def with_deferred():
    try:
        with sigcffi.deferred(signal.SIGINT):
            run()
    except KeyboardInterrupt:
        say("and then: KeyboardInterrupt")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["LC_ALL"] = "C"
    side_by_side(with_signal, with_sigcffi, with_deferred)
