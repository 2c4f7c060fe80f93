"""Actions are taken while the main thread sits in a C call that holds the GIL.

How processes end meanwhile is in test_endings.
"""

from __future__ import annotations

from pathlib import Path

from stuck import child, ended
from support import says, taken, tell

import sigcffi as signal

S = signal.SIGUSR1


def test_a_flag_is_set_and_stops_a_loop_in_c(foreign_path: Path) -> None:
    code = """
    handled = []
    signal.signal(S, lambda signum, frame: handled.append(signum))
    flag = actions.flag(S)
    library.foreign_spin(1, ctypes.c_void_p(flag.address))
    look()
    print(bool(flag), handled == [S], flush=True)
    """
    with child(foreign_path, code) as process:
        says(process, b".")
        process.send_signal(S)
        says(process, b"True True\n")
        assert ended(process) == 0


def test_every_delivery_is_counted_though_the_handler_runs_once(foreign_path: Path) -> None:
    code = """
    handled = []
    signal.signal(S, lambda signum, frame: handled.append(signum))
    counter = actions.counter(S)
    sit()
    look()
    print(int(counter), len(handled), flush=True)
    """
    with child(foreign_path, code) as process:
        says(process, b".")
        for _ in range(5):
            process.send_signal(S)
            taken(process.pid, S)
        tell(process)
        says(process, b"5 1\n")
        assert ended(process) == 0


def test_a_byte_is_written(foreign_path: Path) -> None:
    code = """
    os.set_blocking(1, False)
    actions.write(S, 1)
    sit()
    """
    with child(foreign_path, code) as process:
        says(process, b".")
        for _ in range(3):
            process.send_signal(S)
            says(process, bytes([S]))
        tell(process)
        assert ended(process) == 0


def test_the_signal_is_sent_on(foreign_path: Path) -> None:
    code = """
    target = os.fork()
    if target == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, {S})
        print("there", flush=True)
        signal.sigwait({S})
        print("got it", flush=True)
        os._exit(0)
    actions.forward(S, target)
    sys.stdin.read(1)
    sit()
    os.waitpid(target, 0)
    """
    with child(foreign_path, code) as process:
        says(process, b"there\n")
        tell(process)
        says(process, b".")
        process.send_signal(S)
        says(process, b"got it\n")
        tell(process)
        assert ended(process) == 0


def test_a_receiver_receives(foreign_path: Path) -> None:
    """Seen by what it has when the call ends: each of the deliveries, with its sender."""
    code = """
    receiver = signal.open_signal_receiver(S)
    sit()
    print([info.si_pid == os.getppid() for info in receiver.read()], flush=True)
    receiver.close()
    """
    with child(foreign_path, code) as process:
        says(process, b".")
        for _ in range(3):
            process.send_signal(S)
            taken(process.pid, S)
        tell(process)
        says(process, b"[True, True, True]\n")
        assert ended(process) == 0
