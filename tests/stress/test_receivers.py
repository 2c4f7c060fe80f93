"""Every queued value reaches every receiver once, however it is read, and however small it is.

Each test floods a process of its own; what it prints are its figures.
"""

from __future__ import annotations

import pytest
from support import PATIENCE, python_says

pytestmark = pytest.mark.stress

READERS = """
import asyncio, os, resource, subprocess, sys, threading
import sigcffi as signal

FLOODER, CAPACITY, BLOCKED = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
SENDERS, EACH = 4, 25_000
TOTAL = SENDERS * EACH
S = signal.SIGRTMIN

# All processes of a user share one queue of signals: what else runs is to find room in it.
SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it
resource.setrlimit(SIGPENDING, (resource.getrlimit(SIGPENDING)[0] // 2,) * 2)

class Account:
    '''What one reader has got; and how often not in the order of its sender.'''

    def __init__(self):
        self.received = self.inversions = 0
        self.next = [0] * SENDERS
        self.seen = bytearray(TOTAL)

    def enter(self, info):
        sender, number = info.si_value >> 24, info.si_value & 0xFFFFFF
        index = sender * EACH + number
        assert not self.seen[index], (sender, number)
        self.seen[index] = 1
        self.inversions += number != self.next[sender]
        self.next[sender] = number + 1
        self.received += 1

one, other = (signal.open_signal_receiver(S, capacity=CAPACITY) for _ in range(2))
in_thread, in_loop = Account(), Account()

def read():
    for info in one:
        in_thread.enter(info)
        if in_thread.received == TOTAL:
            return

async def main():
    async for info in other:
        in_loop.enter(info)
        if in_loop.received == TOTAL:
            return

# Of two threads that take signals at once the one or the other is quicker: for order, only one.
if BLOCKED:
    signal.pthread_sigmask(signal.SIG_BLOCK, (S,))
thread = threading.Thread(target=read)
thread.start()
signal.pthread_sigmask(signal.SIG_UNBLOCK, (S,))

senders = [
    subprocess.Popen([FLOODER, str(os.getpid()), "0", str(int(S)), str(n), str(EACH)],
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for n in range(SENDERS)
]
asyncio.run(main())
thread.join()
full = sum(int(sender.communicate()[0]) for sender in senders)
for receiver, account in ((one, in_thread), (other, in_loop)):
    receiver.close()
    assert account.received == TOTAL
    assert (receiver.unread, receiver.dropped) == ([], 0)
    if BLOCKED:
        assert account.inversions == 0, account.inversions
print("all")
print(f"{TOTAL} values for two receivers of {CAPACITY}; "
      f"{in_thread.inversions} and {in_loop.inversions} out of order; "
      f"the senders found the queue full {full} times", file=sys.stderr)
"""


@pytest.mark.parametrize("one_thread_takes_them", [True, False])
@pytest.mark.parametrize("capacity", [16, 1024])
def test_a_thread_and_a_loop_that_read_at_once_both_get_all(
    flooder: str, capacity: int, one_thread_takes_them: bool
) -> None:
    arguments = flooder, str(capacity), str(one_thread_takes_them)
    assert python_says(READERS, *arguments, timeout=PATIENCE) == "all\n"


def test_threads_that_share_a_small_receiver_get_all(flooder: str) -> None:
    code = """
lock = threading.Lock()
every = Account()

def share():
    for info in shared:
        with lock:
            every.enter(info)
            if every.received == TOTAL:
                shared.close()

shared = signal.open_signal_receiver(S, capacity=CAPACITY)
threads = [threading.Thread(target=share) for _ in range(3)]
for thread in threads:
    thread.start()
senders = [
    subprocess.Popen([FLOODER, str(os.getpid()), "0", str(int(S)), str(n), str(EACH)],
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for n in range(SENDERS)
]
for thread in threads:
    thread.join()
for sender in senders:
    sender.communicate()
assert (every.received, shared.unread, shared.dropped) == (TOTAL, [], 0)
print("all")
"""
    head = READERS[: READERS.index("one, other =")]
    assert python_says(head + code, flooder, "16", "False", timeout=PATIENCE) == "all\n"
