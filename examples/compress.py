"""A command-line tool that can be stopped at any time, and leaves nothing half done.

It compresses files. After Ctrl-C (or SIGTERM) it finishes the current file, and begins no other.
After a second one it gives this file up, and removes what it has written of it. It then ends as the
signal would have ended it, so that a loop in a shell ends, too.

    compress.py FILE ...      without files: a copy of this program
"""

import gzip
import os
import shutil
import sys
import tempfile

import sigcffi as signal


def compress(path):
    target = path + ".gz"
    whole = False
    try:
        with open(path, "rb") as source, gzip.open(target, "wb") as compressed:
            shutil.copyfileobj(source, compressed)
        whole = True
    finally:
        if not whole and os.path.exists(target):
            os.unlink(target)
            print(f"{os.path.basename(path)}: given up", flush=True)
    print(f"{os.path.basename(path)}: compressed", flush=True)


def main(paths):
    with signal.shutdown() as stop:
        for path in paths:
            if stop:
                break
            compress(path)
    if stop:
        stop.exit()


if sys.argv[1:]:
    main(sys.argv[1:])
else:
    with tempfile.TemporaryDirectory() as directory:
        main([shutil.copy(__file__, directory)])
