"""For PyInstaller, which reads this by its name: all modules but the plugin for pytest; and what
the compiled module imports.
"""

from PyInstaller.utils.hooks import collect_submodules  # type: ignore[import-untyped]

hiddenimports = [
    "_cffi_backend",
    *collect_submodules("sigcffi", filter=lambda name: name != "sigcffi.pytest_plugin"),
]
