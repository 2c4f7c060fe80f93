"""What all actions have in common: attached, on top of whatever is there, until closed."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import os
import resource
import signal as standard
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import disposition, join, python_says, run_python

import sigcffi as signal
from sigcffi import actions
from sigcffi._sigcffi import lib

S, R = signal.SIGUSR1, signal.SIGRTMIN
HERE = os.getpid()
SLOTS, CELLS = 8, 1024

# Each kind, so that it does no harm.
KINDS: dict[str, Callable[[Any], Any]] = {
    "flag": actions.flag,
    "counter": actions.counter,
    "write": lambda signum: actions.write(signum, sink()),
    "forward": lambda signum: actions.forward(signum, 0),
    "exit": lambda signum: actions.exit(signum, 9, when=1000),
    "default": lambda signum: actions.default(signum, when=1000),
    "force_quit": lambda signum: signal.force_quit(signum, after=1000),
}
every_kind = pytest.mark.parametrize("attach", list(KINDS.values()), ids=list(KINDS))


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Number(int):
    pass


_sink: list[int] = []


def sink() -> int:
    """A descriptor that does not block, and takes everything."""
    if not _sink:
        _sink.append(os.open(os.devnull, os.O_WRONLY | os.O_NONBLOCK))
    return _sink[0]


def send(signum: int = S) -> None:
    """Deliver a signal and have its Python handler run."""
    os.kill(HERE, signum)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())


@every_kind
@pytest.mark.parametrize(
    ("signum", "error", "number"),
    [
        (0, ValueError, None),
        (-1, ValueError, None),
        (signal.NSIG, ValueError, None),
        (2**40, OverflowError, None),
        (-(2**40), OverflowError, None),
        ("SIGUSR1", TypeError, None),
        (None, TypeError, None),
        (float(S), TypeError, None),
        (float("nan"), TypeError, None),
        ([S], TypeError, None),
        (signal.SIGKILL, OSError, errno.EINVAL),
        (signal.SIGSTOP, OSError, errno.EINVAL),
    ],
)
def test_what_is_no_signal_is_refused(
    attach: Callable[[Any], Any], signum: Any, error: type[Exception], number: int | None
) -> None:
    with pytest.raises(error) as caught:
        attach(signum)
    assert getattr(caught.value, "errno", None) == number


@every_kind
@pytest.mark.parametrize(
    "signum", [int(S), S, Number(S), Index(int(S))], ids=["int", "enum", "subclass", "index"]
)
def test_whatever_is_an_integer_is_taken(attach: Callable[[Any], Any], signum: Any) -> None:
    with attach(signum) as attachment:
        assert attachment.signum == S
        assert type(attachment.signum) is int
        assert not attachment.closed
    assert attachment.closed


@every_kind
def test_what_was_there_is_back_after_the_last_one(
    attach: Callable[[Any], Any], foreign: ctypes.CDLL
) -> None:
    def install(ignore: int) -> Callable[[], object]:
        return lambda: foreign.foreign_set(S, ignore)

    for former in (
        install(0),
        install(1),
        lambda: foreign.foreign_install(S, signal.SA_RESTART | signal.SA_NODEFER),
        lambda: foreign.foreign_install(S, signal.SA_ONSTACK),
    ):
        former()
        before = disposition(S)
        with attach(S) as attachment, attach(S):
            during = disposition(S)
            assert during is not None
            assert during[0] not in (signal.SIG_DFL, signal.SIG_IGN)
            assert during != before
            attachment.close()
            attachment.close()
            assert disposition(S) == during
        assert disposition(S) == before


def test_the_default_action_is_not_taken_meanwhile_and_is_afterwards() -> None:
    code = """
        import os, sigcffi as signal
        from sigcffi import actions

        with actions.counter(signal.SIGTERM) as counter:
            os.kill(os.getpid(), signal.SIGTERM)
            print(int(counter), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "1\n"), done


def test_a_handler_below_gets_its_calls_whichever_way_it_was_installed(
    foreign: ctypes.CDLL,
) -> None:
    calls: list[str] = []
    with actions.counter(S) as below:
        signal.signal(S, lambda signum, frame: calls.append("signal"))
        with actions.counter(S) as counter:
            send()
            signal.sigaction(S, lambda info, frame: calls.append("sigaction"))
            send()
            with signal.subscribe(S, lambda info, frame: calls.append("subscribe")):
                send()
            assert int(counter) == 3
        assert calls == ["signal", "sigaction", "subscribe", "sigaction"]
        signal.signal(S, signal.SIG_IGN)
        send()
        signal.signal(S, signal.SIG_DFL)
        send()
        assert int(below) == 5
    foreign.foreign_install(S, 0)
    before = foreign.foreign_calls()
    with actions.counter(S) as counter:
        send()
        assert foreign.foreign_calls() == before + 1
        assert foreign.foreign_last_pid() == HERE
        assert int(counter) == 1


def test_the_handler_of_the_standard_module_is_still_called() -> None:
    calls: list[int] = []
    standard.signal(S, lambda signum, frame: calls.append(signum))
    with actions.counter(S) as counter:
        send()
    send()
    assert (calls, int(counter)) == ([S, S], 1)


def test_asyncios_handlers_and_actions_are_beside_each_other() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        called = asyncio.Event()
        with actions.counter(S) as before:
            loop.add_signal_handler(S, called.set)
            with actions.flag(S) as after:
                os.kill(HERE, S)
                await asyncio.wait_for(called.wait(), 60)
                assert after
            loop.remove_signal_handler(S)
            assert int(before) == 1

    signal.patch_stdlib()
    try:
        asyncio.run(main())
    finally:
        signal.unpatch_stdlib()


