"""Programs with timeouts, for tests to strike them anywhere.

Law: each says whose time was over where it caught that, and whose should be; and how many shields
it has begun, and how many ended. Its blocks take an hour, by a clock that the tests put on.
"""

# What is written here is bytecode: it is to be as it stands.
# ruff: noqa: E722, F841, RET503, SIM117

from contextlib import contextmanager

from sigcffi import TimedOut, timeout

HOUR = 3600


def once(said):
    block = timeout(HOUR)
    try:
        with block:
            x = 1
            for _ in range(2):
                x += 1
    except TimedOut as error:
        said.append((error.timeout, block))


def empty(said):
    block = timeout(HOUR)
    try:
        with block:
            pass
    except TimedOut as error:
        said.append((error.timeout, block))


def nested(said):
    outer, inner = timeout(HOUR), timeout(HOUR)
    try:
        with outer:
            try:
                with inner:
                    x = 1
            except TimedOut as error:
                said.append((error.timeout, inner))
            x = 2
    except TimedOut as error:
        said.append((error.timeout, outer))


def in_a_loop(said):
    for x in range(3):
        block = timeout(HOUR)
        try:
            with block:
                if x == 1:
                    continue
        except TimedOut as error:
            said.append((error.timeout, block))


def loops_without_a_body(said):
    block = timeout(HOUR)
    try:
        with block:
            x = 2
            while x := x - 1:
                pass
            for _ in range(2):
                pass
            while True:
                x += 1
                if x > 1:
                    break
    except TimedOut as error:
        said.append((error.timeout, block))


def returning(said):
    block = timeout(HOUR)

    def inside():
        with block:
            for x in range(3):
                with timeout(3 * HOUR):
                    if x == 1:
                        return x

    try:
        inside()
    except TimedOut as error:
        said.append((error.timeout, block))


def swallowing(said):
    block = timeout(HOUR)
    try:
        with block:
            try:
                x = 1
            except:
                x = 2
            x += 1
    except TimedOut as error:
        said.append((error.timeout, block))


def swallowing_by_name(said):
    block = timeout(HOUR)
    try:
        with block:
            while True:
                try:
                    x = 1
                    break
                except BaseException as error:
                    continue
                finally:
                    x = 2
    except TimedOut as error:
        said.append((error.timeout, block))


def cleaning(said):
    block = timeout(HOUR)
    try:
        with block:
            try:
                int("x")
            except ValueError:
                x = 1
            finally:
                x = 2
            x += 1
    except TimedOut as error:
        said.append((error.timeout, block))


def raising(said):
    block = timeout(HOUR)
    try:
        with block:
            with timeout(3 * HOUR):
                x = str(1)
                int("x")
    except TimedOut as error:
        said.append((error.timeout, block))
    except ValueError:
        x = 1


def ended_from_c(said):
    block = timeout(HOUR, kill_after=3 * HOUR)
    try:
        with block:
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))


def among_others(said):
    @contextmanager
    def manager():
        x = 1
        try:
            yield x
        finally:
            x = 2

    block = timeout(HOUR)
    try:
        with manager(), block, manager():
            with manager():
                pass
    except TimedOut as error:
        said.append((error.timeout, block))


def as_a_generator(said):
    block = timeout(HOUR)

    @contextmanager
    def limited():
        with block:
            x = 1
            yield
            x = 2

    try:
        with limited():
            x = 3
    except TimedOut as error:
        said.append((error.timeout, block))


def as_a_generator_of_a_generator(said):
    block = timeout(HOUR)

    @contextmanager
    def limited():
        with block:
            yield

    @contextmanager
    def more():
        x = 0
        with limited():
            x = 1
            yield
            x = 2

    try:
        with more():
            x = 3
    except TimedOut as error:
        said.append((error.timeout, block))


def decorated(said):
    @timeout(HOUR)
    def function(depth):
        return function(depth - 1) if depth else 0

    try:
        function(1)
    except TimedOut as error:
        said.append((error.timeout, error.timeout))


def in_a_generator(said):
    block = timeout(HOUR)

    def generator():
        with block:
            yield 1
            yield 2

    try:
        for x in generator():
            x += 1
    except TimedOut as error:
        said.append((error.timeout, block))
