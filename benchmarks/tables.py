"""Makes a page of the tables of all benchmarks: ``python benchmarks/tables.py``.

Law: a page of docs/benchmarks/ is what these commands have printed, one after the other, on one
interpreter; nobody edits it. It says on what, when and beside which load.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACE = HERE.parent / "docs" / "benchmarks"
COMMANDS = "compare.py", "at_once.py", "in_time.py", "elsewhere.py", "importing.py"


def main() -> None:
    name = f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])}"
    parts = [f"# Tables: {name}\n\nMade by `python benchmarks/tables.py`.\n"]
    for command in COMMANDS:
        print(f"{command} ...", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, HERE / command], check=True, stdout=subprocess.PIPE, text=True
        )
        parts.append(f"## {command}\n\n{done.stdout}")
    page = PLACE / f"{name.lower().replace(' ', '-')}.md"
    page.write_text("\n".join(parts))
    print(page)


if __name__ == "__main__":
    main()
