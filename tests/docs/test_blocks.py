"""Every block of code that the README and the pages show is executed, as it stands.

Law: a block runs in an interpreter or a shell of its own, warnings are errors, and its status is 0.
What a page need not show stands in an HTML comment directly before the block:

- ``<!-- before: ... -->``: lines that are put before those of the block;
- ``<!-- ends by: SIGTERM -->``: the signal that ends the program;
- ``<!-- not run: ... -->``: why the block cannot be executed here.

``python``: a program; one with ``await`` outside of functions runs in asyncio, one with test
functions under pytest. ``sh``: lines for bash. ``console``: commands behind ``$``, and what they
say. A block ``text`` behind one of these is what that says. Where ``...`` stands, all may stand.
``pytest -rP tests/docs`` prints how many are executed, and why others are not.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support import DEADLINE

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
COMMENT = r"(?:^[ ]*<!-- (?P<{0}>before|ends by|not run):\s(?P<{0}_is>(?:(?!-->).)*?)\s*-->\n+)?"
BLOCK = re.compile(
    COMMENT.format("first")
    + COMMENT.format("second")
    + r"^(?P<indent> *)```(?P<language>python|sh|console)\n(?P<code>.*?)^ *```$"
    + r"(?:\n+ *```text\n(?P<says>.*?)^ *```$)?",
    re.M | re.S,
)
# As "python -m asyncio" compiles what is typed.
PROGRAM = """
import ast, inspect, sys
path = sys.argv[1]
with open(path) as source:
    code = compile(source.read(), path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
names = {"__name__": "__main__", "__file__": path}
if code.co_flags & inspect.CO_COROUTINE:
    import asyncio
    async def main():
        await eval(code, names)
    asyncio.run(main())
else:
    exec(code, names)
"""


class Block(NamedTuple):
    page: str
    line: int
    language: str
    code: str
    says: str | None
    notes: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text()
    for match in BLOCK.finditer(text):
        notes = {match[which]: match[f"{which}_is"] for which in ("first", "second")}
        notes.pop(None, None)  # type: ignore[call-overload]
        line = text.count("\n", 0, match.start("language")) + 1
        code = textwrap.dedent(match["code"])
        says = textwrap.dedent(match["says"]) if match["says"] else None
        page = str(path.relative_to(ROOT))
        yield Block(page, line, match["language"], code, says, notes)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN = [block for block in BLOCKS if "not run" not in block.notes]


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a session of its own, in a folder that has ours; nothing of it is left."""
    for name in ("benchmarks", "docs", "examples"):
        (directory / name).symlink_to(ROOT / name)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with (
        tempfile.TemporaryFile("w+") as said,
        tempfile.TemporaryFile("w+") as complained,
        subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
            start_new_session=True,
        ) as process,
    ):
        try:
            process.wait(DEADLINE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its children, too
        said.seek(0)
        complained.seek(0)
        return subprocess.CompletedProcess(
            command, process.returncode, said.read(), complained.read()
        )


def matches(expected: str, said: str) -> bool:
    pattern = re.escape(expected.strip()).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, said.strip(), re.S) is not None


def check_console(block: Block, directory: Path) -> None:
    """Run the commands one after the other, in one shell, each as a person sees it."""
    commands = re.findall(r"^\$ (.+(?:\n> .+)*)\n((?:(?!\$ ).*\n)*)", block.code, re.M)
    assert commands, block.code
    script = "exec 2>&1\n" + block.notes.get("before", "") + "\n"
    for command, _ in commands:
        script += command.replace("\n> ", "\n") + "\nprintf '\\0%s\\0' $?\n"
    done = run(["bash", "-c", script], directory)
    *results, _ = done.stdout.split("\0")
    for (command, expected), said, status in zip(
        commands, results[::2], results[1::2], strict=True
    ):
        assert matches(expected, said) if expected else status == "0", f"$ {command}\n{said}"


@pytest.mark.parametrize("block", RUN, ids=str)
def test_a_block_runs_as_it_stands(block: Block, tmp_path: Path) -> None:
    if block.language == "console":
        return check_console(block, tmp_path)
    code = block.notes.get("before", "") + "\n" + block.code
    if block.language == "sh":
        done = run(["bash", "-euo", "pipefail", "-c", code], tmp_path)
    else:
        path = tmp_path / "test_block.py"
        path.write_text(code)
        how = (
            ["-m", "pytest"] if re.search("^ *(async )?def test_", code, re.M) else ["-c", PROGRAM]
        )
        done = run([sys.executable, *how, str(path)], tmp_path)
    ends_by = block.notes.get("ends by")
    expected = -signal.Signals[ends_by] if ends_by else 0
    assert done.returncode == expected, f"{done.stdout}\n{done.stderr}"
    assert block.says is None or matches(block.says, done.stdout), done.stdout
    return None


def test_a_block_that_is_not_executed_says_why() -> None:
    """And few are not; the others are counted here."""
    excused = [block for block in BLOCKS if "not run" in block.notes]
    print(f"{len(RUN)} blocks are executed, {len(excused)} are not:")
    for block in excused:
        reason = " ".join(block.notes["not run"].split())
        print(f"  {block}: {reason}")
        assert len(reason.split()) > 3, block
    assert len(excused) * 5 <= len(BLOCKS)


def test_every_block_is_found() -> None:
    """Also one that stands in a list, or behind a comment that is none of ours."""
    for page in PAGES:
        fences = re.findall(r"^ *```(?:python|sh|console)\b", page.read_text(), re.M)
        assert len(fences) == sum(block.page == str(page.relative_to(ROOT)) for block in BLOCKS)


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("1 / 0", "python"),
        ("import warnings; warnings.warn('', stacklevel=1)", "python"),
        ("await nothing()", "python"),
        ("def test_it(): assert False", "python"),
        ("false", "sh"),
        ("$ echo this\nthat", "console"),
        ("$ false", "console"),
    ],
)
def test_a_block_that_fails_is_noticed(tmp_path: Path, code: str, language: str) -> None:
    page = ROOT / "README.md"
    text = f"\n```{language}\n{code}\n```\n"
    match = BLOCK.search(text)
    assert match is not None
    block = Block(page.name, 1, match["language"], match["code"], None, {})
    with pytest.raises(AssertionError):
        test_a_block_runs_as_it_stands(block, tmp_path)


def test_what_a_block_shows_is_compared_with_what_it_says(tmp_path: Path) -> None:
    text = """
<!-- before: word=this -->

```console
$ echo $word
this
$ cd / && pwd
/
$ false
$ echo 1 2 3; false
1 ...
```
"""
    match = BLOCK.search(text)
    assert match is not None
    code = match["code"].replace("$ false\n", "")
    notes = {"before": match["second_is"] or match["first_is"]}
    for number, (given, fails) in enumerate(
        [(code, False), (code.replace("1 ...", "2 ..."), True), (match["code"], True)]
    ):
        directory = tmp_path / str(number)
        directory.mkdir()
        block = Block("README.md", 1, "console", given, None, notes)
        with pytest.raises(AssertionError) if fails else contextlib.nullcontext():
            test_a_block_runs_as_it_stands(block, directory)


@pytest.mark.parametrize("said", ["is it process 7?\n", "it is process 7\nand more\n"])
def test_what_a_program_says_is_compared(said: str) -> None:
    assert matches("it is process ...\n", "it is process 7\n")
    assert not matches("it is process ...!\n", said)
