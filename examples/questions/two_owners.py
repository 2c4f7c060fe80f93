"""A server installs its own handler for SIGTERM, and the application's is not called any more."""

import asyncio
import os
import signal

from side_by_side import say, side_by_side

import sigcffi


def serve():
    """As servers do: take the signal over, and give it back at the end."""
    former = signal.signal(signal.SIGTERM, lambda signum, frame: say("the server stops"))
    signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, former)


def with_signal():
    signal.signal(signal.SIGTERM, lambda signum, frame: say("the application stops"))
    serve()


def with_sigcffi():
    sigcffi.patch_stdlib()  # before the server is there
    sigcffi.subscribe(signal.SIGTERM, lambda info, frame: say("the application stops"))
    serve()


def with_asyncio():
    async def main():
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped.wait()
        say("the coroutine stops")

    sigcffi.patch_stdlib()
    sigcffi.subscribe(signal.SIGTERM, lambda info, frame: say("the application stops"))
    asyncio.run(main())


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, with_asyncio)
