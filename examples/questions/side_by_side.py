"""What the programs of this folder share: each function runs in a process of its own.

So a function may hang, or die of a signal, and the next one is not affected. Each line that a
function prints begins with its name: "signal" for ``with_signal``. A function that is expected to
hang, as those of the standard module do, is killed when it has printed nothing for half a second.
"""

import os
import resource
import select
import signal
import subprocess
import sys
from contextlib import suppress

PATIENCE = 0.5  # seconds without a line, after which a function that may hang is killed
LIMIT = 60.0  # the same for functions that must not hang


def side_by_side(*functions, hangs=()):
    """Run each function in a process of its own, and print what it says and how it ends."""
    if sys.argv[1:]:
        return {each.__name__: each for each in functions}[sys.argv[1]]()
    for function in functions:
        label = function.__name__.removeprefix("with_").replace("_", " ")
        for line in _lines_of(function.__name__, function in hangs):
            print(f"{label}: {line}", flush=True)
    return None


def _lines_of(name, may_hang):
    command = [sys.executable, sys.modules["__main__"].__file__, name]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        preexec_fn=_without_core_dumps,
    ) as process:
        said = b""
        limit = LIMIT  # until its first word: it has to start
        hung = False
        while select.select([process.stdout], [], [], limit)[0]:
            piece = process.stdout.read(4096)
            if not piece:
                break
            said += piece
            limit = PATIENCE if may_hang else LIMIT
        else:
            hung = True
        if hung:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    yield from said.decode().splitlines()
    if hung:
        yield "hangs, and is killed"
    elif status < 0:
        yield f"ended by {signal.Signals(-status).name}"
    elif status:
        yield f"exit status {status}"


def _without_core_dumps():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def say(text):
    """Print a line at once."""
    os.write(1, f"{text}\n".encode())
