"""A worker that takes jobs from a queue, and is told by signals what to do.

- SIGHUP: it reads its settings again, in a thread, where code may lock and log and wait: also while
  the main thread holds the very lock that the logging takes.
- SIGTERM, Ctrl-C: it finishes the current job, and gives the others back. C writes at once, on
  standard error, who has sent SIGTERM.

It sends itself both signals, in the middle of its work.
"""

import logging
import os
import queue
import sys

import sigcffi as signal
from sigcffi import actions

logging.basicConfig(format="%(threadName)s: %(message)s", stream=sys.stdout, level=logging.INFO)
read_anew = queue.SimpleQueue()


def read_settings(info, frame):
    logging.info("process %d wants the settings to be read again", info.si_pid)
    read_anew.put(None)


def work(number):
    if number == 2:
        for handler in logging.root.handlers:
            with handler.lock:  # what the callback will take
                os.kill(os.getpid(), signal.SIGHUP)
        read_anew.get()
    if number == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    logging.info("job %d is done", number)


jobs = queue.SimpleQueue()
for number in range(1, 6):
    jobs.put(number)

with (
    signal.subscribe(signal.SIGHUP, read_settings, where="thread"),
    actions.message(signal.SIGTERM, text="the worker stops"),
    signal.shutdown() as stop,
):
    while not stop and not jobs.empty():
        work(jobs.get())
logging.info("asked to stop; %d jobs are given back", jobs.qsize())
