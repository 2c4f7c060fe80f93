"""``timeout`` where processes end or fork: ``kill_after``, and children."""

from __future__ import annotations

import time
from pathlib import Path

from stuck import ended_in_c
from support import in_time, python_says, run_python

import sigcffi as signal


def test_who_is_stuck_in_c_dies_with_a_traceback(foreign_path: Path) -> None:
    code = """
    def in_the_library():
        sit()

    while True:
        try:
            with signal.timeout(SECONDS, kill_after=SECONDS):
                in_the_library()
        except (BlockingIOError, signal.TimedOut):  # no room for the timer; not yet in there
            pass
    """
    status, said = ended_in_c(foreign_path, code)
    assert status == -signal.SIGABRT
    assert b"in in_the_library" in said


def test_who_gets_to_run_is_not_killed() -> None:
    """The interruption is swallowed, and the block goes on beyond the time to be killed."""
    code = """
        import resource, sys, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        seconds = float(sys.argv[1])
        signal.timeout  # is imported before the clock runs
        begin = time.monotonic()
        print(begin, flush=True)
        try:
            with signal.timeout(seconds, kill_after=2 * seconds):
                while time.monotonic() < begin + 4 * seconds:
                    try:
                        time.sleep(seconds)
                    except BaseException:
                        pass
        except signal.TimedOut:
            print("over" if time.monotonic() > begin + 4 * seconds else "early")
        with signal.timeout(60, kill_after=0.01):
            pass
        print("alive")
    """

    def run(seconds: float) -> list[str] | None:
        done = run_python(code, str(seconds))
        ended = time.monotonic()
        begun, *said = done.stdout.split()
        if not said:  # it did not get to run
            assert (done.returncode, ended - float(begun) > 3 * seconds) == (-signal.SIGABRT, True)
        elif said[0] != "early":  # interrupted beside the "try"
            return said
        return None

    assert in_time(run) == ["over", "alive"]


def test_a_child_goes_on_with_its_blocks() -> None:
    code = """
        import os, sys
        import sigcffi as signal

        def no_room(args):
            print("BlockingIOError", file=sys.stderr, flush=True)
            os._exit(7)

        sys.unraisablehook = no_room
        parent, pid = os.getpid(), None
        try:
            with signal.timeout(float(sys.argv[1])):
                pid = os.fork()
                while parent in (os.getpid(), os.getppid()):  # it may be killed
                    pass
        except signal.TimedOut:
            if os.getpid() != parent:  # pid may not be stored yet
                os._exit(7)
        print("late" if pid is None else os.waitpid(pid, 0)[1])
    """

    def run(seconds: float) -> str | None:
        said = python_says(code, str(seconds))
        return None if said == "late\n" else said

    assert in_time(run) == f"{7 << 8}\n"


def test_a_child_is_in_its_blocks_and_neither_they_nor_a_switch_end_it() -> None:
    code = """
        import os
        import sigcffi as signal
        from sigcffi._attached import dead_man
        from sigcffi._time.schedule import schedule

        with signal.timeout(60, kill_after=60) as outer, signal.kill_after(60) as switch:
            with signal.timeout(60, kill_after=60) as inner:
                assert set(dead_man._deadlines) == {outer, switch, inner}
                child = os.fork()
                if child == 0:
                    assert switch.remaining() is None
                    assert not dead_man._deadlines
                    assert set(schedule.blocks()) == {outer, inner}
                    os._exit(7)
                assert switch.remaining() > 0
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert python_says(code, flags=["-W", "ignore::DeprecationWarning"]) == "7\n"


def test_a_child_of_another_thread_is_in_no_block() -> None:
    """And the thread is its main thread, which may begin some. CPython 3.13 does not look at
    signals there by itself; the end of a block does look at the clock.
    """
    code = """
        import os, threading
        import sigcffi as signal
        from sigcffi._time.schedule import schedule

        statuses = []

        def fork():
            pid = os.fork()
            if pid == 0:
                try:
                    assert not schedule.heap
                    try:
                        with signal.timeout(0.01) as block:
                            while block.remaining():
                                pass
                    except signal.TimedOut:
                        os._exit(7)
                    except BlockingIOError:
                        os.write(2, b"BlockingIOError")
                finally:
                    os._exit(1)
            statuses.append(os.waitpid(pid, 0)[1])

        with signal.timeout(1000):
            thread = threading.Thread(target=fork)
            thread.start()
            thread.join()
        print(statuses == [7 << 8])
    """
    assert python_says(code, flags=["-W", "ignore::DeprecationWarning"]) == "True\n"


def test_another_signal_may_be_chosen_while_nothing_is_open() -> None:
    code = """
        import sigcffi as signal

        def refused(call, error):
            try:
                call()
            except error:
                return
            raise AssertionError(error)

        def is_interrupted_by(signum):
            signal.set_timeout_signal(signum)
            signal.set_timeout_signal(signum)  # as it was
            try:
                with signal.timeout(0.01):
                    refused(lambda: signal.set_timeout_signal(signal.SIGRTMIN + 1), RuntimeError)
                    while True:
                        pass
            except signal.TimedOut:
                return callable(signal.getsignal(signum))

        print(is_interrupted_by(signal.SIGRTMIN))
        print(is_interrupted_by(signal.SIGRTMIN + 3))
        refused(lambda: signal.set_timeout_signal(0), ValueError)
        refused(lambda: signal.set_timeout_signal(1.5), TypeError)
        signal.signal(signal.SIGRTMIN + 2, print)
        refused(lambda: signal.set_timeout_signal(signal.SIGRTMIN + 2), RuntimeError)
    """
    assert python_says(code) == "True\nTrue\n"


def test_a_program_that_ends_in_a_block_ends_as_always() -> None:
    code = """
        import atexit, sys
        import sigcffi as signal

        atexit.register(print, "the end")
        with signal.timeout(60):
            sys.exit()
    """
    assert python_says(code) == "the end\n"
