"""An asyncio server that stops well, and says who asked for it.

It repeats what its clients say. When it is asked to stop (SIGTERM, Ctrl-C) it accepts no new
clients, gives those that are connected at most 30 seconds to finish, and ends. The second signal
ends it at once, the third one also if Python is stuck in C.

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
        except asyncio.CancelledError:
            pass  # the program ends before this client has finished
        finally:
            clients.discard(asyncio.current_task())
            writer.close()

    async with signal.shutdown(grace=30, force=1) as stop:
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        print("Listening on port", server.sockets[0].getsockname()[1], flush=True)
        await stop.wait()
        print("Asked to end by", sender_of(stop.reason), flush=True)
        server.close()
        while clients:
            print("Waiting for", len(clients), "to finish", flush=True)
            await asyncio.wait(clients)
        print("Everybody has finished", flush=True)
    return stop


stop = asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8007))
if stop.stage == "interrupted":
    stop.exit()  # as the signal would have ended it: somebody has not finished
