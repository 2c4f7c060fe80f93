"""Tests of a program that uses signals: what Ctrl-C leaves, a handler, a flood, a stuck read.

Run by itself it has pytest run it, with leaks of signals as errors.
"""

import os
import signal as standard
import sys
import threading

import pytest

import sigcffi as signal
from sigcffi.testing import fake_info, flood, send_when_blocked_in, strike

# ---- The program ----

lock = threading.Lock()
purse = {"mine": 10, "yours": 0}


def transfer():
    with signal.deferred(signal.SIGINT), lock:
        careless_transfer()


def careless_transfer():
    purse["mine"] -= 1
    if min(purse.values()) < 0:
        raise ValueError("there is nothing to be had")
    purse["yours"] += 1


def who_asks(info, frame):
    return f"{info.si_signo.name} from process {info.si_pid}"


# ---- Its tests ----


@pytest.fixture(autouse=True)
def ctrl_c():
    former = standard.signal(signal.SIGINT, standard.default_int_handler)
    yield
    standard.signal(signal.SIGINT, former)


def losses(function):
    """The places in the function where Ctrl-C makes money vanish."""
    found = []
    for each in strike(signal.SIGINT, function):
        assert not lock.locked(), each
        if sum(purse.values()) != 10:
            found.append(each)
        purse.update(mine=10, yours=0)
    return found


def test_ctrl_c_loses_no_money():
    assert losses(transfer) == []


def test_ctrl_c_does_where_nobody_took_care():
    assert losses(careless_transfer)


def test_the_handler_says_who_asks():
    info = fake_info(signal.SIGTERM, si_pid=17)
    assert who_asks(info, None) == "SIGTERM from process 17"


@pytest.mark.time_limit(60)
def test_no_signal_is_lost():
    values = []
    with signal.handling(signal.SIGRTMIN, lambda info, frame: values.append(info.si_value)):
        flood(signal.SIGRTMIN, 1000, senders=4)
    assert sorted(values) == list(range(1000))


@pytest.mark.time_limit(60)
def test_a_read_that_nobody_answers_ends_with_ctrl_c():
    reader, writer = os.pipe()
    here = threading.current_thread()
    with pytest.raises(KeyboardInterrupt), send_when_blocked_in(here, "read", signal.SIGINT):
        os.read(reader, 1)
    os.close(reader)
    os.close(writer)


if __name__ == "__main__":
    options = ["-q", "-p", "no:cacheprovider", "-o", "signal_leaks=error"]
    sys.exit(pytest.main([*options, __file__]))
