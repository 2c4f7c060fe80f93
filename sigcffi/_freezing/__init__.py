"""What PyInstaller asks a package about itself: ``hook_folders``, named in pyproject.toml.

Law: nothing of the library imports this. The names of ``sigcffi`` are imported on first use, by a
name that is put together, which no tool sees that reads programs; the hook beside this tells it.

Source: "Providing PyInstaller Hooks with your Package" in PyInstaller's documentation.
"""

from __future__ import annotations

import os

__all__ = ["hook_folders"]


def hook_folders() -> list[str]:
    """Where the hook is."""
    return [os.path.dirname(__file__)]
