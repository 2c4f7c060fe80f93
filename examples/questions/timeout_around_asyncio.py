"""A limit for asyncio.run(), although a coroutine does not give way to the loop."""

import asyncio
import contextlib
import os
import threading
import time

from side_by_side import say, side_by_side

import sigcffi


async def burns():
    try:
        while True:  # no await: the loop does not come to its timers
            pass
    finally:
        say("cleaned up")


async def blocks():
    threading.Event().wait()


async def swallows_its_cancellation():
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


def with_asyncio():
    say("0.1 seconds, by asyncio.wait_for()")
    asyncio.run(asyncio.wait_for(burns(), 0.1))


def with_sigcffi():
    for coroutine in burns(), blocks():
        try:
            with sigcffi.timeout(0.3):
                asyncio.run(coroutine)
        except TimeoutError:
            say(f"{coroutine.__name__}(): its time is over")
    say(asyncio.run(asyncio.sleep(0, "asyncio can be used as before")))


def with_sigcffi_in_a_coroutine():
    async def main():
        try:
            with sigcffi.timeout(5):
                await asyncio.sleep(0)
        except RuntimeError as error:
            say(f"RuntimeError: {str(error).partition(':')[0]}")
        try:
            call_that_hangs()
        except TimeoutError:
            say("a function that a coroutine calls: its time is over")

    @sigcffi.timeout(0.1)
    def call_that_hangs():
        time.sleep(60)

    asyncio.run(main())


def with_a_dead_mans_switch():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the tracebacks go
    with sigcffi.kill_after(0.3), sigcffi.timeout(0.1):
        asyncio.run(swallows_its_cancellation())  # its end waits for the coroutine's, for ever


if __name__ == "__main__":
    side_by_side(
        with_asyncio,
        with_sigcffi,
        with_sigcffi_in_a_coroutine,
        with_a_dead_mans_switch,
        hangs=[with_asyncio],
    )
