"""Limit calls: a step, the whole job, and C code that never comes back."""

import subprocess
import sys
import time

import sigcffi as signal


def fetch(name, seconds):
    with signal.timeout(0.4):  # each step
        time.sleep(seconds)  # a server
    return name


@signal.timeout(1)  # the whole job, whatever its steps take
def job():
    for name, seconds in ("quick", 0), ("slow", 60), ("quick", 0), ("slow", 60), ("slow", 60):
        try:
            print(fetch(name, seconds))
        except signal.TimedOut as error:
            print(f"{name}: {error}")


if sys.argv[1:] == ["stuck"]:
    with signal.timeout(0.2, kill_after=0.2):
        sum(range(10**12))  # in C, where nobody looks for signals

try:
    job()
except TimeoutError as error:
    print("the job:", error)

# What does not come back to Python cannot be interrupted, only ended.
stuck = subprocess.run([sys.executable, __file__, "stuck"], check=False, capture_output=True)
print("stuck in C: ended by", signal.Signals(-stuck.returncode).name)
