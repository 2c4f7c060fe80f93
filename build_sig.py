"""Build the extension module ``sigcffi._sigcffi`` (out of line, API mode).

Law: this file only names things. What Python may call stands in ``sigcffi.cdef.txt``, the
code in the C files beside it. It never imports ``sigcffi``, which does not exist yet.

``python build_sig.py`` builds in place, for work on the C half; installing goes through
``setup.py``, which names ``ffibuilder``.
"""

import os
import sys

from cffi import FFI

HERE = os.path.dirname(os.path.abspath(__file__))
CSRC = "sigcffi/_csrc"  # relative, as setuptools wants it

SOURCES = sorted(os.listdir(os.path.join(HERE, CSRC)))

ffibuilder = FFI()

with open(os.path.join(HERE, CSRC, "sigcffi.cdef.txt"), encoding="utf-8") as cdef:
    ffibuilder.cdef(cdef.read())

ffibuilder.set_source(
    "sigcffi._sigcffi",
    '#include "state.h"',
    sources=[f"{CSRC}/{name}" for name in SOURCES if name.endswith(".c")],
    depends=[f"{CSRC}/{name}" for name in SOURCES if name.endswith(".h")],
    include_dirs=[CSRC],
    # dladdr(): a library of its own in the C libraries before glibc 2.34.
    libraries=["dl"] if sys.platform.startswith("linux") else [],
    # siginterrupt() is wanted, though glibc would rather see sigaction().
    extra_compile_args=["-pthread", "-Wno-deprecated-declarations"],
    extra_link_args=["-pthread"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
