"""For tests of programs that use signals: what has leaked, and signals at every place in turn.

Law: for tests. Nothing else of the library imports it, and it imports no test framework.
"""

from sigcffi._testing.infos import fake_info
from sigcffi._testing.sending import flood, send_when_blocked_in
from sigcffi._testing.snapshots import Snapshot, differences, snapshot
from sigcffi._testing.striking import Strike, strike

__all__ = [
    "Snapshot",
    "Strike",
    "differences",
    "fake_info",
    "flood",
    "send_when_blocked_in",
    "snapshot",
    "strike",
]
