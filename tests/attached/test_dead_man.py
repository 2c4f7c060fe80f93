"""``kill_after``: the process ends unless Python gives a sign of life in time.

Where its end is awaited a process has little time, and where that must not come, a minute. Where a
time has to pass the process writes down when it began: that it does not end before is seen by that,
however slow the machine is.
"""

from __future__ import annotations

import platform
import resource
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from stuck import ended_in_c
from support import in_time, join, python_says, run_python

import sigcffi as signal
from sigcffi import DeadMansSwitch, kill_after

# It warns of forks in processes with threads, and the switch has one.
IGNORED = ["-W", "ignore:This process:DeprecationWarning"]
MESSAGE = "sigcffi: kill_after: no sign of life, ending the process\n"
# faulthandler may stumble over the frames of threads that go on running.
ENDS = (-signal.SIGABRT, -signal.SIGSEGV)


def test_a_process_that_is_stuck_in_c_dies_with_a_traceback(foreign_path: Path) -> None:
    code = """
    def in_the_library():
        sit()

    signal.kill_after(SECONDS)
    in_the_library()
    """
    status, said = ended_in_c(foreign_path, code)
    assert status == -signal.SIGABRT
    assert b"in in_the_library" in said


@pytest.mark.parametrize("seconds", ["1e-9", "0.01"])
@pytest.mark.parametrize(
    "waiting",
    [
        "while True: pass",
        "time.sleep(1000)",
        "threading.Event().wait()",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); os.read(gate, 1)",
        "signal.deferred().__enter__(); time.sleep(1000)",
        "[thread.start() for thread in threads]; threads[0].join()",
    ],
)
def test_whatever_the_process_is_doing_it_ends(waiting: str, seconds: str) -> None:
    ends_silently("", waiting, seconds)


@pytest.mark.parametrize("seconds", ["1e-9", "0.01"])
@pytest.mark.parametrize(
    "install",
    [
        "signal.signal(signal.SIGABRT, print)",
        "signal.signal(signal.SIGABRT, signal.SIG_IGN)",
        "counter = actions.counter(signal.SIGABRT)",
    ],
)
def test_whoever_has_taken_sigabrt_since_it_ends(install: str, seconds: str) -> None:
    ends_silently(f"earlier = signal.kill_after(60); {install}", "time.sleep(1000)", seconds)


def test_whoever_had_taken_sigabrt_before_it_ends() -> None:
    handler = "signal.signal(signal.SIGABRT, lambda signum, frame: None)"
    ends_silently(handler, "time.sleep(1000)", "0.01")


def ends_silently(before: str, waiting: str, seconds: str) -> None:
    done = run_python(f"""
        import os, resource, threading, time
        import sigcffi as signal
        from sigcffi import actions

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        gate, latch = os.pipe()
        threads = [threading.Thread(target=os.read, args=(gate, 1)) for _ in range(4)]
        {before}
        switch = signal.kill_after({seconds})
        {waiting}
    """)
    assert done.returncode in ENDS
    assert done.stderr.startswith(MESSAGE)
    assert done.stdout == ""


def test_who_is_petted_lives_and_dies_when_that_ends() -> None:
    done = run_python("""
        import resource, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        begin = time.monotonic()
        switch = signal.kill_after(0.2)
        while (petted := time.monotonic()) < begin + 0.5:
            switch.pet()
            print(petted, flush=True)
            time.sleep(0.01)
        time.sleep(1000)
    """)
    ended = time.monotonic()
    assert done.returncode == -signal.SIGABRT
    assert ended - float(done.stdout.split()[-1]) >= 0.2


def test_a_cancelled_switch_does_nothing_and_an_earlier_one_comes_first() -> None:
    done = run_python("""
        import resource, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        first = signal.kill_after(60)
        print(time.monotonic(), flush=True)
        with signal.kill_after(0.2) as second, signal.kill_after(0.2):
            pass
        print("cancelled", flush=True)
        time.sleep(0.4)
        print("alive", flush=True)
        third = signal.kill_after(0.05)
        time.sleep(1000)
    """)
    ended = time.monotonic()
    begun, *said = done.stdout.split()
    assert done.returncode == -signal.SIGABRT
    assert said == ["cancelled", "alive"] or (not said and ended - float(begun) >= 0.2)


def test_nobody_need_keep_it() -> None:
    done = run_python("""
        import gc, resource, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.kill_after(0.2)
        gc.collect()
        time.sleep(1000)
    """)
    assert done.returncode == -signal.SIGABRT


def test_who_ends_in_time_ends_as_always() -> None:
    assert python_says("import sigcffi; sigcffi.kill_after(60); print('done')") == "done\n"


def test_a_standard_error_that_takes_nothing_does_not_keep_it_alive(foreign_path: Path) -> None:
    code = """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    os.dup2(writing, 2)
    signal.kill_after(SECONDS)
    sit()
    """
    status, _ = ended_in_c(foreign_path, code)
    assert status in (-signal.SIGABRT, -signal.SIGALRM)


