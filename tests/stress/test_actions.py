"""Actions and receivers come and go while signals pour in: nothing crashes, is lost, or is late.

The flood is of a standard signal, so that it does not depend on room in the kernel's queue. It goes
to the process, whichever thread takes it; each thread that attaches sends some to itself, too, and
has taken them when the call returns.
"""

from __future__ import annotations

import pytest
from support import PATIENCE, python_says

pytestmark = pytest.mark.stress

CODE = """
import os, sys, threading
import sigcffi as signal
from sigcffi import actions

ROUNDS, THREADS = 1000, 4
S = signal.SIGUSR1
errors, stop = [], threading.Event()

def guarded(function):
    def run(*arguments):
        try:
            function(*arguments)
        except BaseException as error:
            errors.append(error)
            raise
    return run

# What is attached all the time has every delivery.
signal.signal(S, lambda signum, frame: None)
whole = actions.counter(S)
everything = signal.open_signal_receiver(S, capacity=2**16, overflow="drop")
before = signal.deliveries(S)

full = os.open("/dev/full", os.O_WRONLY | os.O_NONBLOCK)  # each byte is a miss, and counted

@guarded
def flood():
    '''Signals to the process: whichever thread takes them.'''
    while not stop.is_set():
        os.kill(os.getpid(), S)

def counter():
    counter = actions.counter(S)
    return counter, lambda: int(counter)

def flag():
    flag = actions.flag(S)
    seen = 0
    def look():
        nonlocal seen
        seen += bool(flag)
        flag.clear()
        return seen
    return flag, look

def write():
    write = actions.write(S, full)
    return write, lambda: write.missed

def receiver():
    receiver = signal.open_signal_receiver(S, capacity=2**14, overflow="drop")
    infos = []
    def look():
        got = receiver.unread if receiver.closed else receiver.read()
        if not got and not receiver.closed:
            # Behind a record that another thread is just writing.
            got.append(receiver.wait(60))
            assert got != [None]
        infos.extend(got)
        assert receiver.dropped == 0, receiver.dropped
        receiver.unread.clear()
        return len(infos)
    return receiver, look

@guarded
def come_and_go(number):
    kinds = counter, flag, write, receiver
    me = threading.get_ident()
    for round in range(ROUNDS):
        attachment, look = kinds[(round + number) % len(kinds)]()
        signal.pthread_kill(me, S)  # taken when this returns
        first = look()
        assert first >= 1, (attachment, "late")
        signal.pthread_kill(me, S)
        assert look() > first, (attachment, "late")
        attachment.close()
        last = look()
        signal.pthread_kill(me, S)
        assert look() == last, (attachment, "after its end")

threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(THREADS)]
flooders = [threading.Thread(target=flood) for _ in range(2)]
for thread in flooders + threads:
    thread.start()
infos = 0
for thread in threads:
    while thread.is_alive():
        infos += len(everything.read())
        thread.join(0.01)
stop.set()
for thread in flooders:
    thread.join()
signal.pthread_sigmask(signal.SIG_BLOCK, ())
everything.close()
infos += len(everything.unread)
delivered = signal.deliveries(S) - before
assert errors == [], errors
assert int(whole) == infos + everything.dropped == delivered, (int(whole), infos, delivered)
whole.close()
print(delivered > ROUNDS)
print(f"{delivered} deliveries, {everything.dropped} of them dropped", file=sys.stderr)
"""


def test_a_thousand_rounds_of_four_threads_under_a_flood_lose_nothing_and_delay_nothing() -> None:
    assert python_says(CODE, timeout=PATIENCE) == "True\n"
