"""``python -m sigcffi``: a table of every signal and what it would do in a Python process.

Law: formats what ``dispositions`` tells; decides nothing.
"""

from __future__ import annotations

import argparse

import sigcffi

_HEADINGS = (
    "NO",
    "NAME",
    "MEANING",
    "DEFAULT",
    "DISPOSITION",
    "BLOCKED",
    "PENDING",
    "DELIVERIES",
)


def _cells(state: sigcffi.SignalState) -> tuple[str, ...]:
    disposition = state.disposition
    if callable(state.handler):
        name = getattr(state.handler, "__qualname__", None) or repr(state.handler)
        disposition = f"{disposition} {name}"
    return (
        str(state.signum),
        state.name,
        state.meaning,
        state.default_action,
        disposition,
        "yes" if state.blocked else "-",
        "yes" if state.pending else "-",
        str(state.deliveries),
    )


def table(states: list[sigcffi.SignalState]) -> str:
    """The states as aligned columns, a line each, under a line of headings."""
    rows = [_HEADINGS, *map(_cells, states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sigcffi",
        description="Print every signal and what it would do in a Python process.",
    )
    parser.parse_args()
    print(table(sigcffi.dispositions()))


if __name__ == "__main__":
    main()
