"""Receivers where a mistake would end the process: forks, exits, memory that goes away."""

from __future__ import annotations

import signal

from support import PYPY, python_says, run_python

IGNORED = ["-W", "ignore:This process:DeprecationWarning"]  # 3.12: of threads and forks


def test_a_forked_child_has_closed_receivers_and_takes_nothing_from_its_parent() -> None:
    code = """
        import os, select
        import sigcffi as signal

        R = signal.SIGRTMIN
        before = signal.dispositions()[R - 1].disposition
        receiver = signal.open_signal_receiver(R, signal.SIGUSR1, capacity=16)
        fd = receiver.fileno()
        for value in range(20):  # more than it holds: the mask of the child is at stake, too
            signal.sigqueue(os.getpid(), R, value)
        pid = os.fork()
        if pid == 0:
            import signal as standard

            assert receiver.closed
            assert list(receiver) == receiver.unread == []
            for use in (receiver.read, receiver.wait, receiver.fileno):
                try:
                    use()
                except ValueError:
                    continue
                raise AssertionError(use)
            receiver.close()
            assert standard.pthread_sigmask(standard.SIG_BLOCK, ()) == set()
            try:
                os.fstat(fd)
            except OSError:
                pass
            else:
                raise AssertionError("the child has its parent's descriptor")
            with signal.open_signal_receiver(R) as own:
                signal.sigqueue(os.getpid(), R, 77)
                assert [info.si_value for info in own.read()] == [77]
            assert R not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
            os.kill(os.getpid(), signal.SIGUSR1)  # nothing is attached: the default action
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        assert os.WTERMSIG(status) == signal.SIGUSR1, status
        got = []
        while select.select([receiver], [], [], 0)[0]:
            got += [info.si_value for info in receiver.read()]
        assert got == list(range(20)), got
        receiver.close()
        print("good")
    """
    assert python_says(code) == "good\n"


def test_a_child_forked_by_a_loop_leaves_its_parents_loop_alone() -> None:
    code = """
        import asyncio, os
        import sigcffi as signal

        R = signal.SIGRTMIN

        async def main():
            with signal.open_signal_receiver(R) as receiver:
                for value in range(50):
                    waiting = asyncio.ensure_future(receiver.__anext__())
                    await asyncio.sleep(0)
                    pid = os.fork()
                    if pid == 0:
                        receiver.close()
                        os._exit(0)
                    assert os.waitpid(pid, 0)[1] == 0
                    signal.sigqueue(os.getpid(), R, value)
                    assert (await waiting).si_value == value

        asyncio.run(main())
        print("good")
    """
    assert python_says(code, flags=IGNORED) == "good\n"


def test_a_program_may_end_with_open_receivers_while_signals_come() -> None:
    """C must not write to memory that has gone; and what the program leaves open is said."""
    code = """
        import os, subprocess, sys
        import sigcffi as signal

        receiver = signal.open_signal_receiver(signal.SIGRTMIN, overflow="drop")
        code = ("import os, signal, sys\\n"
                "for _ in range(200000): os.kill(int(sys.argv[1]), signal.SIGRTMIN)")
        flood = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(10):
            receiver.wait()
        flood.returncode = 0  # it ends when this process has, of its kill()
        print(len(receiver.unread), flush=True)
    """
    done = run_python(code)
    # What comes after the interpreter has let go meets the default action.
    assert done.returncode in (0, -signal.SIGRTMIN), done
    assert done.stdout == "0\n"


def test_one_that_is_left_open_is_told_when_the_program_ends() -> None:
    code = """
        import sigcffi as signal
        receiver = signal.open_signal_receiver(signal.SIGUSR1)
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (0, "")
    if not PYPY:  # which leaves objects as they are when it ends
        assert "ResourceWarning: unclosed <Receiver of SIGUSR1: 0 of 1024" in done.stderr


def test_reading_tells_force_quit_that_the_signal_was_seen() -> None:
    code = """
        import os
        import sigcffi as signal

        with signal.force_quit(signal.SIGTERM, after=2), \\
             signal.open_signal_receiver(signal.SIGTERM) as receiver:
            for way in (receiver.read, receiver.wait, lambda: next(receiver)) * 2:
                os.kill(os.getpid(), signal.SIGTERM)
                way()
            print("seen", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "seen\n"), done


def test_the_default_action_is_back_after_close_and_not_before() -> None:
    code = """
        import os
        import sigcffi as signal

        receiver = signal.open_signal_receiver(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        print(receiver.wait().si_pid == os.getpid(), flush=True)
        receiver.close()
        os.kill(os.getpid(), signal.SIGTERM)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "True\n"), done
