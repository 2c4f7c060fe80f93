"""What other libraries do, done with sigcffi: in the order of the table on this page."""

import asyncio
import os
import select
import threading
import time

import sigcffi as signal
from sigcffi.testing import send_when_blocked_in

ME = os.getpid()


def handler(signum, frame):
    print("signal:", signal.Signals(signum).name)


signal.signal(signal.SIGUSR1, handler)
os.kill(ME, signal.SIGUSR1)


async def wait():
    woken = asyncio.Event()
    wake = asyncio.get_running_loop().call_soon_threadsafe
    with (
        signal.subscribe(signal.SIGUSR2, lambda info, frame: wake(woken.set)),
        # It comes when the loop sleeps: woken.set alone would not end that.
        send_when_blocked_in(threading.current_thread(), "epoll_wait", signal.SIGUSR2),
    ):
        await woken.wait()
    print("the loop: woken")


asyncio.run(wait())


async def receive():
    async with signal.open_signal_receiver(signal.SIGUSR2) as receiver:
        os.kill(ME, signal.SIGUSR2)
        async for info in receiver:
            print("a receiver:", signal.Signals(info.si_signo).name, "by", info.si_pid == ME)
            break


asyncio.run(receive())


@signal.timeout(0.1)
def slow():
    time.sleep(60)


try:
    slow()
except TimeoutError as error:
    print("timeout:", error)

with signal.blocked(signal.SIGUSR1):  # restored at the end, as is every block's
    os.kill(ME, signal.SIGUSR1)
    print("blocked:", signal.sigpending() == {signal.SIGUSR1})

with signal.blocked(signal.SIGHUP), open(signal.signalfd({signal.SIGHUP}), "rb") as descriptor:
    os.kill(ME, signal.SIGHUP)
    select.select([descriptor], [], [])
    print("signalfd:", signal.sigdrain({signal.SIGHUP})[0].si_pid == ME)
