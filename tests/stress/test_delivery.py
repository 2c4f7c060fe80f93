"""Every queued value reaches its handler once and in order, whatever happens beside.

Each test floods a process of its own; what it prints are its figures.
"""

from __future__ import annotations

import pytest
from support import PATIENCE, python_says

pytestmark = pytest.mark.stress

IGNORED = ["-W", "ignore:This process:DeprecationWarning"]  # 3.12: of threads and forks

RECEIVER = """
import os, resource, subprocess, sys, threading
import signal as standard
import sigcffi as signal
from sigcffi._dispatch.deliveries import account

FLOODER, TOTAL = sys.argv[1], int(sys.argv[2])
SENDERS = 8
EACH = TOTAL // SENDERS
S = signal.SIGRTMIN
# All processes of a user share one queue of signals: what else runs is to find room in it.
SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it
resource.setrlimit(SIGPENDING, (resource.getrlimit(SIGPENDING)[0] // 2,) * 2)

next_value = [0] * SENDERS
inversions = received = unknown = 0
twice = bytearray(TOTAL)

def check(info, frame=None):
    '''Once each; how often not in the order of its sender.'''
    global inversions, received, unknown
    if info.si_code is None:
        unknown += 1
        return
    sender, number = info.si_value >> 24, info.si_value & 0xFFFFFF
    index = sender * EACH + number
    assert not twice[index], (sender, number)
    twice[index] = 1
    inversions += number != next_value[sender]
    next_value[sender] = number + 1
    received += 1

def flood(tids=(0,), start=True):
    '''Start the senders, all together.'''
    gate, latch = os.pipe()
    senders = [
        subprocess.Popen(
            [FLOODER, str(os.getpid()), str(tids[n % len(tids)]), str(int(S)), str(n), str(EACH)],
            stdin=gate, stdout=subprocess.PIPE, text=True,
        )
        for n in range(SENDERS)
    ]
    os.close(gate)
    if start:
        os.close(latch)
        return senders
    return senders, latch

def until_received():
    while received < TOTAL:
        pass

def result(senders, lost=0):
    full = sum(int(sender.communicate()[0]) for sender in senders)
    assert all(sender.returncode == 0 for sender in senders)
    delivered, handed, dropped, queued = account()
    assert delivered == handed + dropped + queued, account()
    assert (dropped, signal.dropped(), queued) == (lost, lost, 0), account()
    assert unknown == 0, unknown
    return full
"""


def run(code: str, flooder: str, total: int, *args: str) -> str:
    return python_says(RECEIVER + code, flooder, str(total), *args, flags=IGNORED, timeout=PATIENCE)


def test_a_million_values_of_eight_processes_arrive_once_each_and_in_order(flooder: str) -> None:
    code = """
signal.sigaction(S, check)
senders = flood()
until_received()
full = result(senders)
assert received == TOTAL and inversions == 0, (received, inversions)

# The same load with the standard module, which is told nothing and counts its calls.
calls = 0
def count(signum, frame):
    global calls
    calls += 1
standard.signal(S, count)
senders = flood()
for sender in senders:
    sender.wait()
print(received, inversions, signal.dropped(), 0 < calls < TOTAL)
print(f"{TOTAL} values: {received} handler calls, the queue full {full} times; "
      f"the standard module: {calls} calls", file=sys.stderr)
"""
    assert run(code, flooder, 1_000_000) == "1000000 0 0 True\n"


THREAD = """
gate, latch = os.pipe()
thread = threading.Thread(target=os.read, args=(gate, 1), daemon=True)
thread.start()
signal.sigaction(S, check)
"""


def test_a_second_thread_that_takes_half_of_them_loses_and_reorders_nothing(flooder: str) -> None:
    code = """
senders = flood([thread.native_id, threading.main_thread().native_id])
until_received()
full = result(senders)
print(received, inversions)
print(f"{received} values, the queue full {full} times", file=sys.stderr)
"""
    assert run(THREAD + code, flooder, 400_000) == "400000 0\n"


@pytest.mark.parametrize("room", [100, None])
def test_a_second_thread_that_takes_what_it_gets_loses_nothing(
    flooder: str, room: int | None
) -> None:
    """With a full ring and a full queue the thread goes on with what it did, which may be what the
    reader waits for, and takes no more of these signals until there is room. Which of two threads
    that have taken signals is the quicker is not the kernel's to say.
    """
    code = """
if sys.argv[3] != "None":
    resource.setrlimit(SIGPENDING, (int(sys.argv[3]),) * 2)
senders = flood()
until_received()
full = result(senders)
print(received)
print(f"{inversions} of {TOTAL} out of order, the queue full {full} times", file=sys.stderr)
"""
    assert run(THREAD + code, flooder, 400_000, str(room)) == "400000\n"


