"""Limit the time spent waiting for a device to be opened.

The device is a FIFO, and there is nobody at its other end: opening it would wait for ever, like a
serial port whose device is turned off.
"""

import os
import tempfile

import sigcffi as signal

SECONDS = 2


def handler(signum, frame):
    print(f"Signal handler called with signal {signum} ({signal.strsignal(signum)})")
    raise OSError("Couldn't open device!")


with tempfile.TemporaryDirectory() as folder:
    device = os.path.join(folder, "device")
    os.mkfifo(device)

    # Set the signal handler and an alarm.
    signal.signal(signal.SIGALRM, handler)
    signal.alarm(SECONDS)
    print(f"Opening a device that nobody answers for, for at most {SECONDS} seconds ...")

    try:
        fd = os.open(device, os.O_RDONLY)  # may hang indefinitely
    except OSError as error:
        print(f"Gave up: {error}")
    else:
        print("The device is open")
        os.close(fd)
    finally:
        signal.alarm(0)  # disable the alarm
