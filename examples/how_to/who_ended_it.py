"""A program that says who has ended it, without a handler, and while it is stuck in C."""

import signal as standard
import subprocess
import sys

PROGRAM = """
import ctypes
import sigcffi as signal
from sigcffi import actions

for signum in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
    actions.message(signum, text="job 17")  # first: who has sent it, on standard error
    actions.default(signum)  # then what the signal does without a handler
print("running", flush=True)
getattr(ctypes, "PyDLL", ctypes.CDLL)(None).pause()  # in C: no Python code runs any more
"""

with subprocess.Popen(
    [sys.executable, "-P", "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
) as program:
    program.stdout.readline()
    # A shell sends it, and ends. The kernel knows its name as long as its parent has not waited.
    with subprocess.Popen(["sh", "-c", f"kill -TERM {program.pid}"]):
        line = program.stderr.readline()
    print(line.rstrip().partition(" ")[2])  # without the time, which is first
    print("ended by", standard.Signals(-program.wait()).name)
