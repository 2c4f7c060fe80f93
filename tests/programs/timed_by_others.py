"""Programs with timeouts that are shielded, or begun and ended by other code: stacks, decorators,
classes, coroutines. The law is that of ``programs.timed``.
"""

# What is written here is bytecode: it is to be as it stands.
# ruff: noqa: C416, F841, RET503, RET504, SIM117

from contextlib import ExitStack, contextmanager

from programs.timed import HOUR

from sigcffi import TimedOut, timeout


def shielded(said):
    block = timeout(HOUR)
    begun = ended = 0
    try:
        with block:
            x = 1
            with block.shield():
                begun += 1
                x = 2
                ended += 1
            x = 3
    except TimedOut as error:
        said.append((error.timeout, block))
        said.append((begun, ended))


def shielded_in_a_loop(said):
    block = timeout(HOUR)
    begun = ended = 0
    try:
        with block:
            for x in range(2, 4):
                with block.shield():
                    begun += 1
                    while x := x - 1:
                        pass
                    ended += 1
    except TimedOut as error:
        said.append((error.timeout, block))
        said.append((begun, ended))


def shielded_by_a_generator(said):
    block = timeout(HOUR)
    begun = ended = 0

    @contextmanager
    def shield():
        nonlocal begun, ended
        with block.shield():
            begun += 1
            yield
            ended += 1

    try:
        with block:
            with shield():
                x = 1
    except TimedOut as error:
        said.append((error.timeout, block))
        said.append((begun, ended))


def stacked(said):
    block = timeout(HOUR)
    try:
        with ExitStack() as stack:
            stack.enter_context(block)
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))


def stacked_in_a_block(said):
    block = timeout(HOUR)
    try:
        with ExitStack() as stack:
            with ExitStack():
                stack.enter_context(block)
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))


class Limited:
    def __init__(self, block):
        self.block = block

    def __enter__(self):
        self.block.__enter__()
        return self

    def __exit__(self, *error):
        return self.block.__exit__(*error)


def wrapped(said):
    block = timeout(HOUR)
    try:
        with Limited(block):
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))


def wrapped_and_stacked(said):
    block = timeout(HOUR)
    try:
        with ExitStack() as stack:
            stack.enter_context(Limited(block))
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))


class Derived(timeout):
    def __enter__(self):
        x = super().__enter__()
        return x

    def __exit__(self, *error):
        x = super().__exit__(*error)
        return x


def derived(said):
    block = Derived(HOUR)
    try:
        with block:
            x = 1
    except TimedOut as error:
        said.append((error.timeout, block))


def in_a_match(said):
    block = timeout(HOUR)

    def inside(x):
        with block:
            match x:
                case [1, x]:
                    with timeout(3 * HOUR):
                        return x
                case _:
                    x = 0

    try:
        inside([1, 2])
    except TimedOut as error:
        said.append((error.timeout, block))


def comprehending(said):
    block = timeout(HOUR)
    try:
        with block:
            x = [x for x in range(2)]
            x = {y: [z for z in x if z] for y in x}
    except TimedOut as error:
        said.append((error.timeout, block))


class Soon:
    def __await__(self):
        yield


def called_by_a_coroutine(said):
    block = timeout(HOUR)

    def synchronous(x):
        with block:
            while x := x - 1:
                pass

    async def coroutine():
        await Soon()
        synchronous(2)
        return 1

    driven = coroutine()
    try:
        driven.send(None)
        driven.send(None)
    except StopIteration:
        pass
    except TimedOut as error:
        said.append((error.timeout, block))
    finally:
        driven.close()


def around_a_coroutine(said):
    block = timeout(HOUR)

    async def coroutine():
        try:
            await Soon()
        finally:
            x = 1

    driven = coroutine()
    try:
        with block:
            for _ in driven.__await__():
                x = 2
    except TimedOut as error:
        said.append((error.timeout, block))
    finally:
        driven.close()
