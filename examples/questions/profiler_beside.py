"""A sampling profiler (SIGPROF, many times in a second) beside a time limit and a child."""

import signal
import subprocess

import sigcffi

samples = []
sigcffi.signal(signal.SIGPROF, lambda signum, frame: samples.append(frame.f_lineno))
sigcffi.setitimer(signal.ITIMER_PROF, 0.002, 0.002)

while len(samples) < 10:
    pass
print("samples are taken")
try:
    with sigcffi.timeout(0.1):
        while True:
            pass
except TimeoutError:
    print("the loop's time is over")
print("a child ends well:", subprocess.run(["true"], check=False).returncode == 0)
sigcffi.setitimer(signal.ITIMER_PROF, 0)
