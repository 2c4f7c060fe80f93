"""For what the wheels are made: processors and C libraries, and how everybody calls those.

Law: a name that another tool wants of a target is made here and nowhere else.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple


class Libc(NamedTuple):
    """A C library: its name for compilers, the oldest version of it that is served."""

    name: str
    oldest: str
    tag: str  # for wheels, without the processor
    alias: str = ""  # an older name for the tag


LIBCS = (
    Libc("gnu", "2.17", "manylinux_2_17", "manylinux2014"),
    Libc("musl", "1.2", "musllinux_1_2"),
)
PROCESSORS = ("x86_64", "aarch64")


class Target(NamedTuple):
    """A processor, and the C library beside it."""

    processor: str
    libc: Libc

    def __str__(self) -> str:
        return self.platform

    @property
    def compilers(self) -> str:
        """Its name for zig. Of musl, which has no versions of symbols, zig has one release."""
        version = f".{self.libc.oldest}" if self.libc.name == "gnu" else ""
        return f"{self.processor}-linux-{self.libc.name}{version}"

    @property
    def multiarch(self) -> str:
        """Its name in the file names of extension modules."""
        return f"{self.processor}-linux-{self.libc.name}"

    @property
    def platform(self) -> str:
        """Its tag."""
        return f"{self.libc.tag}_{self.processor}"

    @property
    def platforms(self) -> str:
        """Its tags, as in a wheel's name."""
        names = (self.libc.tag, self.libc.alias)
        return ".".join(sorted(f"{name}_{self.processor}" for name in names if name))


TARGETS = tuple(Target(processor, libc) for processor, libc in itertools.product(PROCESSORS, LIBCS))
