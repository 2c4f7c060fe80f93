"""A job that must end in time, and each of its steps too: timeouts that nest.

Each step has a time limit, and the whole job has another. If a step is too slow, the job gives it
up and goes on. When the job's time is over, the current step is given up, too, whatever it is doing
and whatever exceptions it swallows. The job reports all the same what it has done until then.

    steps_with_deadlines.py [SECONDS]      for each step, 0.2 unless given
"""

import contextlib
import sys
import time

import sigcffi as signal

STEP = float(sys.argv[1]) if sys.argv[1:] else 0.2


def quick():
    return "done"


def stuck():
    time.sleep(60)


def stubborn():
    while True:
        with contextlib.suppress(Exception):  # of which an interruption is none
            time.sleep(60)


def run(steps, seconds):
    results = {}
    try:
        with signal.timeout(seconds) as job:
            for step in steps:
                try:
                    with signal.timeout(STEP, kill_after=30):
                        results[step.__name__] = step()
                except signal.TimedOut:  # the step's own; the job's goes past
                    results[step.__name__] = "given up"
            with job.shield():  # this is not interrupted
                results["report"] = "complete"
    except signal.TimedOut:
        results["report"] = "the job's time was over"
    return results


for steps, seconds in [
    ([quick, stuck, stubborn], 60),
    ([quick, *[stuck] * 1000], 5 * STEP),
]:
    for name, result in run(steps, seconds).items():
        print(f"{name}: {result}")
