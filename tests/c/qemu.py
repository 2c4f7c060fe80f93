"""A machine of another processor, for programs that this one does not run: qemu-system.

Law: the machine is as small as a case needs it: a kernel, the program, /proc, /dev and /tmp. It
ends with the program.

qemu-user is no use: it keeps some signals for itself, and loses fields of siginfo.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
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

int main(int argc, char **argv)
{
    (void)argc;
    int status = -1;
    have("/proc", "proc");
    have("/tmp", "tmpfs");
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, "") != 0) perror("/dev");
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execv("/program", argv);
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


def entries(files: dict[str, str]) -> Iterator[bytes]:
    """An archive as the kernel unpacks it: cpio, "newc"."""
    contents = {name: Path(path).read_bytes() for name, path in files.items()}
    for name, content in (*contents.items(), ("TRAILER!!!", b"")):
        path = name.encode() + b"\0"
        fields = (0, 0o100755, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        for part in (header, content):
            yield part + bytes(-len(part) % 4)


def command(kernel: str, init: str, program: str) -> list[str]:
    """Return the command that runs a *program* there; *init* is what INIT is compiled to."""
    archive = f"{program}.cpio"
    with open(archive, "wb") as file:
        file.writelines(entries({"init": init, "program": program}))
    return [
        *(QEMU, "-machine", "virt", "-cpu", "cortex-a72", "-smp", str(os.cpu_count())),
        *("-m", "1024", "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot"),
        *("-kernel", kernel, "-initrd", archive, "-append", "quiet panic=-1"),
    ]
