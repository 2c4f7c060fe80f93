"""One run of some of the interpreter's own tests, in the interpreter that runs this file.

Law: knows nothing of sigcffi and compares nothing; it runs what it is told and writes down what
became of each test. Every line is flushed before the next test starts, so that the last one tells
which test a process died in.

``worker.py RECORD PATTERNS NAME...``: RECORD is the file to write; PATTERNS a JSON list, the ``-k``
of unittest (empty: every test); a NAME is what unittest can load.

Lines of JSON: ``{"started": id}``; then ``{"id", "test", "outcome", "detail"}``, where "test" is
the test that a subtest belongs to, or the same as "id"; at the end what ``state`` returns.
"""

# ruff: noqa: N802, N815  (unittest's names)

from __future__ import annotations

import json
import sys
import traceback
import types
import unittest
from typing import Any, TextIO


class Record(unittest.TestResult):
    """A result that is a file of JSON lines."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file
        self._seen: dict[str, str] = {}  # the outcomes of the running test and its subtests

    def write(self, line: dict[str, Any]) -> None:
        print(json.dumps(line), file=self._file, flush=True)

    def _add(self, test: Any, outcome: str, detail: str = "") -> None:
        self._seen[test.id()] = outcome
        whole = getattr(test, "test_case", test)
        self.write({"id": test.id(), "test": whole.id(), "outcome": outcome, "detail": detail})

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._seen = {}
        self.write({"started": test.id()})

    def stopTest(self, test: Any) -> None:
        # Where a subtest failed, or in some versions was skipped, unittest does not speak of the
        # test as a whole.
        if test.id() not in self._seen:
            outcomes = self._seen.values()
            self._add(test, "failed" if "failed" in outcomes else "skipped", "in a subtest")
        super().stopTest(test)

    def addSuccess(self, test: Any) -> None:
        self._add(test, "passed")

    def addError(self, test: Any, err: Any) -> None:
        self._add(test, "failed", "".join(traceback.format_exception(*err)))

    addFailure = addError

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is None:
            self.addSuccess(subtest)
        else:
            self.addError(subtest, err)

    def addSkip(self, test: Any, reason: str) -> None:
        self._add(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._add(test, "passed", "failed, as expected")

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._add(test, "failed", "passed, against expectation")


def state() -> dict[str, Any]:
    """Which module stands in for ``signal`` here.

    "module": where ``signal.signal`` was defined; "holders": the modules that hold the standard
    module although something else is imported under its name.
    """
    import signal

    holders = {
        name
        for name, module in list(sys.modules.items())
        for value in list(getattr(module, "__dict__", {}).values())
        if isinstance(value, types.ModuleType)
        and value.__name__ == "signal"
        and value is not signal
    }
    return {"module": signal.signal.__module__, "holders": sorted(holders)}


def main(record: str, patterns: str, *names: str) -> None:
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in json.loads(patterns)] or None
    # A script's directory comes first on the path; here, that of run.py and not of the tests.
    del sys.path[0]
    with open(record, "a", encoding="utf-8") as file:
        result = Record(file)
        loader.loadTestsFromNames(names).run(result)
        result.write(state())


if __name__ == "__main__":
    main(*sys.argv[1:])
