"""What pyproject.toml has no key for: the cffi module and the tag of its wheel.

Three wheels serve every CPython: cp311-abi3 those with the GIL, cp314-cp314t the free-threaded
3.14, which has no stable ABI, and cp315-abi3.abi3t 3.15, both with the GIL and without. PyPy has no
stable ABI: there the wheel is for that version alone.
"""

import platform
import sys
import sysconfig

import cffi  # noqa: F401, without it setuptools leaves cffi_modules out, and so the extension
from setuptools import setup


def oldest_served() -> str | None:
    """Return the version whose stable ABI the wheel is built for, if there is one."""
    if platform.python_implementation() != "CPython":
        return None
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "cp311"
    return "cp315" if sys.version_info >= (3, 15) else None


oldest = oldest_served()
setup(
    cffi_modules=["build_sig.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": oldest}} if oldest else {},
)
