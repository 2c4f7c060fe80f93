"""Questions people asked, and how to do things: each program does what its page says.

Law: what a page shows of a program's output is compared with what the program says here and now;
"..." stands for what differs from run to run. A program that cannot run somewhere says so itself,
on standard error, and ends with status 1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from support import DEADLINE, FREE_THREADED, PYPY

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGES = sorted((ROOT / "docs" / "questions").glob("*.md"))
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
SHARED = "questions/side_by_side"  # what the programs import

# Why a program says something else on an interpreter.
ELSEWHERE = {
    "PyPy": {
        "limit_a_call": "PyPy's own loops look for signals: nothing is stuck in C",
        "c_code_that_does_not_return": "PyPy has no ctypes.PyDLL",
        "ctrl_c_in_a_destructor": "PyPy calls destructors when it collects",
        "every_child_that_ends": "PyPy has no os.waitid",
        "signal_at_the_end": "PyPy calls destructors when it collects",
        "timeout_in_a_callback": "PyPy's sqlite3 ignores what is raised in a callback",
    },
    "free-threaded": {
        "subinterpreters": "free-threaded builds refuse to load modules of cffi there",
    },
}
MISSING = re.compile(
    "(there is no PID namespace|concurrent.interpreters came|gevent is not|uvloop is not|"
    "sqlite3 is not|celery is not|gunicorn is not|uvicorn is not|Cython is not|numba is not|"
    "rustc is not).*\n"
)


class Shown(NamedTuple):
    """A program on a page, and the output that the page shows."""

    program: str
    output: str

    @property
    def name(self) -> str:
        return self.program.rpartition("/")[2]


def shown_on(page: Path) -> list[Shown]:
    block = re.compile(
        r"^```\{literalinclude\} \.\./\.\./examples/([\w/]+)\.py\n:language: python\n```\n\n"
        r"It prints:\n\n```text\n(.*?)^```$",
        re.M | re.S,
    )
    return [Shown(*found) for found in block.findall(page.read_text())]


SHOWN = [shown for page in PAGES + HOW_TO for shown in shown_on(page)]


def slug(heading: str) -> str:
    """The name by which a heading is linked to, on the site and on forges."""
    return re.sub(r"[^\w\- ]", "", heading.replace("\\", "").lower()).strip().replace(" ", "-")


def headings(page: Path) -> list[str]:
    return re.findall(r"^## (.+)$", page.read_text(), re.M)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.name)
def test_a_program_says_what_its_page_shows(shown: Shown) -> None:
    implementation = "PyPy" if PYPY else "free-threaded" if FREE_THREADED else ""
    reason = ELSEWHERE.get(implementation, {}).get(shown.name)
    if reason is not None:
        pytest.skip(reason)
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{shown.program}.py"],
        capture_output=True,
        check=False,
        text=True,
        timeout=4 * DEADLINE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    if done.returncode == 1 and MISSING.fullmatch(done.stderr):
        pytest.skip(done.stderr.rstrip())
    if "..." not in shown.output:
        assert done.stdout == shown.output
    assert re.fullmatch(re.escape(shown.output).replace(r"\.\.\.", ".+"), done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_program_is_shown_once() -> None:
    folders = (path.relative_to(EXAMPLES) for path in EXAMPLES.glob("*/*.py"))
    programs = {str(path.with_suffix("")) for path in folders} - {SHARED}
    shown = [each.program for each in SHOWN if "/" in each.program]
    assert sorted(shown) == sorted(programs)


def test_the_index_has_a_line_for_each_question() -> None:
    """A sentence of its own, with a link to the question's heading."""
    index = next(page for page in PAGES if page.stem == "index")
    links = re.findall(r"^- \[.+?\]\((\w+\.md#[\w\-]+)\)", index.read_text(), re.M)
    questions = {
        f"{page.name}#{slug(heading)}"
        for page in PAGES
        if page != index
        for heading in headings(page)
    }
    assert sorted(links) == sorted(questions)


def test_the_index_has_a_line_for_each_thing_to_do() -> None:
    index = next(page for page in HOW_TO if page.stem == "index")
    links = re.findall(r"^- \[.+?\]\(([\w\-]+\.md)\)", index.read_text(), re.M)
    assert sorted([*links, "index.md"]) == [page.name for page in HOW_TO]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_report_is_linked_where_it_was_made(page: Path) -> None:
    link = re.compile(r"\[([\w./\-]+)#(\d+)\]\((\S+)\)")
    text = page.read_text()
    for name, number, address in link.findall(text):
        assert address == f"https://github.com/{name}/issues/{number}"
    assert not re.search(r"#\d", link.sub("", text)), "a report without a link"
