"""One receiver for every kind of program: a thread, asyncio; trio and anyio if they are there."""

import asyncio
import importlib.util
import os
import signal

import sigcffi


def came_from_here(info):
    return info.si_pid == os.getpid()


def in_a_thread():
    with sigcffi.open_signal_receiver(signal.SIGUSR1) as receiver:
        os.kill(os.getpid(), signal.SIGUSR1)
        return came_from_here(next(iter(receiver)))


async def in_a_loop():
    async with sigcffi.open_signal_receiver(signal.SIGUSR1) as receiver:
        os.kill(os.getpid(), signal.SIGUSR1)
        return came_from_here(await anext(aiter(receiver)))


print("thread:", in_a_thread())
print("asyncio:", asyncio.run(in_a_loop()))
for name in "trio", "anyio":
    if importlib.util.find_spec(name) is not None:
        print(f"{name}:", importlib.import_module(name).run(in_a_loop))
