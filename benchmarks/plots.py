"""Draws what distributions.py has found: ``python benchmarks/plots.py``, or first measures it, with
``--measure``.

Law: a plot shows the numbers of one file, docs/benchmarks/results.json, and nothing else; its title
says what they show, and is made of them. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator
from measuring import in_words

PLACE = Path(__file__).parents[1] / "docs" / "benchmarks"
RESULTS = PLACE / "results.json"
# Okabe and Ito's, which can be told apart by everybody; lines differ in their dashes, too.
COLOURS = {"signal.signal": "#555555", "sigcffi.signal": "#0072b2", "sigcffi.sigaction": "#d55e00"}
DASHES = {"signal.signal": "--", "sigcffi.signal": "-", "sigcffi.sigaction": "-."}
SETTINGS = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.titlesize": 12,
    "font.sans-serif": ["DejaVu Sans"],  # each text in the file has the whole list
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "sigcffi",  # one file for the same numbers
}


def median(quantiles: list[float]) -> float:
    return quantiles[50]


def latency(found: dict[str, Any]) -> str:
    """Four times the quantiles, one below the other: as wide as a phone."""
    _, axes = plt.subplots(len(found), 1, figsize=(5.6, 9.6), layout="constrained")
    for axis, (way, lines) in zip(axes, found.items(), strict=True):
        for name, quantiles in lines.items():
            drawn = range(1, len(quantiles), 2)  # every second, the last with them: half the file
            at = [number + 0.5 for number in drawn]
            axis.plot(
                [quantiles[number] for number in drawn],
                at,
                DASHES[name],
                color=COLOURS[name],
                label=name,
            )
        axis.set(xscale="log", yticks=(0, 50, 100), title=way, ylabel="% of signals")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
    axes[0].legend(loc="lower right")
    axes[-1].set_xlabel("microseconds from sending to handler, at most")
    plain = next(iter(found.values()))
    bare, ours, info = (median(plain[name]) for name in COLOURS)
    return (
        f"A handler of sigcffi.signal starts after {ours / bare:.2f} times the standard "
        f"module's time, one of sigaction after {info / bare:.2f}"
    )


def flood(found: dict[str, Any]) -> str:
    _, axis = plt.subplots(figsize=(5.6, 2.6), layout="constrained")
    for name, each in found.items():
        axis.barh(name, each["calls"] / each["sent"] * 100, color=COLOURS[name])
        text = f"{each['calls']:,} calls, {each['values']:,} values known, {each['seconds']:.2f} s"
        full = each["calls"] > each["sent"] / 2
        axis.text(
            99 if full else 1,
            name,
            text,
            ha="right" if full else "left",
            va="center",
            color="white" if full else "black",
        )
    axis.set(xlabel="handler calls, in % of the values that were queued", xlim=(0, 100))
    axis.grid(visible=False, axis="y")
    axis.invert_yaxis()
    sent, kept = (found["sigcffi.sigaction"][key] for key in ("sent", "values"))
    return f"Of {sent:,} queued values sigaction loses {sent - kept:,}"


def libraries(found: dict[str, Any]) -> str:
    _, axis = plt.subplots(figsize=(5.6, 2.8), layout="constrained")
    for name, nanoseconds in sorted(found.items(), key=lambda item: item[1]):
        colour = COLOURS["sigcffi.signal" if name == "sigcffi" else "signal.signal"]
        bar = axis.barh(name, nanoseconds / 1000, color=colour)
        axis.bar_label(bar, fmt="%.1f", padding=3)
    axis.set_xlabel("microseconds for a block or call that ends in time")
    axis.grid(visible=False, axis="y")
    axis.set_xlim(right=max(found.values()) / 1000 * 1.15)
    axis.invert_yaxis()
    best = min(each for name, each in found.items() if name != "sigcffi")
    return f"sigcffi's timeout costs {found['sigcffi'] / best:.2f} times the next library's"


def counts(found: dict[str, Any]) -> str:
    _, axes = plt.subplots(len(found), 1, figsize=(5.6, 9), layout="constrained")
    for axis, (what, line) in zip(axes, found.items(), strict=True):
        numbers = [int(number) for number in line]
        axis.plot(
            numbers, list(line.values()), "o-", color=COLOURS["sigcffi.signal"], clip_on=False
        )
        axis.set(xscale="log", xticks=numbers, title=what, ylabel="microseconds")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel("how many")
    within = next(iter(found.values()))
    most = list(within)[-1]
    ratio = within[most] / within["1"]
    return f"A timeout within {most} costs {ratio:.1f} times what one alone does"


PLOTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "latency": latency,
    "flood": flood,
    "libraries": libraries,
    "counts": counts,
}


def draw(results: dict[str, Any], place: Path) -> None:
    """One file for each plot."""
    on = results["machine"]
    below = f"{in_words(on)}\n{on['command']}"
    for name, plot in PLOTS.items():
        with mpl.rc_context(SETTINGS):
            title = plot(results[name])
            figure = plt.gcf()
            figure.suptitle(textwrap.fill(title, 56))
            figure.supxlabel(below, fontsize=7, color="#555555")
            figure.savefig(place / f"{name}.svg", metadata={"Date": None, "Title": title})
            plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="minutes, on a quiet machine")
    if parser.parse_args().measure:
        command = [sys.executable, Path(__file__).with_name("distributions.py"), RESULTS]
        subprocess.run(command, check=True)
    draw(json.loads(RESULTS.read_text()), PLACE)


if __name__ == "__main__":
    main()
