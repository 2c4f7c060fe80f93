"""Makes the picture of the README: Ctrl-C while Python is stuck in C, without sigcffi and with it.

Law: what the picture shows has happened. The program runs twice at a terminal (a pty), Ctrl-C is
typed there, and each line has the time at which it was seen.

``python docs/picture.py [FILE [SECONDS]]``; without FILE it is docs/images/ctrl-c.svg. SECONDS (10)
is about how long the program computes.
"""

from __future__ import annotations

import hashlib
import os
import pty
import select
import signal
import sys
import time
from html import escape
from pathlib import Path

PROGRAM = """
import hashlib
{first}print("Computing ...", flush=True)
hashlib.pbkdf2_hmac("sha256", b"password", b"salt", {rounds})
"""
PANELS = {
    "python compute.py": "",
    "python compute.py      # with sigcffi.force_quit()": "import sigcffi; sigcffi.force_quit()\n",
}
PRESSES = 3  # Ctrl-C, as long as the program is there
WIDTH, LINE, EDGE = 640, 22, 16

Lines = list[tuple[float, str]]


def rounds_of(seconds: float) -> int:
    """How many rounds take so long on this machine."""
    begun, rounds = time.monotonic(), 200_000
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", rounds)
    return int(rounds * seconds / (time.monotonic() - begun))


def run(program: str, pause: float) -> Lines:
    """What is seen at the terminal: lines, each with its time in seconds since the first."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir("/")  # not where the sources would be found first
        environment = {**os.environ, "NO_COLOR": "1"}
        os.execve(sys.executable, [sys.executable, "-c", program], environment)
    seen: Lines = []
    begun = due = 0.0
    pressed, text = 0, ""
    while True:
        wait = max(0.0, due - time.monotonic()) if begun and pressed < PRESSES else None
        if select.select([terminal], [], [], wait)[0]:
            try:
                text += os.read(terminal, 4096).decode()
            except OSError:  # nobody has the terminal any more
                break
            now = time.monotonic()
            if not begun:
                begun, due = now, now + pause
            *lines, text = text.replace("^C", "^C\n").replace("\r", "").split("\n")
            seen += [(now - begun, line) for line in lines if line]
        else:
            os.write(terminal, b"\x03")
            pressed, due = pressed + 1, due + pause
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
    return [*seen, (time.monotonic() - begun, f"(the process has ended {how})")]


def shortened(lines: Lines) -> Lines:
    """A traceback: its first and its last line."""
    texts = [text for _, text in lines]
    begins = next((n for n, text in enumerate(texts) if text.startswith("Traceback")), None)
    if begins is None:
        return lines
    ends = next(n for n, text in enumerate(texts) if n > begins and text[0] != " ")
    return [*lines[: begins + 1], (lines[begins][0], "  ..."), *lines[ends:]]


def drawn(panels: dict[str, Lines]) -> str:
    """The terminals as SVG, dark as terminals are: on a light page and on a dark one."""
    parts, top = [], 0
    for command, lines in panels.items():
        height = LINE * (len(lines) + 1) + EDGE
        parts.append(f'<rect y="{top}" width="{WIDTH}" height="{height}" rx="8" fill="#1d2330"/>')
        rows = [("", f"$ {command}"), *((f"{at:.1f} s", text) for at, text in lines)]
        for number, (at, text) in enumerate(rows, 1):
            y = top + LINE * number + EDGE // 4
            colour = "#ff9d76" if text == "^C" else "#8fd18f" if number == 1 else "#e6e9ef"
            shown = escape(text).replace("  ", "&#160; ")  # else two blanks are shown as one
            parts.append(f'<text x="{EDGE}" y="{y}" fill="{colour}">{shown}</text>')
            parts.append(
                f'<text x="{WIDTH - EDGE}" y="{y}" fill="#a8b1c0" text-anchor="end">{at}</text>'
            )
        top += height + EDGE
    said = " ".join(
        f"{command}: " + ", ".join(f"{text} at {at:.1f} s" for at, text in lines) + "."
        for command, lines in panels.items()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top - EDGE}"'
            f' width="{WIDTH}" role="img" aria-labelledby="title said">',
            "<!-- Made by docs/picture.py, which has run this. -->",
            '<title id="title">Ctrl-C while Python is stuck in C</title>',
            f'<desc id="said">{escape(said)}</desc>',
            '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"'
            ' font-size="15">',
            *parts,
            "</g>",
            "</svg>",
            "",
        ]
    )


def main(target: str = "", seconds: str = "10") -> None:
    path = Path(target) if target else Path(__file__).parent / "images/ctrl-c.svg"
    rounds = rounds_of(float(seconds))
    pause = min(1.0, float(seconds) / (2 * PRESSES))
    programs = {name: PROGRAM.format(first=first, rounds=rounds) for name, first in PANELS.items()}
    panels = {name: shortened(run(program, pause)) for name, program in programs.items()}
    for name, lines in panels.items():
        print(f"$ {name}", *(f"{at:5.1f} s  {text}" for at, text in lines), sep="\n")
        if lines[0][1] != "Computing ...":
            sys.exit("The program did not run: is sigcffi installed here?")
    path.write_text(drawn(panels))


if __name__ == "__main__":
    main(*sys.argv[1:])
