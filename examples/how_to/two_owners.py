"""A program and two libraries all want SIGTERM, and none takes it from the others."""

import os

import sigcffi as signal


class Pool:
    """A library that wants to hear of the signal: it subscribes."""

    def __init__(self):
        self.subscription = signal.subscribe(signal.SIGTERM, self.drain)

    def drain(self, info, frame):
        print("pool: takes no more work")

    def close(self):
        self.subscription.close()


class Profiler:
    """A library that must have the handler for a while: it puts back what it has found."""

    def __enter__(self):
        self.former = signal.sigaction(signal.SIGTERM, self.stop)

    def stop(self, info, frame):
        print("profiler: writes its report first")

    def __exit__(self, *error):
        signal.sigaction(signal.SIGTERM, self.former)  # exactly that, also a C library's


def program(signum, frame):
    print("program: stops")


signal.signal(signal.SIGTERM, program)
pool = Pool()
with Profiler():
    os.kill(os.getpid(), signal.SIGTERM)
print("--")
os.kill(os.getpid(), signal.SIGTERM)
pool.close()
print("--")
os.kill(os.getpid(), signal.SIGTERM)
