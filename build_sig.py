"""Build the extension module ``sigcffi._sigcffi`` (out of line, API mode).

Law: this file only names things. What Python may call stands in ``sigcffi.cdef.txt``, the
code in the C files beside it. It never imports ``sigcffi``, which does not exist yet.

``python build_sig.py`` builds in place, for work on the C half; installing goes through
``setup.py``, which names ``ffibuilder``.
"""

import glob
import os
import sys

from cffi import FFI

HERE = os.path.dirname(os.path.abspath(__file__))
CSRC = "sigcffi/_csrc"  # relative, as setuptools wants it


def files(pattern: str) -> list[str]:
    """The files of the C half with such a name, in whichever folder of it."""
    found = glob.glob(f"{CSRC}/**/{pattern}", root_dir=HERE, recursive=True)
    return sorted(found)


ffibuilder = FFI()

with open(os.path.join(HERE, CSRC, "sigcffi.cdef.txt"), encoding="utf-8") as cdef:
    ffibuilder.cdef(cdef.read())

ffibuilder.set_source(
    "sigcffi._sigcffi",
    '#include "handler/handler.h"',
    sources=files("*.c"),
    depends=files("*.h"),
    include_dirs=[CSRC],
    # dladdr(): a library of its own in the C libraries before glibc 2.34.
    libraries=["dl"] if sys.platform.startswith("linux") else [],
    # siginterrupt() is wanted, though glibc would rather see sigaction().
    extra_compile_args=["-pthread", "-Wno-deprecated-declarations"],
    extra_link_args=["-pthread"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
