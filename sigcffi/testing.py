"""For tests of programs that use signals: what has leaked, and signals at every place in turn.

Law: for tests. Nothing else of the library imports it, and it imports no test framework; the plugin
for pytest is ``sigcffi.pytest_plugin``.
"""

from sigcffi._testing.infos import fake_info
from sigcffi._testing.snapshots import Snapshot, differences, snapshot

__all__ = ["Snapshot", "differences", "fake_info", "snapshot"]
