"""Run a program, pass on to it what asks this process to stop, and end as it ends.

    python supervisor.py program argument ...

For wrappers and the first process of a container: C forwards the signals, at once. Without
arguments it runs a program that asks its supervisor to stop, and so gets the signal itself.
"""

import os
import subprocess
import sys

import sigcffi as signal
from sigcffi import actions

STOPPING = (signal.SIGTERM, signal.SIGHUP)

DEMONSTRATION = """
import os, signal, subprocess, sys, time

def stop(signum, frame):
    print("program: stopping", flush=True)
    sys.exit(7)

signal.signal(signal.SIGTERM, stop)
print("program: working", flush=True)
somebody = f"import os; os.kill({os.getppid()}, {signal.SIGTERM})"
subprocess.run([sys.executable, "-c", somebody])  # asks the supervisor to stop
while True:
    time.sleep(1)
"""

command = sys.argv[1:] or [sys.executable, "-c", DEMONSTRATION]

# From here on these signals do not end this process.
early = [actions.flag(signum) for signum in STOPPING]
child = subprocess.Popen(command)
for flag in early:
    actions.forward(flag.signum, child.pid)
    if flag:  # it came before there was anybody to forward it to
        child.send_signal(flag.signum)

status = child.wait()
print(f"supervisor: the program has ended with status {status}", flush=True)
if status >= 0:
    sys.exit(status)
if status != -signal.SIGKILL:  # which nothing can be done about
    actions.default(-status)
os.kill(os.getpid(), -status)  # die of the same signal, so that the parent sees it
