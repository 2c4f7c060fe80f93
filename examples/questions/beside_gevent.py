"""sigcffi in a program that gevent has patched, imported behind or before it."""

import importlib.util
import signal
import sys
import time

from side_by_side import say, side_by_side


def use():
    import gevent

    import sigcffi

    sigcffi.sigaction(signal.SIGUSR1, lambda info, frame: say("a handler is called"))
    signal.raise_signal(signal.SIGUSR1)
    try:
        with sigcffi.timeout(0.05):
            while True:
                pass
    except TimeoutError:
        say("a timeout ends code that does not give way")
    try:
        with gevent.Timeout(0.05):
            gevent.sleep(60)
    except gevent.Timeout:
        say("gevent's own ends what waits for gevent")


def with_sigcffi_behind_gevent():
    from gevent import monkey

    monkey.patch_all()
    use()


def with_sigcffi_before_gevent():
    import sigcffi  # noqa: F401

    with_sigcffi_behind_gevent()


def with_a_timeout_around_gevent():
    import gevent

    import sigcffi

    with sigcffi.timeout(None) as limit:
        # This greenlet has its turn when the main greenlet waits.
        gevent.spawn(lambda: limit.reschedule(time.monotonic() + 0.05))
        say("a timeout around gevent.sleep()")
        gevent.sleep(60)


if __name__ == "__main__":
    if importlib.util.find_spec("gevent") is None:
        sys.exit("gevent is not installed")
    side_by_side(
        with_sigcffi_behind_gevent,
        with_sigcffi_before_gevent,
        with_a_timeout_around_gevent,
        hangs=[with_a_timeout_around_gevent],
    )
