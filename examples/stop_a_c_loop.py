"""Stop a loop in C that never looks at Python.

The loop polls an int. When a signal comes, sigcffi's C handler sets the int, whatever Python is
doing. Code in Cython or Rust, or compiled by numba, can poll it, too. This needs a C compiler.
"""

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

import sigcffi as signal
from sigcffi import actions

SOURCE = """
double leibniz(const volatile int *stop)
{
    double sum = 0, sign = 1;
    for (long k = 0; !*stop; k++, sign = -sign) sum += sign / (double)(2 * k + 1);
    return 4 * sum;
}
"""

with tempfile.TemporaryDirectory() as folder:
    source, library = Path(folder, "leibniz.c"), Path(folder, "leibniz.so")
    source.write_text(SOURCE)
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    # PyDLL keeps the GIL: no thread of this program could stop it either.
    leibniz = getattr(ctypes, "PyDLL", ctypes.CDLL)(str(library)).leibniz
leibniz.argtypes = [ctypes.c_void_p]
leibniz.restype = ctypes.c_double

# A timer of the processor's time here; Ctrl-C is SIGINT.
with actions.flag(signal.SIGVTALRM) as stop:
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.2)
    print("Adding up pi until a signal comes ...")
    pi = leibniz(stop.address)
    print(f"Stopped: {bool(stop)}. It is about {pi:.2f}.")
