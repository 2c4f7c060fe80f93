"""The layers of the C half, checked in its object files: who defines, who needs.

Law: what the docs print is what is checked. The layers stand in ARCHITECTURE and nowhere else: the
first block of code behind HEADING, the top first, one layer a line, with "|" between files of one
layer. A file needs only what lies in a lower layer; so there is no circle. Each function that other
files can reach is named after its file: sigcffi_wake_pend is of wake.c. Which platform it is asks
platform.h alone.

``python tests/c/layers.py [--csrc DIRECTORY]``; needs a C compiler (``CC``, else cc) and nm.
``--csrc`` takes the C half from elsewhere. Exit status: 0 if all is well.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import re
import sys
import tempfile

from run import COMMON, CSRC, HERE, RuleError, files, run

ARCHITECTURE = os.path.join(HERE, os.pardir, os.pardir, "docs", "architecture.md")
HEADING = "## Which way calls point in the C half"
DATA = {"channel", "state"}  # of state.c, which has no functions


def layers() -> list[list[str]]:
    """The layers that the docs print, the lowest first; a file is named without its ending."""
    with open(ARCHITECTURE, encoding="utf-8") as text:
        match = re.search(
            rf"^{re.escape(HEADING)}\n(?:(?! {{4}}).*\n)*((?: {{4}}.*\n)+)", text.read(), re.M
        )
    if match is None:
        raise RuleError(f"{ARCHITECTURE}: no layers behind {HEADING!r}")
    lines = reversed(match[1].splitlines())
    return [[name.strip() for name in line.split("|")] for line in lines]


class Object:
    """What one object file defines for others, keeps to itself, and needs."""

    def __init__(self, listing: str) -> None:
        self.defined: set[str] = set()
        self.own: set[str] = set()
        self.needed: set[str] = set()
        for line in listing.splitlines():
            kind, name = line.split()[-2:]
            name = name.partition(".")[0]  # compilers divide functions: name.part.0
            if kind in "Uw":
                self.needed.add(name)
            elif kind.isupper():
                self.defined.add(name)
            else:
                self.own.add(name)


def compile_all(csrc: str, directory: str) -> dict[str, Object]:
    """Compile each file by itself; what is in it, by its name."""
    compiler = os.environ.get("CC", "cc").split()

    def one(number: int, source: str) -> Object:
        target = os.path.join(directory, f"{number}.o")
        flags = (*COMMON, "-Wno-deprecated-declarations", "-O2", "-fPIC", "-I", csrc)
        run([*compiler, *flags, "-c", source, "-o", target])
        return Object(run(["nm", target]))

    sources = files(csrc, ".c")
    names = [os.path.relpath(source, csrc).removesuffix(".c") for source in sources]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(one, range(len(sources)), sources), strict=True))


def check_arrows(objects: dict[str, Object], level: dict[str, int]) -> tuple[list[str], int]:
    """What points up or sideways, and how many arrows there are."""
    owner = {symbol: name for name, each in objects.items() for symbol in each.defined}
    arrows: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for name, each in objects.items():
        for symbol in each.needed & owner.keys():
            arrows[name, owner[symbol]].add(symbol)
    problems = [
        f"{source}.c needs {', '.join(sorted(symbols))} of {target}.c, which is not below it"
        for (source, target), symbols in sorted(arrows.items())
        if level[target] >= level[source]
    ]
    return problems, len(arrows)


def check_names(objects: dict[str, Object], csrc: str) -> list[str]:
    """What is not named after the file that it is in."""
    inline = set()
    for header in files(csrc, ".h"):
        with open(header, encoding="utf-8") as text:
            inline |= set(re.findall(r"^static inline [^(]*\b(\w+)\(", text.read(), re.M))
    problems = []
    for name, each in objects.items():
        prefix = f"sigcffi_{os.path.basename(name)}"
        for symbol in sorted(each.defined - DATA):
            if symbol != prefix and not symbol.startswith(f"{prefix}_"):
                problems.append(f"{name}.c: {symbol} is not named after its file")
        for symbol in sorted(each.own - each.defined - inline):
            if symbol.startswith("sigcffi_"):
                problems.append(
                    f"{name}.c: {symbol} has the prefix, and no other file can reach it"
                )
    return problems


def check_questions(csrc: str) -> list[str]:
    """Who asks for the platform beside platform.h. Below its definitions of what is absent, to ask
    whether a system call's number is defined has one answer everywhere.
    """
    problems = []
    for path in (*files(csrc, ".c"), *files(csrc, ".h")):
        name = os.path.relpath(path, csrc)
        with open(path, encoding="utf-8") as text:
            questions = re.findall(r"^#\s*(?:if|elif|ifdef|ifndef)\b.*$", text.read(), re.M)
        for question in questions if name != "platform.h" else ():
            if not re.match(r"#(?:if !?SIGCFFI_\w+|ifndef SIGCFFI_(?:\w+_)?H)\b", question):
                problems.append(f"{name} asks for the platform: {question}")
    return problems


def main() -> int:
    """Check all of it, and say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--csrc", default=CSRC, help="the C half, if not that of this tree")
    csrc = os.path.normpath(parser.parse_args().csrc)
    order = layers()
    level = {name: number for number, names in enumerate(order) for name in names}
    with tempfile.TemporaryDirectory(prefix="sigcffi-layers-") as directory:
        objects = compile_all(csrc, directory)
    problems = [f"{name}.c is in no layer" for name in sorted(objects.keys() - level.keys())]
    problems += [
        f"{name}.c is in a layer, but there is none"
        for name in sorted(level.keys() - objects.keys())
    ]
    arrows = 0
    if not problems:
        problems, arrows = check_arrows(objects, level)
        problems += check_names(objects, csrc)
    problems += check_questions(csrc)
    print(*problems, sep="\n", end="\n" if problems else "")
    verdict = "FAILED" if problems else "ok"
    print(f"C layers: {verdict} ({len(objects)} files, {len(order)} layers, {arrows} arrows)")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