def test_a_handler_that_raises_now_and_then_loses_nothing_and_no_exception(flooder: str) -> None:
    code = """
raised, caught, reported = 0, set(), set()

def handler(info, frame):
    global raised
    check(info)
    if received % 1000 == 0:
        raised += 1
        raise LookupError

def report(unraisable):
    assert unraisable.exc_type is LookupError
    reported.add(unraisable.exc_value)

def main():
    while latches:
        os.close(latches.pop())
    while received < TOTAL:
        pass
    standard.pthread_sigmask(signal.SIG_BLOCK, ())

sys.unraisablehook = report
signal.sigaction(S, handler)
senders, latch = flood(start=False)
latches = [latch]
finished = False
while not finished:
    try:
        try:
            main()
            finished = True
        except LookupError as error:
            caught.add(error)  # and here the next may come
    except LookupError as error:
        caught.add(error)
result(senders)
# One that is raised while another is handled has that as its context, as anywhere in Python.
seen = set()
for error in caught | reported:
    while error is not None and error not in seen:
        seen.add(error)
        error = error.__context__
print(received, inversions, raised, len(seen), len(caught) > 0)
"""
    assert run(code, flooder, 200_000) == "200000 0 200 200 True\n"


CHILD = """
FORK_EACH = TOTAL // 100

def child():
    global received
    assert account() == (0, 0, 0, 0), account()
    seen = []
    signal.sigaction(signal.SIGUSR1, lambda info, frame: seen.append(info.si_signo))
    os.kill(os.getpid(), signal.SIGUSR1)  # not queued: the flood has used up the user's queue
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert seen == [signal.SIGUSR1], seen
    assert S not in signal.pthread_sigmask(signal.SIG_BLOCK, ())

def forked_child():
    pid = os.fork()
    if pid == 0:
        try:
            child()
            os._exit(0)
        except BaseException as error:
            print(error, flush=True)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] != 0
"""


def test_a_process_that_forks_under_the_flood_loses_nothing(flooder: str) -> None:
    code = (
        CHILD
        + """
children = failed = 0

def handler(info, frame):
    global children, failed
    check(info)
    if received % FORK_EACH == 0:
        failed += forked_child()
        children += 1

signal.sigaction(S, handler)
senders = flood()
until_received()
result(senders)
print(received, inversions, failed, children)
"""
    )
    assert run(code, flooder, 200_000) == "200000 0 0 100\n"


def test_all_of_it_at_once_loses_nothing(flooder: str, pytestconfig: pytest.Config) -> None:
    """Half of the values are taken by a second thread, another signal's handler raises wherever it
    strikes, and the process forks. The handler is a function in C, in which nothing can strike.
    """
    code = (
        CHILD
        + """
import queue
from collections import deque
from functools import partial

class Strike(AttributeError):
    pass

armed = strikes = children = failed = 0

def strike(signum, frame):
    global armed, strikes
    if armed:
        armed -= 1
        strikes += 1
        raise Strike

class Work:
    @property
    def done(self):
        global armed, children, failed
        while received < TOTAL:
            while armed:
                pass
            for _ in range(handled.qsize()):
                check(handled.get())
            if received // FORK_EACH > children:
                children += 1
                failed += forked_child()
            armed = 20 * (received < TOTAL)

handled = queue.SimpleQueue()
sys.unraisablehook = lambda unraisable: None
signal.signal(signal.SIGALRM, strike)
signal.sigaction(S, handled.put)
senders = flood([thread.native_id, threading.main_thread().native_id])
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
# hasattr catches what strikes, wherever that was, and is called again until nothing did.
deque(iter(partial(hasattr, Work(), "done"), True), 0)
signal.setitimer(signal.ITIMER_REAL, 0)
full = result(senders)
print(received, inversions, failed, children > 0, strikes > 0)
print(f"{received} values, {inversions} out of order, {strikes} exceptions, {children} forks, "
      f"{signal.dropped()} dropped, the queue full {full} times", file=sys.stderr)
"""
    )
    total = pytestconfig.getoption("values")
    assert run(THREAD + code, flooder, total) == f"{total} 0 0 True True\n"


def test_senders_wait_when_the_receivers_queue_is_small_and_nothing_is_lost(flooder: str) -> None:
    code = """
resource.setrlimit(SIGPENDING, (100, 100))
signal.sigaction(S, check)
senders = flood()
until_received()
full = result(senders)
print(received, inversions, full > 0)
print(f"the queue was full {full} times", file=sys.stderr)
"""
    assert run(code, flooder, 200_000) == "200000 0 True\n"


def test_critical_sections_and_subscribers_lose_nothing(flooder: str) -> None:
    code = """
subscribed = 0

def subscriber(info, frame):
    global subscribed
    subscribed += 1

signal.sigaction(S, check)
signal.subscribe(S, subscriber)
senders = flood()
while received < TOTAL:
    with signal.deferred():
        before = received
        for _ in range(1000):
            assert received == before
result(senders)
print(received, inversions, subscribed)
"""
    assert run(code, flooder, 200_000) == "200000 0 200000\n"
