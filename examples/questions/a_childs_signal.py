"""A forked child gets a signal, and the event loop of its parent acts on it."""

import os
import select
import signal
import socket

from side_by_side import say, side_by_side

import sigcffi


def child_gets_sigterm():
    child = os.fork()
    if child == 0:
        signal.raise_signal(signal.SIGTERM)
        os._exit(0)
    os.waitpid(child, 0)


def with_signal():
    """What event loops do: for each signal a byte is written to a socket."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno())
        signal.signal(signal.SIGTERM, lambda signum, frame: None)
        child_gets_sigterm()
        told = select.select([reader], [], [], 0)[0]
        signal.set_wakeup_fd(-1)
    say(f"the parent's loop is told of the child's signal: {bool(told)}")


def with_sigcffi():
    with sigcffi.open_signal_receiver(signal.SIGTERM) as receiver:
        child_gets_sigterm()
        told = select.select([receiver], [], [], 0)[0]
    say(f"the parent's loop is told of the child's signal: {bool(told)}")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi)
