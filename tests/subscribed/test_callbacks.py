"""``subscribe(where="thread")``: callbacks that may lock, log and wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from support import DEADLINE, disposition, python_says, queue, run_python

import sigcffi as signal
from sigcffi import SigInfo
from sigcffi._subscribed import callbacks

S, R = signal.SIGUSR1, signal.SIGRTMIN

HERE = os.getpid()


def in_order(callback: Callable[[SigInfo, Any], object], **options: Any) -> signal.Subscription:
    """Its callbacks do not take R: what the main thread takes is all there is, in order."""
    with signal.blocked(R):
        return signal.subscribe(R, callback, where="thread", **options)


# Logs in its callback. Each signal is sent, and taken, while the main thread has the log's lock.
LOGS = """
    import logging, os, sys, threading
    import sigcffi, signal

    SIGNALS = 10_000
    S = signal.SIGRTMIN

    class Stream:
        # Its lock is a plain one, as those of queues and pools are; logging's own is recursive.
        def __init__(self):
            self.lock = threading.Lock()
            self.lines = 0

        def write(self, line):
            with self.lock:
                self.lines += 1

        def flush(self):
            pass

    stream = Stream()
    logging.basicConfig(stream=stream, level=logging.INFO)
    log = logging.getLogger()
    seen = threading.Semaphore(0)

    def heard(info, frame):
        log.info("a signal from %s", info)
        seen.release()

    if sys.argv[1] == "thread":
        sigcffi.subscribe(S, heard, where="thread")
    else:
        signal.signal(S, heard)
    print("there", flush=True)
    for number in range(SIGNALS):
        with stream.lock:
            sigcffi.sigqueue(os.getpid(), S, number)
    for number in range(SIGNALS):
        seen.acquire()
    print(stream.lines)
