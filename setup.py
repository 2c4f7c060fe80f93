"""What pyproject.toml has no key for: the cffi module and the tag of its wheel."""

import platform
import sysconfig

from setuptools import setup

# One wheel for every CPython from 3.9 on: cffi compiles against the limited API. A
# free-threaded CPython has no limited API, and PyPy no stable one: there the wheel is native.
limited = platform.python_implementation() == "CPython" and not sysconfig.get_config_var(
    "Py_GIL_DISABLED"
)

setup(
    cffi_modules=["build_sig.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp39"}} if limited else {},
)
