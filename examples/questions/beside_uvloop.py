"""A timeout around uvloop.run(): what is thrown away there, and what is not."""

import asyncio
import importlib.util
import sys
import time

from side_by_side import say, side_by_side

import sigcffi


def with_code_that_does_not_give_way():
    import uvloop

    async def main():
        while True:
            pass

    try:
        with sigcffi.timeout(0.1):
            uvloop.run(main())
    except TimeoutError:
        say("its time is over")


def with_a_loop_that_sleeps():
    import uvloop

    async def main(limit):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)  # says where it was thrown away
        loop.call_soon(lambda: limit.reschedule(time.monotonic() + 0.1))
        await asyncio.sleep(60)

    with sigcffi.timeout(None) as limit:
        say("a timeout around await asyncio.sleep()")
        uvloop.run(main(limit))


def with_the_timeout_of_asyncio():
    import uvloop

    async def main():
        try:
            async with asyncio.timeout(0.05):
                await asyncio.sleep(60)
        except TimeoutError:
            say("its time is over")

    uvloop.run(main())


if __name__ == "__main__":
    if importlib.util.find_spec("uvloop") is None:
        sys.exit("uvloop is not installed")
    side_by_side(
        with_code_that_does_not_give_way,
        with_a_loop_that_sleeps,
        with_the_timeout_of_asyncio,
        hangs=[with_a_loop_that_sleeps],
    )
