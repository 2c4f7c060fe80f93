"""A timeout around the ``yield`` of a generator: pytest's and pluggy's are known, as contextlib's
are; of another generator it is said that what it yields to is not in the block.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator

import pytest
from support import DEADLINE, PLAIN_PYTEST

from sigcffi import TimedOut, TimeoutInterrupt, timeout

pytest_plugins = ["pytester"]

SHORT = 0.05
HEAD = f"""
import time
import pytest
from sigcffi import TimedOut, TimeoutInterrupt, timeout

def spin():
    end = time.monotonic() + {DEADLINE}
    while time.monotonic() < end:
        pass
    raise BaseException("nobody interrupts it")
"""


def run(pytester: pytest.Pytester, test: str, conftest: str = "") -> pytest.RunResult:
    pytester.makeconftest(HEAD + conftest)
    pytester.makepyfile(HEAD + test)
    done = pytester.runpytest_subprocess(*PLAIN_PYTEST)
    assert "nobody interrupts it" not in done.stdout.str()
    return done


HOOKS = {
    "a wrapper": f"""
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with timeout({SHORT}):
        return (yield)
""",
    "a wrapper of the old kind": f"""
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    with timeout({SHORT}):
        yield
""",
    "a context manager in a wrapper": f"""
import contextlib

@contextlib.contextmanager
def limited():
    with contextlib.ExitStack() as stack:
        stack.enter_context(timeout({SHORT}))
        yield

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with limited():
        return (yield)
""",
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_hook_wrappers_block_is_around_the_hook(pytester: pytest.Pytester, hook: str) -> None:
    test = """
def test_it():
    try:
        spin()
    except Exception:
        pass
"""
    done = run(pytester, test, hook)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([f"E * sigcffi.TimedOut: {SHORT} seconds are over*"])


FIXTURES = {
    "a fixture": f"""
@pytest.fixture
def limit():
    with timeout({SHORT}):
        yield
""",
    "a context manager in a fixture": f"""
import contextlib

@contextlib.contextmanager
def limited():
    with timeout({SHORT}):
        yield

@pytest.fixture
def limit():
    with limited():
        yield
""",
    "a stack in a fixture": f"""
import contextlib

@pytest.fixture
def limit():
    with contextlib.ExitStack() as stack:
        stack.enter_context(timeout({SHORT}))
        yield
""",
    "a fixture of a module": f"""
@pytest.fixture(scope="module")
def limit():
    with timeout({SHORT}):
        yield
""",
}


@pytest.mark.parametrize("fixture", FIXTURES.values(), ids=FIXTURES)
def test_a_fixtures_block_is_around_the_test(pytester: pytest.Pytester, fixture: str) -> None:
    test = """
done = []

@pytest.fixture
def slow_to_end(limit):
    yield
    begin = time.monotonic()
    while time.monotonic() < begin + 0.2:
        pass
    done.append("ended in peace")

def test_it(slow_to_end):
    try:
        spin()
    except Exception:
        done.append("wrong")
    finally:
        done.append("left")

def teardown_module():
    assert done == ["left", "ended in peace"]
"""
    done = run(pytester, fixture + test)
    done.assert_outcomes(failed=1, errors=1)
    said = done.stdout.str()
    assert f"TimeoutInterrupt: {SHORT} seconds are over" in said
    assert f"sigcffi.TimedOut: {SHORT} seconds are over" in said
    assert "AssertionError" not in said


def test_a_fixture_within_time_does_nothing(pytester: pytest.Pytester) -> None:
    test = f"""
@pytest.fixture
def limit():
    with timeout({DEADLINE}) as block:
        yield block

@pytest.fixture
def other():
    with timeout({2 * DEADLINE}):
        yield

def test_it(limit, other):
    assert limit.remaining() > 1

def test_another(other, limit):
    limit.reschedule(None)
"""
    run(pytester, test).assert_outcomes(passed=2)


def test_a_fixture_is_interrupted_while_it_begins_and_while_it_ends(
    pytester: pytest.Pytester,
) -> None:
    test = f"""
@pytest.fixture
def begins():
    with pytest.raises(TimedOut):
        with timeout({SHORT}):
            spin()
    with timeout({DEADLINE}) as block:
        yield block
        block.reschedule(time.monotonic() + {SHORT})
        with pytest.raises(TimeoutInterrupt):
            spin()
        raise KeyError

def test_it(begins):
    pass
"""
    done = run(pytester, test)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines([f"E * sigcffi.TimedOut: {int(DEADLINE)}* seconds are over*"])


def test_a_later_test_is_not_in_the_block_of_an_earlier_one(pytester: pytest.Pytester) -> None:
    test = f"""
@pytest.fixture
def limit():
    with timeout({SHORT}) as block:
        block.reschedule(time.monotonic() + {DEADLINE})
        yield block

def test_it(limit):
    pass

def test_another():
    from sigcffi._time.schedule import schedule
    assert schedule.is_empty()
    begin = time.monotonic()
    while time.monotonic() < begin + {2 * SHORT}:
        pass
"""
    run(pytester, test).assert_outcomes(passed=2)


# ---- Other generators ----


def test_another_generator_that_yields_within_a_block_is_told_once() -> None:
    def generator() -> Iterator[int]:
        with timeout(DEADLINE):
            yield 1

    def stacked() -> Iterator[int]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(timeout(DEADLINE))
            yield 1

    def shielding() -> Iterator[int]:
        with timeout(DEADLINE).shield():
            yield 1

    for each in (generator, stacked, shielding):
        place = rf"{each.__qualname__} yields within .*{__file__}, line \d+"
        with pytest.warns(RuntimeWarning, match=place):
            assert list(each()) == [1]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert list(each()) == [1]


def test_a_warning_that_is_an_error_comes_before_the_block() -> None:
    def generator() -> Iterator[int]:
        with block:
            yield 1

    block = timeout(DEADLINE)
    with pytest.raises(RuntimeWarning):
        next(generator())
    with block:
        assert block.remaining()


def test_a_generator_that_yields_elsewhere_is_told_nothing() -> None:
    def generator() -> Iterator[int]:
        with timeout(DEADLINE):
            list(number for number in range(3))  # noqa: C400
        yield 1
        with timeout(DEADLINE):
            time.monotonic()
        yield from (2, 3)

    assert list(generator()) == [1, 2, 3]


def test_whoever_passes_on_exceptions_by_hand_is_told_too() -> None:
    class ByHand:
        def __enter__(self) -> None:
            self.generator = limited()
            next(self.generator)

        def __exit__(self, *error: object) -> None:
            next(self.generator, None)

    def limited() -> Iterator[None]:
        with timeout(SHORT):
            yield

    told = pytest.warns(RuntimeWarning, match="limited yields within")
    with told, pytest.raises(TimedOut), ByHand():
        begin = time.monotonic()
        try:
            while time.monotonic() < begin + 3 * SHORT:
                pass
        except TimeoutInterrupt:
            pytest.fail("it is not known to come out there")
