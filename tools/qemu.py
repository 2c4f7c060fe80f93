"""A machine of another processor, for programs that this one does not run: qemu-system.

Law: the machine is as small as a program needs it: a kernel, its files, /proc, /dev and /tmp. It
ends with the program.

qemu-user is no use: it keeps some signals for itself, and loses fields of siginfo.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

TARGET = "aarch64-linux-musl"  # the compiler's name for what runs there
QEMU = "qemu-system-aarch64"

# The first process there, which starts the other.
INIT = r"""
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void have(const char *path, const char *kind)
{
    if (mkdir(path, 01777) != 0 || mount(kind, path, kind, 0, "") != 0) perror(path);
}

int main(int count, char **words)
{
    int status = -1;
    // The kernel hands on words of its own, too; the command begins with a path.
    for (words++; count > 1 && **words != '/'; count--) words++;
    have("/proc", "proc");
    have("/tmp", "tmpfs");
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, "") != 0) perror("/dev");
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execv(*words, words);
        perror(*words);
        _exit(127);
    }
    while (wait(&status) != pid) continue;
    if (status != 0) printf("FAILED with wait status %#x\n", (unsigned)status);
    fflush(stdout);
    reboot(RB_POWER_OFF);
}
"""


def missing(kernel: str | None) -> str:
    """Return what there is not, or ""."""
    if shutil.which(QEMU) is None:
        return f"there is no {QEMU}"
    return "" if kernel else "no --kernel was named"


def members(files: Mapping[str, str | Path]) -> Iterator[tuple[str, int, bytes]]:
    """Yield name, mode and content of files and folders, and of all that is in these."""
    known: set[Path] = set()
    for name, path in files.items():
        found = Path(path)
        for each in sorted(found.rglob("*")) if found.is_dir() else [found]:
            inside = Path(name, each.relative_to(found)).as_posix()
            for parent in reversed(Path(inside).parents):
                if parent.name and parent not in known:
                    known.add(parent)
                    yield parent.as_posix(), stat.S_IFDIR | 0o755, b""
            if each.is_symlink():
                yield inside, stat.S_IFLNK | 0o777, os.readlink(each).encode()
            elif each.is_file():
                yield inside, stat.S_IFREG | 0o755, each.read_bytes()


def entries(files: Mapping[str, str | Path]) -> Iterator[bytes]:
    """An archive as the kernel unpacks it: cpio, "newc"."""
    for name, mode, content in itertools.chain(members(files), [("TRAILER!!!", 0, b"")]):
        path = name.encode() + b"\0"
        fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        for part in (header, content):
            yield part + bytes(-len(part) % 4)


def command(kernel: str, archive: str, files: Mapping[str, str | Path], *words: str) -> list[str]:
    """Return the command that runs a command there, whose *words* have no spaces. Of the *files*,
    by their names there, "init" is what INIT is compiled to; they are put into an *archive*.
    """
    # What guards one program from another makes each system call take ten times longer there.
    bare = "mitigations=off nokaslr"
    with open(archive, "wb") as file:
        file.writelines(entries(files))
    return [
        *(QEMU, "-machine", "virt", "-cpu", "cortex-a72", "-smp", str(os.cpu_count())),
        *("-m", "2048", "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot"),
        *("-kernel", kernel, "-initrd", archive),
        *("-append", f"quiet panic=-1 {bare} -- {' '.join(words)}"),
    ]
