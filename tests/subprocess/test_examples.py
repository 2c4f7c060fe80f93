"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import DEADLINE

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "open_with_timeout.py",
            "Opening a device that nobody answers for, for at most 2 seconds ...\n"
            "Signal handler called with signal 14 (Alarm clock)\n"
            "Gave up: Couldn't open device!\n",
        ),
    ],
)
def test_an_example_ends_by_itself_and_says_what_happened(name: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        capture_output=True,
        check=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.stdout == expected
    assert done.stderr == ""


def test_every_example_is_run() -> None:
    [mark] = test_an_example_ends_by_itself_and_says_what_happened.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in mark.args[1]} == {path.name for path in EXAMPLES.glob("*.py")}
