"""A time limit in another thread than the main thread does not work; this does instead."""

import signal
import subprocess
import sys
import threading

from side_by_side import say, side_by_side

import sigcffi


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def say_briefly(error):
    say(f"{type(error).__name__}: {' '.join(str(error).split()[:6])} ...")


def with_signal():
    @in_thread
    def worker():
        try:
            signal.signal(signal.SIGALRM, lambda signum, frame: None)
        except ValueError as error:
            say_briefly(error)


def with_sigcffi():
    @in_thread
    def worker():
        try:
            with sigcffi.timeout(5):
                say("never comes here")
        except ValueError as error:
            say_briefly(error)


def with_a_process():
    @in_thread
    def worker():
        job = [sys.executable, "-c", "import signal; signal.pause()"]
        try:
            subprocess.run(job, timeout=0.1, check=False)
        except subprocess.TimeoutExpired:
            say("the process with the job is killed when its time is over")


def with_a_receiver():
    @in_thread
    def worker():
        with sigcffi.open_signal_receiver(signal.SIGALRM) as receiver:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            say(f"a thread has received {receiver.wait().si_signo.name}")


if __name__ == "__main__":
    side_by_side(with_signal, with_sigcffi, with_a_process, with_a_receiver)
