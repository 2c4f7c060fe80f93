"""``python -m sigcffi``: the command line.

Law: the same as the console script ``sigcffi``.
"""

from __future__ import annotations

import sys

from sigcffi._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
