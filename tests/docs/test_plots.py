"""The plots of the documentation, and what they are drawn from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support import PYPY

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "docs" / "benchmarks"


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    results: dict[str, Any] = json.loads((PLACE / "results.json").read_text())
    return results


def shape(results: Any) -> Any:
    """The names in it, at every depth."""
    if isinstance(results, dict):
        return {name: shape(each) for name, each in results.items()}
    return None


@pytest.mark.skipif(PYPY, reason="PyPy has no loop whose handlers are measured while it is busy")
def test_what_is_measured_has_the_names_that_are_published(
    published: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, ROOT / "benchmarks/distributions.py", file]
    subprocess.run([*command, "--rounds", "1", "--values", "1000"], check=True, timeout=120)
    results = json.loads(file.read_text())
    assert "sigcffi" in results["libraries"]  # others may not be installed
    assert shape({**results, "libraries": published["libraries"]}) == shape(published)
    assert results["flood"]["sigcffi.sigaction"]["values"] == 1000


def test_each_plot_says_what_it_shows_and_on_what(published: dict[str, Any]) -> None:
    on = published["machine"]
    for name in ("latency", "flood", "libraries", "counts"):
        path = PLACE / f"{name}.svg"
        assert path.stat().st_size < 60_000
        said = " ".join(ElementTree.parse(path).getroot().itertext())
        for what in (on["python"], on["sigcffi"], on["system"], on["date"], on["command"]):
            assert what in said


def test_plots_are_drawn_from_what_is_published(
    published: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import plots

    plots.draw(published, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.svg" for name in plots.PLOTS
    )
