"""A subinterpreter cannot import sigcffi."""

import sys

if sys.version_info < (3, 14):
    sys.exit("concurrent.interpreters came with Python 3.14")

from concurrent import interpreters

CODE = """
try:
    import {0}
    {0}.signal({0}.SIGTERM, {0}.SIG_IGN)
except (ImportError, ValueError) as error:
    print("{0}:", type(error).__name__)
"""

for module in "signal", "sigcffi":
    interpreter = interpreters.create()
    interpreter.exec(CODE.format(module))
    interpreter.close()
