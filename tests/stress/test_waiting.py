"""A signal that is awaited may land at any moment: who blocks, tests and suspends misses none.

Each test is a process of its own; what it prints to standard error are its figures. A stall of ours
would be a process that does not end.
"""

from __future__ import annotations

import sys

import pytest
from support import PATIENCE, run_python

pytestmark = pytest.mark.stress

COMMON = """
import os, random, sys, threading
import signal as standard
import sigcffi as signal

RUNS = 10_000
S = signal.SIGALRM
chance = random.Random(4711)
calls = 0

def handler(signum, frame):
    global calls
    calls += 1

def soon(again=0):
    '''The signal comes in up to 20 microseconds, and then every *again* seconds.'''
    global calls
    calls = 0
    signal.setitimer(signal.ITIMER_REAL, chance.random() * 2e-5 + 1e-6, again)
"""


def run(code: str) -> str:
    done = run_python(COMMON + code, timeout=PATIENCE)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    print(done.stderr, end="", file=sys.stderr)
    return done.stdout


def test_the_naive_wait_sleeps_through_signals_and_sigsuspend_through_none() -> None:
    code = """
standard.signal(S, handler)
stalls = 0
for _ in range(1_000):
    soon(again=0.01)  # or it would sleep for ever
    while not calls:
        standard.pause()
    stalls += calls > 1
signal.setitimer(signal.ITIMER_REAL, 0)

signal.signal(S, handler)
for _ in range(RUNS):
    with signal.blocked(S) as former:
        soon()
        while not calls:
            signal.sigsuspend(former)
        assert calls == 1
print("never")
print(f"{stalls} of 1000 naive waits stall, none of {RUNS} with sigsuspend", file=sys.stderr)
"""
    assert run(code) == "never\n"


def test_a_naive_wait_stalls_for_sure_if_the_signal_lands_after_the_test() -> None:
    """The same moment, hit on purpose."""
    code = """
def not_yet():
    result = not calls
    if result:
        os.kill(os.getpid(), S)
    return result

standard.signal(S, handler)
standard.setitimer(standard.ITIMER_REAL, 0.05, 0.05)  # what ends it
while not_yet():
    standard.pause()
assert calls > 1
standard.setitimer(standard.ITIMER_REAL, 0)

for _ in range(RUNS):
    with signal.blocked(S) as former:
        calls = 0
        while not_yet():
            signal.sigsuspend(former)
        assert calls == 1
print("never")
"""
    assert run(code) == "never\n"


def test_sigsuspend_sleeps_through_nothing_that_another_thread_sends() -> None:
    code = """
signal.signal(S, handler)
go, done = threading.Semaphore(0), False
main = threading.get_ident()

def send():
    with signal.blocked(S):
        while True:
            go.acquire()
            if done:
                return
            for _ in range(chance.randrange(300)):
                pass
            # To the main thread, or to the process, in which no other lets it in.
            if chance.random() < 0.5:
                signal.pthread_kill(main, S)
            else:
                os.kill(os.getpid(), S)

thread = threading.Thread(target=send)
thread.start()
for _ in range(RUNS):
    with signal.blocked(S) as former:
        calls = 0
        go.release()
        while not calls:
            signal.sigsuspend(former)
        assert calls == 1
done = True
go.release()
thread.join()
print("never")
"""
    assert run(code) == "never\n"


def test_a_handler_that_raises_anywhere_leaves_no_block_behind() -> None:
    """As Ctrl-C does that comes as a block begins: its exception comes instead of the block."""
    code = """
class Strike(Exception):
    pass

armed = False

def strike(signum, frame):
    global armed
    if armed:
        armed = False
        raise Strike

def land():
    '''CPython before 3.13 may not notice a signal that comes as a thread takes up the GIL, until
    it does so once more.'''
    while armed:
        os.sched_yield()

signal.signal(S, strike)
block = signal.blocked(S, signal.SIGUSR1)
for _ in range(RUNS):
    try:
        armed = True
        soon()
        for _ in range(10):
            with block:
                pass
        land()
    except Strike:
        pass
    assert not standard.pthread_sigmask(standard.SIG_BLOCK, ())
print("none")
"""
    assert run(code) == "none\n"
