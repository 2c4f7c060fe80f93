"""Stop a loop that Cython has compiled: with "volatile" it reads the flag each time."""

import sys
import sysconfig
import tempfile
from pathlib import Path

import sigcffi as signal

try:
    import cython
except ImportError:
    sys.exit("Cython is not installed")
if not Path(sysconfig.get_path("include"), "Python.h").exists():
    sys.exit("Cython is not able to compile: Python's headers are missing")

LOOP = """
def leibniz(size_t address):
    cdef const volatile int *stop = <const volatile int *>address
    cdef double total = 0, sign = 1
    cdef long k = 0
    while not stop[0]:
        total += sign / (2 * k + 1)
        sign = -sign
        k += 1
    return 4 * total
"""

with tempfile.TemporaryDirectory() as folder:
    leibniz = cython.inline(LOOP, lib_dir=folder, quiet=True)["leibniz"]

with signal.actions.flag(signal.SIGVTALRM) as stop:
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.2)
    print(f"Cython: about {leibniz(stop.address):.2f}")
