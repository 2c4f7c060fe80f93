"""Three ways to say something at a signal, while the program may hold any lock."""

import logging
import os
import sys
import threading

import sigcffi as signal
from sigcffi import actions

logging.basicConfig(format="%(threadName)s: %(message)s", stream=sys.stdout)
log = logging.getLogger()
done = threading.Event()


def reopen(info, frame):
    """Runs in a thread of its own, and may wait for the lock that the main thread has."""
    log.warning("%s: I may lock, log and wait", signal.Signals(info.si_signo).name)
    done.set()


def state(signum, frame):
    log.warning("%s: nothing was half done", signal.Signals(signum).name)


# 1. A callback in a thread.
signal.subscribe(signal.SIGHUP, reopen, where="thread")
# 2. A handler, and sections in which it does not start.
signal.signal(signal.SIGUSR1, state)
# 3. A line that C writes, whatever Python is doing. Here to a pipe, to print only its text.
reader, writer = os.pipe()
actions.message(signal.SIGUSR2, writer, text="C does not ask for locks")

with signal.deferred(signal.SIGUSR1):
    with log.handlers[0].lock:  # as in the middle of a call of the log
        for signum in signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2:
            os.kill(os.getpid(), signum)
        print("C:", os.read(reader, 1000).decode().rpartition("): ")[2].rstrip())
        print("the lock is free now")
    done.wait()
