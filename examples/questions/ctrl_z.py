"""Ctrl-Z: give the terminal back before the program stops, and take it again when it goes on."""

import os
import signal

from side_by_side import say

import sigcffi


def set_up():
    say("the cursor is hidden")


def give_back():
    say("the cursor is shown")


def stop(info, frame):
    give_back()
    os.kill(os.getpid(), signal.SIGSTOP)  # here it stops, and here it goes on
    set_up()


program = os.fork()
if program == 0:
    with sigcffi.subscribe(signal.SIGTSTP, stop):
        set_up()
        os.kill(os.getpid(), signal.SIGTSTP)  # Ctrl-Z
        give_back()
    os._exit(0)

# What the shell does.
_, status = os.waitpid(program, os.WUNTRACED)
say(f"shell: stopped by {signal.Signals(os.WSTOPSIG(status)).name}")
os.kill(program, signal.SIGCONT)
_, status = os.waitpid(program, 0)
say(f"shell: exit status {os.waitstatus_to_exitcode(status)}")
