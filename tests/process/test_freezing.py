"""What PyInstaller is told, which sees no module that is imported on first use."""

from __future__ import annotations

import importlib.metadata
import pkgutil
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import sigcffi


def test_a_frozen_program_has_all_modules_but_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    every = {each.name for each in pkgutil.walk_packages(sigcffi.__path__, "sigcffi.")}

    def collect_submodules(package: str, filter: Callable[[str], bool]) -> list[str]:
        assert package == "sigcffi"
        return [name for name in every if filter(name)]

    for name in ("PyInstaller", "PyInstaller.utils", "PyInstaller.utils.hooks"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    hooks = sys.modules["PyInstaller.utils.hooks"]
    monkeypatch.setattr(hooks, "collect_submodules", collect_submodules, raising=False)

    entries = importlib.metadata.distribution("sigcffi").entry_points
    [entry] = entries.select(group="pyinstaller40", name="hook-dirs")
    [folder] = entry.load()()
    found = runpy.run_path(str(Path(folder, "hook-sigcffi.py")))["hiddenimports"]
    assert every - {"sigcffi.pytest_plugin"} <= {*found}
    assert "sigcffi.pytest_plugin" not in found
    assert "_cffi_backend" in found