"""


def test_a_callback_is_called_in_a_thread_of_its_own_with_who_has_sent_it(
    heard: SimpleQueue[Any],
) -> None:
    before = disposition(S)

    def callback(info: SigInfo, frame: object) -> None:
        heard.put((info.si_pid, frame, threading.current_thread().name))

    with signal.subscribe(S, callback, where="thread") as subscription:
        assert (subscription.where, subscription.inherit) == ("thread", True)
        os.kill(HERE, S)
        assert heard.get(timeout=DEADLINE) == (HERE, None, "sigcffi")
    assert disposition(S) == before


def test_each_delivery_is_handed_over_once(heard: SimpleQueue[Any]) -> None:
    count = 3000
    with signal.subscribe(R, lambda info, frame: heard.put(info.si_value), where="thread"):
        queue(R, *range(count))
        assert sorted(heard.get(timeout=DEADLINE) for _ in range(count)) == list(range(count))


def test_what_one_thread_takes_is_handed_over_in_order(heard: SimpleQueue[Any]) -> None:
    count = 3000
    with in_order(lambda info, frame: heard.put(info.si_value)):
        queue(R, *range(count))
        assert [heard.get(timeout=DEADLINE) for _ in range(count)] == list(range(count))


def test_any_thread_may_subscribe_and_close(heard: SimpleQueue[Any]) -> None:
    def program() -> None:
        with signal.subscribe(S, lambda info, frame: heard.put(1), where="thread"):
            os.kill(HERE, S)
            heard.put(heard.get(timeout=DEADLINE))

    thread = threading.Thread(target=program)
    thread.start()
    thread.join(DEADLINE)
    assert heard.get(timeout=DEADLINE) == 1


def test_what_came_before_and_what_comes_after_is_not_for_a_subscription(
    heard: SimpleQueue[Any],
) -> None:
    go_on = threading.Event()

    def slow(info: SigInfo, frame: object) -> None:
        heard.put(("slow", info.si_value))
        go_on.wait(DEADLINE)

    with in_order(slow):
        queue(R, 1, 2)
        assert heard.get(timeout=DEADLINE) == ("slow", 1)
        late = in_order(lambda info, frame: heard.put(("late", info.si_value)))
        queue(R, 3)
        go_on.set()
        rest = [heard.get(timeout=DEADLINE) for _ in range(3)]
        assert rest == [("slow", 2), ("slow", 3), ("late", 3)]
        late.close()
        queue(R, 4)
        assert heard.get(timeout=DEADLINE) == ("slow", 4)
    assert heard.empty()


def test_what_is_in_hand_when_a_subscription_is_closed_is_not_for_it(
    heard: SimpleQueue[Any],
) -> None:
    go_on = threading.Event()

    def slow(info: SigInfo, frame: object) -> None:
        heard.put(("slow", info.si_value))
        go_on.wait(DEADLINE)

    with signal.blocked(R):  # so that all have come when the thread looks
        closed = signal.subscribe(R, slow, where="thread")
        stays = signal.subscribe(
            R, lambda info, frame: heard.put(("stays", info.si_value)), where="thread"
        )
        queue(R, *range(5))
    with stays:
        assert heard.get(timeout=DEADLINE) == ("slow", 0)
        closed.close()
        go_on.set()
        rest = [heard.get(timeout=DEADLINE) for _ in range(5)]
        assert rest == [("stays", value) for value in range(5)]
    assert heard.empty()


def test_once_is_once_also_for_two_of_one_callback(heard: SimpleQueue[Any]) -> None:
    def callback(info: SigInfo, frame: object) -> None:
        heard.put(info.si_value)

    first = in_order(callback, once=True)
    with in_order(callback):
        queue(R, 1, 2)
        assert [heard.get(timeout=DEADLINE) for _ in range(3)] == [1, 1, 2]
        assert first.closed


def test_a_callback_may_subscribe_and_close_itself(heard: SimpleQueue[Any]) -> None:
    mine: list[signal.Subscription] = []

    def other(info: SigInfo, frame: object) -> None:
        heard.put("other")

    def callback(info: SigInfo, frame: object) -> None:
        mine[0].close()
        mine.append(signal.subscribe(S, other, where="thread"))
        heard.put("callback")

    mine.append(signal.subscribe(S, callback, where="thread"))
    os.kill(HERE, S)
    assert heard.get(timeout=DEADLINE) == "callback"
    os.kill(HERE, S)
    assert heard.get(timeout=DEADLINE) == "other"
    mine[1].close()


def test_an_exception_goes_to_the_threads_hook_and_the_next_callback_runs(
    heard: SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: heard.put(args.exc_type))

    def failing(info: SigInfo, frame: object) -> None:
        raise KeyError

    with (
        signal.subscribe(S, failing, where="thread"),
        signal.subscribe(S, lambda info, frame: heard.put("next"), where="thread"),
    ):
        os.kill(HERE, S)
        assert heard.get(timeout=DEADLINE) is KeyError
        assert heard.get(timeout=DEADLINE) == "next"


def test_ten_thousand_signals_are_logged_while_the_main_thread_holds_the_logs_lock() -> None:
    assert python_says(LOGS, "thread") == "there\n10000\n"


def test_the_standard_module_does_not_get_through_that() -> None:
    done = run_python(
        "import faulthandler; faulthandler.dump_traceback_later(3, exit=True)\n"
        + "\n".join(line[4:] for line in LOGS.splitlines()),
        "standard",
    )
    assert done.returncode != 0
    assert done.stdout == "there\n"


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("inherit", [True, False])
def test_a_forked_child_has_what_is_inherited(where: str, inherit: bool) -> None:
    code = """
        import os, sys, warnings, sigcffi as signal

        warnings.simplefilter("ignore", DeprecationWarning)
        where, inherit = sys.argv[1], sys.argv[2] == "True"

        def callback(info, frame):
            os._exit(3 + len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

        signal.subscribe(signal.SIGTERM, callback, where=where, inherit=inherit)
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                while True:
                    signal.pause()
            os.kill(pid, signal.SIGTERM)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            has = inherit and not (where == "thread" and sys.implementation.name == "pypy")
            assert status == (3 if has else -signal.SIGTERM), status
        print("done")
    """
    assert python_says(code, where, str(inherit)) == "done\n"


def test_a_callback_may_fork_and_its_child_ends_when_the_callback_does() -> None:
    code = """
        import os, threading, warnings, sigcffi as signal

        warnings.simplefilter("ignore", DeprecationWarning)
        parent, ended = os.getpid(), threading.Event()
        pids = []

        def callback(info, frame):
            pid = os.fork()
            if pid:
                pids.append(pid)
                ended.set()
            else:
                assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
                with open("/proc/self/status") as status:
                    assert "SigBlk:\\t0000000000000000\\n" in status.read()

        signal.subscribe(signal.SIGUSR1, callback, where="thread")
        os.kill(parent, signal.SIGUSR1)
        assert ended.wait(60)
        print(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
    """
    assert python_says(code) == "0\n"


def test_a_child_that_a_callback_forks_has_nothing_of_what_is_in_hand() -> None:
    code = """
        import os, threading, warnings, sigcffi as signal

        warnings.simplefilter("ignore", DeprecationWarning)
        R, parent = signal.SIGRTMIN, os.getpid()
        seen = threading.Semaphore(0)

        def callback(info, frame):
            pid = os.fork() if info.si_value == 1 else 0
            if pid:
                os.waitpid(pid, 0)
            ours = os.getpid() == parent
            os.write(1, b"%d %d\\n" % (ours, info.si_value))
            if ours:  # the main thread may have had the semaphore's lock at the fork
                seen.release()

        with signal.blocked(R):
            signal.subscribe(R, callback, where="thread")
            for value in range(4):
                signal.sigqueue(parent, R, value)
        for _ in range(4):
            assert seen.acquire(timeout=60)
    """
    assert python_says(code) == "1 0\n0 1\n1 1\n1 2\n1 3\n"


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((0, print), {}, ValueError),
        ((S, None), {}, TypeError),
        ((S, print), {"where": "elsewhere"}, ValueError),
        ((signal.SIGKILL, print), {}, OSError),
        (([S, signal.SIGSTOP], print), {}, OSError),
    ],
)
def test_bad_arguments_are_refused_before_anything_has_changed(
    arguments: Any, options: Any, error: type[Exception]
) -> None:
    before = disposition(S)
    with pytest.raises(error):
        signal.subscribe(*arguments, **{"where": "thread", **options})
    assert disposition(S) == before
    assert not callbacks._subscribers
