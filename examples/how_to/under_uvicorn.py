"""An application under uvicorn that knows at once that the server must stop, and who has asked.

under_uvicorn.py serve      serves, until somebody stops it
under_uvicorn.py            starts such a server, which stops itself, and says how it has ended
"""

import os
import subprocess
import sys

import sigcffi as signal

try:
    import uvicorn
except ImportError:
    sys.exit("uvicorn is not installed")

healthy = True


def drain(info, frame):
    """Beside uvicorn's own handler: the next check of the server's health fails."""
    global healthy
    healthy = False
    print("asked to stop:", info.describe().partition(" by ")[0], flush=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        # uvicorn has installed its handlers by now: what is attached here stays on top of them.
        await receive()
        with signal.subscribe(signal.SIGTERM, drain):
            await send({"type": "lifespan.startup.complete"})
            os.kill(os.getpid(), signal.SIGTERM)  # here; usually systemd or Kubernetes does this
            await receive()
            print("healthy:", healthy, flush=True)  # uvicorn ends by the signal: nothing is flushed
            await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        status = 200 if healthy else 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


if sys.argv[1:] == ["serve"]:
    uvicorn.run(app, port=0, log_level="critical")
else:
    server = subprocess.run([sys.executable, __file__, "serve"], check=False)
    print("uvicorn has ended by", signal.Signals(-server.returncode).name)
