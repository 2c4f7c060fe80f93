"""A limit for calls that wait: locks, queues, pools, processes, a terminal."""

import concurrent.futures
import multiprocessing
import os
import queue
import signal
import subprocess
import threading

import sigcffi


def lock():
    mutex = threading.Lock()
    mutex.acquire()
    mutex.acquire()


def queue_get():
    queue.Queue().get()


def thread_join():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    thread.join()


def process_communicate():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.read()
        finally:
            process.kill()


def multiprocessing_pool():
    pool.apply(signal.pause)


def multiprocessing_queue():
    multiprocessing.Queue().get()


def executor():
    release = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        try:
            threads.submit(release.wait).result()
        finally:
            release.set()  # otherwise the end of this block waits for it, for ever


def terminal_input():
    master, slave = os.openpty()
    former = os.dup(0)
    os.dup2(slave, 0)
    try:
        input()
    finally:
        os.dup2(former, 0)
        for fd in master, slave, former:
            os.close(fd)


if __name__ == "__main__":
    pool = multiprocessing.Pool(1)
    pool.apply(int)  # it has started
    calls = [lock, queue_get, thread_join, process_communicate, multiprocessing_queue]
    for wait in [*calls, multiprocessing_pool, executor, terminal_input]:
        try:
            with sigcffi.timeout(0.1):
                wait()
        except TimeoutError:
            print(f"{wait.__name__}: its time is over")
    pool.terminate()
    pool.join()
