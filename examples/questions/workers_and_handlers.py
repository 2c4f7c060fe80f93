"""A forked worker is ended with SIGTERM, and runs the handler of its parent."""

import os
import signal
import subprocess

from side_by_side import say, side_by_side

import sigcffi
from sigcffi import actions

reader, writer = os.pipe()
program = None  # what the parent runs, beside a worker that it forks


def run():
    """End the worker, and see what becomes of the program."""
    worker = os.fork()
    if worker == 0:
        os.write(writer, b".")
        while True:
            signal.pause()
    os.close(writer)
    os.read(reader, 1)  # the worker is there
    os.kill(worker, signal.SIGTERM)
    if os.read(reader, 1):
        say("the worker goes on")
        os.kill(worker, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    say(f"the worker is ended by {signal.Signals(-status).name}")
    program.stdin.close()
    say("the program is " + ("killed by the worker" if program.wait() else "unharmed"))


def start():
    global program
    program = subprocess.Popen(["cat"], stdin=subprocess.PIPE)


def stop(signum_or_info, frame):
    os.kill(program.pid, signal.SIGTERM)
    os.write(writer, b".")


def with_signal():
    start()
    signal.signal(signal.SIGTERM, stop)
    run()


def with_subscribe():
    start()
    sigcffi.subscribe(signal.SIGTERM, stop, inherit=False)
    run()


def with_forward():
    start()
    actions.forward(signal.SIGTERM, program.pid)  # not inherited, unless asked
    run()


if __name__ == "__main__":
    side_by_side(with_signal, with_subscribe, with_forward)
