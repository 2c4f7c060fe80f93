"""Ctrl-C, again and again, while C code does not return and holds the GIL."""

import ctypes
import os
import signal
import subprocess

from side_by_side import say, side_by_side

import sigcffi

libc = ctypes.PyDLL(None)  # its functions are called without letting go of the GIL
mutex = ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)

# As soon as its parent sleeps.
CTRL_C_AGAIN_AND_AGAIN = """
read _
until grep -q "^State:.S" /proc/$PPID/status; do :; done
while kill -INT $PPID; do :; done
"""


def stuck_in_c(command=("true",)):
    """Lock a locked mutex, which waits for ever, while a command runs."""
    somebody = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    somebody.stdin.close()
    libc.pthread_mutex_lock(mutex)


def with_signal():
    say("Ctrl-C, again and again")
    stuck_in_c(["sh", "-c", CTRL_C_AGAIN_AND_AGAIN])


def with_force_quit():
    sigcffi.signal(signal.SIGINT, signal.default_int_handler)
    sigcffi.force_quit(signal.SIGINT)
    say("Ctrl-C, again and again")
    stuck_in_c(["sh", "-c", CTRL_C_AGAIN_AND_AGAIN])


def with_kill_after():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the tracebacks go
    with sigcffi.timeout(0.1, kill_after=0.1):
        stuck_in_c()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    side_by_side(with_signal, with_force_quit, with_kill_after, hangs=[with_signal])
