"""A container's first process: start a program, pass on to it every signal that comes, wait for the
orphans that others leave behind, and end as the program ends.

    first_process.py program argument ...

No handler is called: every signal is blocked before the program is there, and accepted in turn, so
none is lost. ``sigcffi run --init`` does the same on the command line, and more. Without arguments
this program becomes the first process of a PID namespace, and runs a program that leaves orphans
behind and asks the first process to stop.
"""

import os
import subprocess
import sys

import sigcffi as signal

DEMONSTRATION = """
import os, signal, sys

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("program: working, as process", os.getpid(), flush=True)
for _ in range(3):  # a child that ends leaves its own child behind
    child = os.fork()
    if child == 0:
        os.fork()
        os._exit(0)
    os.waitpid(child, 0)
while [each for each in os.listdir("/proc") if each.isdigit() and int(each) > os.getpid()]:
    os.sched_yield()  # until the first process has waited for them
os.kill(1, signal.SIGTERM)  # asks the first process to stop
signal.sigwait([signal.SIGTERM])
print("program: stopping", flush=True)
sys.exit(7)
"""

if not sys.argv[1:]:
    namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*namespace, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        sys.exit("there is no PID namespace to be had here: unshare(1) may not make one")
    program = [sys.executable, "-c", DEMONSTRATION]
    os.execvp("unshare", [*namespace, sys.executable, __file__, *program])

EVERY_SIGNAL = signal.valid_signals()
former = signal.pthread_sigmask(signal.SIG_BLOCK, EVERY_SIGNAL)
child = os.fork()
if child == 0:
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, former)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(127)

orphans, status = 0, None
while status is None:
    info = signal.sigwaitinfo(EVERY_SIGNAL)
    if info.si_signo != signal.SIGCHLD:
        os.kill(child, info.si_signo)  # there is such a child: nobody else waits for it
        continue
    while status is None:  # one SIGCHLD may stand for several children
        pid, wait_status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            break
        if pid == child:
            status = os.waitstatus_to_exitcode(wait_status)
        else:
            orphans += 1

print("first process: the program has ended with status", status, end="; ")
print("orphans waited for:", orphans, flush=True)
sys.exit(status if status >= 0 else 128 - status)
