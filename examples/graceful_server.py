"""An asyncio server that shuts down gracefully on SIGTERM, and says who asked for it.

It repeats what its clients say. On SIGTERM it accepts nobody any more, lets those that are
connected finish, and ends. A second SIGTERM ends it at once, also if Python is stuck in C.

    graceful_server.py [PORT]      0: any port that is free
"""

import asyncio
import sys

import sigcffi as signal


def sender_of(info):
    """Who has sent a signal: "process 4711 of user 0 (bash)"."""
    try:
        with open(f"/proc/{info.si_pid}/comm") as comm:
            command = comm.read().rstrip()
    except OSError:
        command = "gone already"
    return f"process {info.si_pid} of user {info.si_uid} ({command})"


async def main(port):
    clients = set()

    async def serve(reader, writer):
        clients.add(asyncio.current_task())
        try:
            async for line in reader:
                writer.write(line)
                await writer.drain()
        finally:
            clients.discard(asyncio.current_task())
            writer.close()

    # In C, at once: whatever the program is doing when the second one comes.
    with signal.actions.default(signal.SIGTERM, when=2):
        async with signal.open_signal_receiver(signal.SIGTERM) as requests:
            server = await asyncio.start_server(serve, "127.0.0.1", port)
            print("Listening on port", server.sockets[0].getsockname()[1], flush=True)
            async for request in requests:
                print("Asked to end by", sender_of(request), flush=True)
                break
            server.close()
            while clients:
                print("Waiting for", len(clients), "to finish", flush=True)
                await asyncio.wait(clients)
    print("Everybody has finished", flush=True)


asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8007))
