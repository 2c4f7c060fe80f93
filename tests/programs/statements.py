"""Statements that blocks can stand in, as source, for ``blocks.corpus``."""

SOURCE = """
def plain():
    with Block():
        x = 1
        y = x + 1
    return y

def nested():
    with Block():
        with Block():
            x = 1
        with Block() as b, Block(), Block() as c:
            x = b, c
    return x

def of_no_statements():
    with Block():
        pass

def returns():
    with Block():
        with Block():
            return str(1)

def returns_a_constant():
    with Block():
        return None

def returns_from_a_loop():
    for x in range(3):
        with Block():
            if x == 1:
                return [x for x in range(2)]

def leaves_loops():
    for x in range(4):
        with Block():
            if x == 0:
                continue
            if x == 2:
                break
            y = x
    else:
        y = 0
    return y

def loops():
    with Block():
        for x in range(2):
            with Block():
                y = x
        while x < 3:
            x += 1
        while x:
            x -= 1
            if x == 1:
                continue
        for x in range(3):
            pass
        else:
            x = 1
        while (x := x + 1) < 3: pass
    return y

def a_loop_around():
    x = 0
    while x < 3:
        x += 1
        with Block():
            x += 0
    return x

def a_loop_that_ends_in_a_block():
    x = 3
    while x:
        with Block():
            x -= 1
            if x == 1:
                continue

def a_loop_of_two():
    for x in range(2):
        for y in range(2):
            with Block():
                if y == x:
                    break

def a_try():
    with Block():
        try:
            x = 1
        finally:
            x = 2
        try:
            int("x")
        except ValueError as error:
            x = str(error)
        else:
            x = 3
        finally:
            y = 4
    return x, y

def in_a_try():
    try:
        with Block():
            int("x")
    except ValueError:
        with Block():
            x = 1
    else:
        x = 0
    finally:
        with Block():
            y = 2
    return x, y

def returns_through_finally():
    with Block():
        try:
            with Block():
                return 1
        finally:
            x = 2

def a_finally_that_returns():
    for x in range(2):
        try:
            with Block():
                continue
        finally:
            with Block():
                return x

def an_end_that_swallows():
    with Block():
        with Block((ValueError,)):
            int("x")
        x = 1
        with Block((ValueError,)) as b:
            with Block():
                int("x")
        return x, b

def everything_is_swallowed():
    x = 0
    with Block():
        try:
            x = 1
            with Block():
                x = 2
        except:
            x = 3
        try:
            x = 4
        except BaseException:
            pass
        x = 5
    return x

def an_end_that_swallows_everything():
    x = 0
    with Block((BaseException,)):
        x = 1
        with Block((BaseException,)):
            x = 2
        x = 3
    return x

def swallowed_in_a_loop():
    for x in range(2):
        try:
            with Block():
                y = x
        except BaseException:
            continue

def handlers_in_handlers():
    with Block():
        try:
            int("x")
        except ValueError:
            try:
                int("y")
            except ValueError:
                with Block():
                    x = 1
            except TypeError:
                x = 2
            finally:
                x = 3
    return x

def raises_in_a_handler():
    try:
        with Block():
            try:
                int("x")
            except ValueError as error:
                with Block():
                    raise TypeError from error
    except TypeError:
        return 1

def conditions():
    with Block():
        x = 1 if len("a") else 2
        if x and (x == 1 or x == 2):
            y = x
        elif x:
            y = 0
        assert y
        y = [z for z in range(2) if z]
        y = {z: z for z in y}
    return y

def conditions_around():
    x = len("a")
    if x:
        with Block():
            x = 1
    else:
        x = 2
    if x:
        with Block():
            if x:
                return 1
    return 0
"""
