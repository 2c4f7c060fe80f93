"""A worker gets SIGTERM; who has sent it?"""

import os
import re
import signal
import subprocess

from side_by_side import say, side_by_side

import sigcffi
from sigcffi import actions


def somebody_sends_it():
    subprocess.run(["sh", "-c", "kill -TERM $PPID"], check=True)


def without_numbers(text):
    return re.sub("[0-9]+", "N", text)


def with_signal():
    signal.signal(signal.SIGTERM, lambda signum, frame: say(f"signal {signum}"))
    somebody_sends_it()


def with_sigcffi():
    sigcffi.sigaction(signal.SIGTERM, lambda info, frame: say(without_numbers(info.describe())))
    somebody_sends_it()


def with_message():
    reader, writer = os.pipe()  # a log; standard error without one
    with (
        actions.message(signal.SIGTERM, writer, text="worker 3 stops"),
        # It waits: nobody knows its name once it has ended and its parent has waited for it.
        subprocess.Popen(["sh", "-c", "kill -TERM $PPID; read line"], stdin=subprocess.PIPE),
    ):
        line = os.read(reader, 1000).decode()
    say(without_numbers(line.partition(" ")[2].rstrip()))


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, with_message)
