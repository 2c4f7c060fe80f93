"""Source that programs which are flooded with signals begin with."""

HALF_THE_QUEUE = """
import resource

# All processes of a user share one queue of signals: what else runs is to find room in it.
SIGPENDING = getattr(resource, "RLIMIT_SIGPENDING", 11)  # PyPy has no name for it
resource.setrlimit(SIGPENDING, (resource.getrlimit(SIGPENDING)[0] // 2,) * 2)
"""

FORKED_CHILD = """
import os

def fails_in_a_child(call):
    pid = os.fork()
    if pid == 0:
        try:
            call()
            os._exit(0)
        except BaseException as error:
            print(error, flush=True)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] != 0
"""
