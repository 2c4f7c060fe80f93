"""The cross compiler: zig's clang, which brings the headers of every C library it knows.

Law: whatever is compiled for another machine is compiled by this (PyPI: ziglang), against the
headers that are prepared here. The C libraries that zig builds for itself are built once and kept.
"""

from __future__ import annotations

import os
import shutil
import tempfile

import ziglang

ZIG = os.path.join(os.path.dirname(ziglang.__file__), "zig")

# All that an interpreter's headers ask of their own pyconfig.h, which is for one machine.
PYCONFIG = """\
#pragma once
#define _GNU_SOURCE 1
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __BSD_VISIBLE 1
#define SIZEOF_SHORT __SIZEOF_SHORT__
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_WCHAR_T __SIZEOF_WCHAR_T__
#define SIZEOF_DOUBLE __SIZEOF_DOUBLE__
#define HAVE_PTHREAD_H 1
#define HAVE_UNISTD_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SSIZE_T 1
#define HAVE_WCHAR_H 1
#define WITH_THREAD 1
"""


def keep_libraries() -> None:
    """Name the place for what zig builds, unless the environment names one."""
    kept = os.path.join(tempfile.gettempdir(), f"sigcffi-zig-{os.getuid()}")
    for variable in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
        os.environ.setdefault(variable, kept)


def copy_headers(interpreters: str, to: str, free_threaded: bool = False) -> str:
    """Copy an interpreter's headers, for every machine; return the folder they are in."""
    shutil.copytree(interpreters, to)
    # In the place of the other: Python.h takes the one beside it.
    with open(os.path.join(to, "pyconfig.h"), "w", encoding="utf-8") as pyconfig:
        pyconfig.write(PYCONFIG)
        if free_threaded:
            pyconfig.write("#define Py_GIL_DISABLED 1\n")
    return to
