"""Timeouts in functions of atexit that come after our own: those registered before the import."""

from __future__ import annotations

import pytest
from support import run_python

LATE = """
    import atexit, os, sys, time, _thread
    atexit.register(lambda: exec(sys.argv[1]))
    import sigcffi as signal
    with signal.timeout(0.3):
        pass  # the timer stays armed

    class Last:
        def __del__(self, sleep=time.sleep):
            sleep(0.5)  # signals have their default actions now

    _thread.kept = [Last()]
"""
INTERRUPTED = """
try:
    with signal.timeout({seconds}):
        time.sleep(60)
except TimeoutError:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("seconds", [0.1, 1])
def test_a_timeout_in_a_late_function_interrupts(seconds: float) -> None:
    done = run_python(LATE, INTERRUPTED.format(seconds=seconds))
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


@pytest.mark.parametrize(
    "late",
    [
        "with signal.timeout(0.3): pass",
        "with signal.timeout(0.3), signal.timeout(0.2): pass",
        "with signal.timeout(0.3, kill_after=0.1): pass",
        "with signal.shutdown(grace=0.3) as stop: stop.request('done')",
    ],
)
def test_a_block_that_ends_in_time_leaves_nothing_that_ends_the_process(late: str) -> None:
    done = run_python(LATE, late)
    assert (done.returncode, done.stderr) == (0, "")
