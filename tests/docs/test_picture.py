"""The picture of the README shows what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support import DEADLINE

ROOT = Path(__file__).parents[2]


def test_the_second_ctrl_c_ends_a_program_that_is_stuck_in_c_where_three_did_not(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "ctrl-c.svg"
    done = subprocess.run(
        [sys.executable, ROOT / "docs/picture.py", picture, "3"],
        capture_output=True,
        check=True,
        text=True,
        timeout=DEADLINE,
    )
    lines = [re.sub(r"^ *[0-9.]+ s +", "", line) for line in done.stdout.splitlines()]
    without, with_sigcffi = lines[1:9], lines[10:]
    assert without == [
        "Computing ...",
        "^C",
        "^C",
        "^C",
        "Traceback (most recent call last):",
        "...",
        "KeyboardInterrupt",
        "(the process has ended by SIGINT)",
    ]
    assert with_sigcffi == ["Computing ...", "^C", "^C", "(the process has ended by SIGINT)"]
    drawn = picture.read_text()
    assert all(line in drawn for line in with_sigcffi)
