"""Generators, comprehensions, groups, matches and coroutines that blocks can stand in, as source,
for ``blocks.corpus``.
"""

SOURCE = """
def a_generator():
    with Block():
        x = yield 1
        for y in range(2):
            yield y
        yield from (1, 2)
    yield x

def consumes():
    with Block():
        for x in a_generator():
            with Block():
                y = x
    return y

def holds_variables_for_others():
    with Block() as b:
        def inner():
            with b2:
                return x
        with Block() as b2:
            x = 1
        def more(y=x, *z, w=2):
            return y, b
        return more(1)

def imports_and_deletes():
    with Block():
        import sys
        from sys import path
        x = [1, 2]
        a, *b = x
        del x[0], a
        x[0] += 1
        return f"{x} {b!r:>5}"

def groups():
    with Block():
        try:
            with Block():
                raise ExceptionGroup("x", [ValueError(1), TypeError(2)])
        except* ValueError:
            with Block():
                x = 1
        except* TypeError as error:
            x = 2
        finally:
            x = 3
    return x

def a_group_of_interest_to_nobody():
    with Block((BaseException,)):
        try:
            raise ExceptionGroup("x", [ValueError(1), OSError(2)])
        except* ValueError as error:
            with Block():
                x = [y for y in error.exceptions]
    return x

def matches():
    with Block():
        match [1, 2]:
            case [1, x] if x == 3:
                return x
            case [1, x]:
                with Block():
                    return x

def matches_a_mapping():
    with Block():
        match {"x": 1, "y": [2, 3]}:
            case {"x": int(x), "y": [y, *z], **more}:
                with Block() as b:
                    x += y
            case _:
                x = 0
    return x

def comprehends():
    x = 3
    with Block():
        y = [x for x in range(2) if x]
        z = {x: [y for y in range(x)] for x in range(2)}
        with Block():
            w = {*(x for x in y)}
            w = [(x, z) for x in w for z in range(x)]
        y = [lambda: x for x in range(2)]
    return x, y, z

def comprehends_in_a_try():
    try:
        with Block():
            x = [x for x in range(2)]
            return [y for y in x if [z for z in x]]
    finally:
        with Block():
            x = [y for y in range(2)]

def leaves_by_break():
    for x in range(2):
        with Block() as b:
            y = x
            if x:
                break
    return b

def leaves_by_continue():
    for x in range(2):
        with Block():
            if x:
                continue
            y = x

def loops_in_blocks_with_targets():
    x = [0, 1]
    with Block() as x[0], Block() as (x[1]):
        while x:
            x = x[1:]
        for y in range(3):
            if y:
                continue
    with Block() as x:
        while True:
            if y:
                break
    return x

def blocks_in_parentheses():
    with (
        Block() as a,
        Block() as b,
    ):
        while not a: pass
        x = a if b else b
        x = x is a and b is not x
    return x

def ends_that_are_calls():
    with Block():
        with Block():
            return len(str(1))

def an_end_that_is_a_call_of_enter():
    with Block() as a:
        with Block():
            return a.again()

async def a_coroutine():
    with Block():
        await Soon()
        with Block():
            x = await Soon()
        for x in range(2):
            await Soon()
    return x

async def asynchronous_blocks():
    async with Manager():
        with Block():
            x = 1
        await Soon()
        with Block() as b:
            async with Manager() as c, Manager():
                async for y in Several():
                    if y:
                        continue
                    x = y
    return x

async def an_asynchronous_generator():
    with Block():
        yield 1
        async with Manager():
            with Block():
                yield 2
"""
