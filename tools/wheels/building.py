"""Build the wheels of one kind for all targets, out of the sdist, by setuptools.

Law: setuptools runs on an interpreter of the kind, and takes all that depends on the machine from
``sysconfig``; so that is what is exchanged, as CPython's own cross builds do it
(``_PYTHON_SYSCONFIGDATA_NAME``, ``_PYTHON_HOST_PLATFORM``). The module is linked so that every
symbol is looked up while it is loaded: none is left to be found in a signal handler.
"""

from __future__ import annotations

import os
import pprint
import shutil
import sys
from pathlib import Path

from python_discovery import get_interpreter

from tools.wheels.kinds import NEEDED_BY_BUILDS, Kind, only, run
from tools.wheels.targets import Target
from tools.zig import ZIG, copy_headers

# In the interpreter that builds.
FACTS = (
    "import sysconfig; print(sysconfig.get_path('include'), *sysconfig.get_config_vars("
    "'py_version_short', 'py_version_nodot', 'abiflags', 'Py_GIL_DISABLED'), sep='\\n')"
)
BUILD = "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"
# In the environment these would come before what sysconfig says.
OF_OTHERS = {"AR", "ARFLAGS", "CC", "CFLAGS", "CPPFLAGS", "CXX", "LDFLAGS", "LDSHARED"}


class Builder:
    """An interpreter with what builds need, and its headers."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        folder.mkdir()
        self.kind = kind
        self.folder = folder
        spec = kind.interpreters[0]
        if get_interpreter(spec) is None:
            raise LookupError(f"{spec}, which builds {kind.tags}, is missing")
        environment = folder / "environment"
        run(sys.executable, "-m", "virtualenv", "--quiet", "--python", spec, environment)
        self.python = environment / "bin/python"
        run(self.python, "-m", "pip", "install", "--quiet", *NEEDED_BY_BUILDS)
        include, self.version, number, flags, free = run(self.python, "-c", FACTS).splitlines()
        if not Path(include, "Python.h").exists():
            raise LookupError(f"{spec}, which builds {kind.tags}, has no headers in {include}")
        self.free_threaded = free == "1"
        self.abi = f"{number}{flags}"
        self.headers = copy_headers(include, str(folder / "include"), self.free_threaded)

    def variables(self, target: Target) -> dict[str, str | int]:
        """What setuptools asks ``sysconfig`` for."""
        compiler = f"{ZIG} cc -target {target.compilers}"
        return {
            "AR": f"{ZIG} ar",
            "ARFLAGS": "rcs",
            "CC": compiler,
            "CCSHARED": "-fPIC",
            "CFLAGS": "-O2 -g0 -DNDEBUG -fwrapv -Wall",
            "CONFINCLUDEPY": self.headers,
            "CXX": f"{ZIG} c++ -target {target.compilers}",
            "EXT_SUFFIX": f".cpython-{self.abi}-{target.multiarch}.so",
            "INCLUDEPY": self.headers,
            "LDCXXSHARED": f"{compiler} -shared",
            "LDSHARED": f"{compiler} -shared -Wl,-z,now",
            "MULTIARCH": target.multiarch,
            "Py_DEBUG": 0,
            "Py_ENABLE_SHARED": 0,
            "Py_GIL_DISABLED": int(self.free_threaded),
            "SHLIB_SUFFIX": ".so",
            "SOABI": f"cpython-{self.abi}-{target.multiarch}",
            "VERSION": self.version,
        }

    def build(self, sdist: Path, target: Target) -> Path:
        """Build the wheel for a target; its tag is still that of any Linux."""
        folder = self.folder / target.platform
        shutil.unpack_archive(sdist, folder, filter="data")
        data = folder / "_sysconfigdata_of_the_target.py"
        data.write_text(f"build_time_vars = {pprint.pformat(self.variables(target))}\n")
        environment = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
        environment |= {
            "PYTHONPATH": str(folder),
            "_PYTHON_SYSCONFIGDATA_NAME": data.stem,
            "_PYTHON_SYSCONFIGDATA_PATH": str(folder),
            "_PYTHON_HOST_PLATFORM": f"linux-{target.processor}",
        }
        source = only(folder, "sigcffi-*")
        run(self.python, "-c", BUILD, folder, cwd=source, env=environment)
        return only(folder, "*.whl")
