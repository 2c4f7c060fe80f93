"""How processes end by actions, as their parents see it; most while Python cannot run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stuck import child, ended
from support import says, taken, tell

import sigcffi as signal

SIGNALS = [
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGRTMIN,
]
every_signal = pytest.mark.parametrize("signum", SIGNALS)

# ---- exit ----


@every_signal
def test_exit_ends_the_process_at_once_with_its_status(foreign_path: Path, signum: int) -> None:
    code = """
    import atexit
    atexit.register(print, "not reached", flush=True)
    buffered = open(1, "w", closefd=False)
    buffered.write("not flushed")
    signal.signal(S, lambda signum, frame: print("not reached", flush=True))
    actions.exit(S, 77)
    sit()
    """
    with child(foreign_path, code, signum) as process:
        says(process, b".")
        process.send_signal(signum)
        assert ended(process) == 77


@pytest.mark.parametrize("status", [0, 1, 255, True])
def test_every_status_is_possible(foreign_path: Path, status: int) -> None:
    code = f"actions.exit(S, {status}); os.kill(os.getpid(), S)"
    with child(foreign_path, code) as process:
        assert ended(process) == status


# ---- default ----


@every_signal
def test_by_default_the_process_dies_of_the_signal(foreign_path: Path, signum: int) -> None:
    code = """
    signal.signal(S, lambda signum, frame: print("not reached", flush=True))
    actions.default(S)
    sit()
    """
    with child(foreign_path, code, signum) as process:
        says(process, b".")
        process.send_signal(signum)
        assert ended(process) == -signum


@every_signal
def test_another_thread_may_take_the_signal(foreign_path: Path, signum: int) -> None:
    code = """
    actions.default(S)
    signal.pthread_sigmask(signal.SIG_BLOCK, {S})
    gate, latch = os.pipe()
    ready = threading.Event()

    def work():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {S})
        ready.set()
        os.read(gate, 1)

    threading.Thread(target=work).start()
    ready.wait()
    sit()
    """
    with child(foreign_path, code, signum) as process:
        says(process, b".")
        process.send_signal(signum)
        assert ended(process) == -signum


def test_a_core_is_dumped_where_that_is_usual(foreign_path: Path) -> None:
    with child(foreign_path, "actions.default(S); sit()", signal.SIGQUIT) as process:
        says(process, b".")
        process.send_signal(signal.SIGQUIT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGQUIT
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGQUIT


@pytest.mark.parametrize("signum", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_who_is_stopped_and_continued_has_everything_in_place(
    foreign_path: Path, signum: int
) -> None:
    code = """
    os.setpgid(0, 0)  # not orphaned: its parent is in another group of the session
    handled = []
    signal.signal(S, lambda signum, frame: handled.append(signum))
    signal.signal(signal.SIGCONT, lambda signum, frame: handled.append(signum))
    counter = actions.counter(S)
    actions.default(S)
    later = actions.counter(S)
    for _ in range(2):
        sit()
        look()
        print(int(counter), int(later), handled == [S, signal.SIGCONT] or sorted(handled))
        handled.clear()
        sys.stdout.flush()
    """
    with child(foreign_path, code, signum) as process:
        for count in (1, 2):
            says(process, b".")
            process.send_signal(signum)
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            assert os.WSTOPSIG(status) == signum
            process.send_signal(signal.SIGCONT)
            _, status = os.waitpid(process.pid, os.WCONTINUED)
            assert os.WIFCONTINUED(status)
            tell(process)
            says(process, b"%d %d [18, %d]\n" % (count, count, signum))
        assert ended(process) == 0


@pytest.mark.parametrize("signum", [signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT])
def test_what_is_ignored_by_default_is_ignored(foreign_path: Path, signum: int) -> None:
    code = """
    with actions.default(S), actions.counter(S) as counter:
        os.kill(os.getpid(), S)
        print(int(counter), flush=True)
    """
    with child(foreign_path, code, signum) as process:
        says(process, b"1\n")
        assert ended(process) == 0


# ---- when ----


@pytest.mark.parametrize("action", ["exit(S, 9, when={})", "default(S, when={})"])
def test_a_number_says_from_which_delivery_on(foreign_path: Path, action: str) -> None:
    code = f"""
    actions.{action.format(3)}
    for _ in range(3):
        sit()
    """
    with child(foreign_path, code) as process:
        for _ in range(2):
            says(process, b".")
            process.send_signal(signal.SIGUSR1)
            taken(process.pid, signal.SIGUSR1)
            tell(process)
        says(process, b".")
        process.send_signal(signal.SIGUSR1)
        assert ended(process) == (9 if "exit" in action else -signal.SIGUSR1)


@pytest.mark.parametrize("action", ["exit(S, 9, when=flag)", "default(S, when=flag)"])
def test_a_flag_of_another_signal_arms_it(foreign_path: Path, action: str) -> None:
    code = f"""
    flag = actions.flag(signal.SIGUSR2)
    actions.{action}
    sit()
    sit()
    """
    with child(foreign_path, code) as process:
        says(process, b".")
        process.send_signal(signal.SIGUSR1)
        taken(process.pid, signal.SIGUSR1)
        tell(process)
        says(process, b".")
        process.send_signal(signal.SIGUSR2)
        taken(process.pid, signal.SIGUSR2)
        process.send_signal(signal.SIGUSR1)
        assert ended(process) == (9 if "exit" in action else -signal.SIGUSR1)


@pytest.mark.parametrize(
    ("attach", "written"),
    [
        ("write(); end()", b"\n"),
        ("end(); write()", b""),
        ("first = write(); end(); first.close(); write()", b""),  # in the place of the first
    ],
)
def test_actions_are_taken_in_the_order_in_which_they_were_attached(
    foreign_path: Path, attach: str, written: bytes
) -> None:
    code = f"""
    os.set_blocking(1, False)
    write = lambda: actions.write(S, 1)
    end = lambda: actions.exit(S, 5)
    {attach}
    os.kill(os.getpid(), S)
    """
    with child(foreign_path, code, signal.SIGUSR1) as process:
        assert process.stdout is not None
        assert process.stdout.read() == written
        assert ended(process) == 5