def test_a_program_without_standard_error_ends_too() -> None:
    done = run_python("""
        import os, resource, sys, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.close(2)
        sys.stderr = None
        signal.kill_after(0.01)
        time.sleep(1000)
    """)
    assert done.returncode == -signal.SIGABRT


def test_without_standard_error_it_can_be_put_off() -> None:
    code = """
        import sys
        import sigcffi as signal

        sys.stderr = None
        switch = signal.kill_after(60)
        print(0 < switch.remaining() <= 60)
        switch.cancel()
    """
    assert python_says(code) == "True\n"


def test_of_several_each_has_its_own_time() -> None:
    with signal.kill_after(100) as late, signal.kill_after(50) as early:
        assert 0 < early.remaining() <= 50 < late.remaining() <= 100


def test_a_forked_child_is_not_watched_and_may_have_its_own() -> None:
    code = """
        import os, resource, signal as standard, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        parents = signal.kill_after(60)
        child = os.fork()
        if child == 0:
            assert parents.remaining() is None
            try:
                parents.pet()
            except ValueError:
                parents.cancel()
                own = signal.kill_after(0.05)
                time.sleep(1000)
            os._exit(0)
        print(os.waitpid(child, 0)[1] & 0x7f == standard.SIGABRT)
        print(0 < parents.remaining() <= 60)
        parents.pet()
    """
    said = python_says(code, flags=IGNORED)
    assert said == "True\nTrue\n"


def test_a_forked_child_outlives_its_parent() -> None:
    code = """
        import os, resource, sys, time
        import sigcffi as signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        gate, latch = os.pipe()
        signal.kill_after(float(sys.argv[1]))
        if os.fork() == 0:
            print("forked", flush=True)
            os.close(latch)
            os.read(gate, 1)  # nothing: its parent has ended
            time.sleep(0.2)
            print("alive", flush=True)
            os._exit(0)
        time.sleep(1000)
    """

    def run(seconds: float) -> tuple[int, str] | None:
        done = run_python(code, str(seconds), flags=IGNORED)
        return (done.returncode, done.stdout) if done.stdout else None

    assert in_time(run) == (-signal.SIGABRT, "forked\nalive\n")


def test_threads_may_pet_and_cancel() -> None:
    errors: list[BaseException] = []
    switches = [kill_after(60) for _ in range(4)]

    def work(number: int) -> None:
        try:
            for _ in range(100):
                switches[number].pet()
                with kill_after(60) as own:
                    own.pet()
                assert own.remaining() is None
            switches[number - 1].cancel()
        except ValueError:
            assert switches[number].remaining() is None  # its neighbour was quicker
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    assert errors == []
    for switch in switches:
        switch.cancel()
        assert switch.remaining() is None


def test_it_tells_how_much_is_left() -> None:
    with kill_after(60) as switch:
        assert isinstance(switch, DeadMansSwitch)
        assert switch.seconds == 60
        left = switch.remaining()
        assert left is not None
        assert 0 < left <= 60
        assert repr(switch).startswith("<DeadMansSwitch of 60 s, ")
        assert repr(switch).endswith(" s left>")
        switch.pet()
    assert switch.remaining() is None
    assert repr(switch) == "<DeadMansSwitch of 60 s, cancelled>"
    with pytest.raises(ValueError, match="cancelled"):
        switch.pet()
    assert switch.remaining() is None
    switch.cancel()


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc",
    reason="no other C library takes the size of a thread's stack from RLIMIT_STACK",
)
def test_what_could_not_be_started_is_not_left_behind() -> None:
    """There is no room for the thread's stack, and for all else there is."""
    code = """
        import os, resource, time
        import sigcffi as signal

        with open("/proc/self/statm") as sizes:
            pages = int(sizes.read().split()[0])
        former = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**27, former[1]))
        try:
            signal.kill_after(0.1)
        except OSError as error:
            print(type(error).__name__, flush=True)
        resource.setrlimit(resource.RLIMIT_AS, former)
        with signal.kill_after(60):
            time.sleep(0.2)
        print("alive")
    """
    former = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (2**28, former[1]))  # for threads of the child
    try:
        said = python_says(code)
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, former)
    assert said == "BlockingIOError\nalive\n"


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (0, ValueError),
        (0.0, ValueError),
        (-1, ValueError),
        (-0.5, ValueError),
        (float("nan"), ValueError),
        (float("inf"), OverflowError),
        (-float("inf"), OverflowError),
        (2**33, OverflowError),
        (1e10, OverflowError),
        ("1", TypeError),
        (None, TypeError),
        ([], TypeError),
    ],
)
def test_what_is_no_time_is_refused(seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        kill_after(seconds)
