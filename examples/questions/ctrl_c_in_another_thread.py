"""Ctrl-C reaches another thread while the main thread waits in a system call."""

import os
import signal
import threading

from side_by_side import say, side_by_side

import sigcffi


def main_thread_sleeps_on(fd):
    """Whether it is in a system call whose first argument is this descriptor."""
    with open(f"/proc/self/task/{os.getpid()}/syscall") as call:
        return call.read().split()[1:2] == [hex(fd)]


def wait():
    """Read from a pipe that nobody writes to, and have another thread take a SIGINT meanwhile."""
    reader, _writer = os.pipe()

    def take_it():
        while not main_thread_sleeps_on(reader):
            os.sched_yield()
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        say("another thread has taken Ctrl-C; the main thread waits in read()")

    thread = threading.Thread(target=take_it, daemon=True)
    thread.start()
    try:
        os.read(reader, 1)
    except KeyboardInterrupt:
        thread.join()
        say("KeyboardInterrupt")


def with_signal():
    wait()


def with_sigcffi():
    sigcffi.signal(signal.SIGINT, signal.default_int_handler)
    wait()


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, hangs=[with_signal])