def test_a_ninth_action_of_a_signal_is_refused_and_nothing_attached(
    foreign: ctypes.CDLL,
) -> None:
    before = disposition(S)
    attached = [attach(S) for attach in KINDS.values()] + [actions.counter(S)]
    assert len(attached) == SLOTS == lib.SIGCFFI_SLOTS
    counter = attached[-1]
    for attach in KINDS.values():
        with pytest.raises(OSError, match="SIGUSR1 has 8 actions already") as caught:
            attach(S)
        assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="actions of one of the signals"):
        signal.open_signal_receiver(S)
    attached[3].close()
    with actions.counter(S) as another:
        send()
        assert (int(counter), int(another)) == (1, 1)
    for attachment in attached:
        attachment.close()
    assert disposition(S) == before


def test_after_close_it_does_not_act() -> None:
    signal.signal(S, lambda signum, frame: None)
    flag, counter = actions.flag(S), actions.counter(S)
    send()
    flag.clear()
    flag.close()
    counter.close()
    send()
    assert not flag
    assert int(counter) == 1
    with actions.counter(S) as other:  # in the same place
        send()
        assert (int(counter), int(other)) == (1, 1)


def test_any_thread_may_attach_and_close() -> None:
    handled: list[int] = []
    signal.signal(S, lambda signum, frame: handled.append(signum))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            attached = [attach(S) for attach in KINDS.values()]
            counter = attached[1]
            signal.pthread_kill(threading.get_ident(), S)
            assert int(counter) == 1
            for attachment in attached:
                attachment.close()
        except BaseException as error:
            errors.append(error)

    signal.force_quit(S).close()  # whose first call is for the main thread
    thread = threading.Thread(target=work)
    thread.start()
    join(thread)
    assert errors == []
    signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert handled == [S]


def test_who_keeps_none_has_it_attached() -> None:
    code = """
        import gc, os, sigcffi as signal
        from sigcffi import actions

        def attach():
            flag = actions.flag(signal.SIGUSR1)
            actions.exit(signal.SIGUSR1, 3, when=flag)

        attach()
        gc.collect()
        os.kill(os.getpid(), signal.SIGUSR1)
        print("not reached")
    """
    done = run_python(code)
    assert (done.returncode, done.stdout) == (3, ""), done


def test_a_forked_child_has_them_attached_and_starts_from_nothing() -> None:
    code = """
        import os, sigcffi as signal
        from sigcffi import actions

        S = signal.SIGUSR1
        flag, counter = actions.flag(S), actions.counter(S)
        fd = os.open("/dev/full", os.O_WRONLY | os.O_NONBLOCK)
        write = actions.write(S, fd)
        os.kill(os.getpid(), S)
        assert flag and int(counter) == 1 and write.missed == 1
        child = os.fork()
        if child == 0:
            assert not flag and int(counter) == 0 and write.missed == 0
            os.kill(os.getpid(), S)
            assert flag and int(counter) == 1 and write.missed == 1
            flag.close()
            counter.close()
            write.close()
            os.kill(os.getpid(), S)  # by which the child ends
            os._exit(1)
        print(os.waitpid(child, 0)[1] == S)
        os.kill(os.getpid(), S)
        print(bool(flag), int(counter), write.missed)
    """
    assert python_says(code) == "True\nTrue 2 2\n"


def test_flags_may_come_and_go_for_ever() -> None:
    signal.signal(S, lambda signum, frame: None)
    for _ in range(5 * CELLS):
        with actions.flag(S) as flag:
            assert not flag


def test_too_many_flags_are_an_error_and_those_that_are_gone_make_room() -> None:
    signal.signal(S, lambda signum, frame: None)
    before = disposition(S)
    gc.collect()
    kept = []
    with pytest.raises(OSError, match="too many flags") as caught:
        while len(kept) <= CELLS:
            flag = actions.flag(S)
            flag.close()
            kept.append(flag)
    assert caught.value.errno == errno.ENOSPC
    assert disposition(S) == before
    assert kept[0].closed
    del caught, flag, kept
    actions.flag(S).close()


def test_a_closed_one_is_not_put_on_top_again() -> None:
    """Nothing would take the trampoline away again, and the default action would be gone."""
    before = disposition(S)
    flag = actions.flag(S)
    receiver = signal.open_signal_receiver(S)
    flag.close()
    receiver.close()
    assert flag.wait(0) is False
    with pytest.raises(ValueError, match="closed"):
        receiver.fileno()
    assert disposition(S) == before


def test_it_says_what_it_is() -> None:
    signal.signal(S, lambda signum, frame: None)
    with actions.flag(S) as flag, actions.counter(S) as counter:
        assert repr(flag) == "<Flag of SIGUSR1, attached>"
        send()
        assert repr(flag) == "<Flag of SIGUSR1, set, attached>"
        assert repr(counter) == "<Counter of SIGUSR1: 1, attached>"
    assert repr(counter) == "<Counter of SIGUSR1: 1, closed>"
    with actions.exit(R, 3, when=2) as ending, signal.force_quit(R, after=3) as quitting:
        assert repr(ending) == f"<Exit of {signal.Signals(R).name}, attached>"
        assert repr(quitting) == f"<ForceQuit of {signal.Signals(R).name} after 3, attached>"
    assert signal.force_quit.__module__ == "sigcffi"


@pytest.mark.parametrize("limit", [0, 3])
def test_a_descriptor_too_many_is_refused_and_nothing_attached(limit: int) -> None:
    before, limits = disposition(signal.SIGUSR1), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            actions.message(signal.SIGUSR1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert disposition(signal.SIGUSR1) == before
