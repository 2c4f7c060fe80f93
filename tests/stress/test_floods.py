"""Promises kept under a flood: forks, threads that take signals, waits.

Each runs in a process of its own, which ends with an assertion that failed or with its figures.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support import PATIENCE, python_says

pytestmark = pytest.mark.stress

# Two threads that wait in the kernel, each sent signals as fast as another process can send them.
FLOODED = """
import ctypes, os, resource, subprocess, sys, threading
import sigcffi as signal

# All processes of a user share one queue of signals: what else runs is to find room in it.
SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it
resource.setrlimit(SIGPENDING, (resource.getrlimit(SIGPENDING)[0] // 2,) * 2)

library, rounds = sys.argv[1], int(sys.argv[2])
FLOODS = (signal.SIGUSR1, signal.SIGRTMIN)
SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
seen = dict.fromkeys((*FLOODS, *SIGNALS), 0)

def handler(signum, frame):
    seen[signum] += 1

for signum in seen:
    signal.signal(signum, handler)

# Until the thread is gone; a full queue (EAGAIN) is part of the flood.
FLOODER = '''
import ctypes, errno, sys
library = ctypes.CDLL(sys.argv[1], use_errno=True)
print(flush=True)
while library.foreign_tgkill(*map(int, sys.argv[2:])) == 0 or ctypes.get_errno() == errno.EAGAIN:
    pass
'''

gate, latch = os.pipe()
threads, flooders = [], []
for signum in FLOODS:
    thread = threading.Thread(target=os.read, args=(gate, 1), daemon=True)
    thread.start()
    threads.append(thread)
    arguments = [library, str(os.getpid()), str(thread.native_id), str(int(signum))]
    flooder = subprocess.Popen([sys.executable, "-c", FLOODER, *arguments], stdout=-1, stderr=-3)
    flooder.stdout.readline()
    flooders.append(flooder)
"""


def test_no_forked_child_inherits_what_its_parent_was_sent(foreign_path: Path) -> None:
    code = (
        FLOODED
        + """
def child():
    inherited = sum(map(signal.deliveries, seen))
    before = dict(seen)
    for signum in SIGNALS:
        signal.raise_signal(signum)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # look for due handlers
    ran = [seen[signum] - before[signum] for signum in SIGNALS]
    counted = [signal.deliveries(signum) for signum in SIGNALS]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert (inherited, ran, counted, blocked) == (0, [1, 1], [1, 1], set()), (
        inherited, ran, counted, blocked)

failed = 0
for _ in range(rounds):
    pid = os.fork()
    if pid == 0:
        try:
            child()
            os._exit(0)
        except BaseException as error:
            print(error, flush=True)
        finally:
            os._exit(1)
    failed += os.waitpid(pid, 0)[1] != 0
for flooder in flooders:
    flooder.kill()
    flooder.wait()
delivered = list(map(signal.deliveries, FLOODS))
assert min(delivered) > 0, delivered
print(failed, flush=True)
os._exit(0)  # what the kernel still holds of the flood would end the interpreter at its end
"""
    )
    ignored = ["-W", "ignore:This process:DeprecationWarning"]  # 3.12: of threads and forks
    assert python_says(code, str(foreign_path), "2000", timeout=PATIENCE, flags=ignored) == "0\n"


def test_every_signal_that_another_thread_takes_reaches_the_wakeup_fd() -> None:
    code = """
        import os, select, threading
        import sigcffi as signal

        ROUNDS = 5000
        gate, latch = os.pipe()
        thread = threading.Thread(target=os.read, args=(gate, 1), daemon=True)
        thread.start()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.signal(signal.SIGRTMIN, lambda signum, frame: None)
        signal.set_wakeup_fd(writing)
        got = 0
        for _ in range(ROUNDS):
            signal.pthread_kill(thread.ident, signal.SIGRTMIN)
            if select.select([reading], [], [], 600)[0]:  # what waits together is one call
                got += len(os.read(reading, 4096))
        print(got, signal.deliveries(signal.SIGRTMIN))
        signal.set_wakeup_fd(-1)
    """
    assert python_says(code, timeout=PATIENCE) == "5000 5000\n"


def test_pause_never_sleeps_through_a_signal() -> None:
    """The signal is under way when ``pause`` is called, and lands before, while or after the call
    goes to sleep. A stall would end in an alarm.
    """
    code = """
        import os, subprocess, sys
        import sigcffi as signal
        from sigcffi._waits import waiting as _waiting

        ROUNDS = 5000
        count = 0

        def handler(signum, frame):
            global count
            count += 1

        # pause() was called before the signal is let in: it must not miss it.
        def let_in():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})

        _waiting.cover_all = let_in
        signal.signal(signal.SIGUSR1, handler)
        send = "import os, sys\\nwhile os.read(0, 1): os.kill(*map(int, sys.argv[1:]))"
        sender = subprocess.Popen(
            [sys.executable, "-S", "-c", send, str(os.getpid()), str(int(signal.SIGUSR1))],
            stdin=subprocess.PIPE, bufsize=0,
        )
        for number in range(1, ROUNDS + 1):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            signal.alarm(600)
            sender.stdin.write(b".")
            signal.pause()
            assert count == number, (count, number)
        signal.alarm(0)
        sender.stdin.close()
        sender.wait()
        print(count)
    """
    assert python_says(code, timeout=PATIENCE) == "5000\n"
