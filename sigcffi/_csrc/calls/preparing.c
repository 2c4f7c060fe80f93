/* Preparing: what an action needs before it is attached, descriptors and holds on processes.
 *
 * Law: ordinary calls, made outside handlers. What was got for a slot is its own: nothing that the
 * program closes or opens later takes it away, or makes it mean something else.
 */
#include "calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* A copy of a descriptor behind the first three, which have a meaning; a negative errno. */
int sigcffi_preparing_copy(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0) return copy;
    return errno == EINVAL ? -EMFILE : -errno; /* EINVAL: the limit of descriptors is 3 or less */
}

/* What write needs: a descriptor of its own, whose number cannot come to mean another file, and one
 * that does not block. */
static int prepare_write(struct slot *slot, int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &status) != 0) return -errno;
    slot->is_socket = S_ISSOCK(status.st_mode);
    if (!slot->is_socket && !(flags & O_NONBLOCK)) return -EWOULDBLOCK;
    slot->fd = sigcffi_preparing_copy(fd);
    return slot->fd >= 0 ? 0 : slot->fd;
}

/* Whether a descriptor is of a pipe, or of a terminal on the side of its programs: opening that
 * once more gives another descriptor of it. (Of the other side it would make a new terminal.) */
static bool can_be_reopened(int fd, mode_t mode)
{
#if SIGCFFI_HAS_TERMINAL_NUMBER
    unsigned number;
    return S_ISFIFO(mode) || (S_ISCHR(mode) && isatty(fd) && ioctl(fd, TIOCGPTN, &number) != 0);
#else
    (void)fd;
    (void)mode;
    return false;
#endif
}

/* A descriptor of a pipe or terminal that does not block, although `fd` does, which the program
 * shares with others; -1 where there is none to be had: another user's, no /proc. */
static int reopen(int fd)
{
    char path[sizeof "/proc/self/fd/-2147483648"];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0 || opened > 2) return opened;
    int above = sigcffi_preparing_copy(opened);
    close(opened);
    return above;
}

/* What message needs: a descriptor of its own, if possible one that does not block. */
static int prepare_message(struct slot *slot, int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &status) != 0) return -errno;
    if ((flags & O_ACCMODE) == O_RDONLY) return -EBADF;
    slot->is_socket = S_ISSOCK(status.st_mode);
    if (!(flags & O_NONBLOCK) && can_be_reopened(fd, status.st_mode)) slot->fd = reopen(fd);
    if (slot->fd < 0) slot->fd = sigcffi_preparing_copy(fd);
    return slot->fd >= 0 ? 0 : slot->fd;
}

#if SIGCFFI_HAS_PIDFD
/* Whether the kernel does not know a system call, or a filter keeps the call from us: a filter says
 * EPERM, which these calls themselves never do. */
static bool is_refused(int error)
{
    return error == ENOSYS || error == EPERM;
}

/* A hold on a process to which this one may send signals; -1 where there is none to be had. */
static int hold_process(int pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return is_refused(errno) ? -1 : -errno;
    if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0 || !is_refused(errno)) return fd;
    close(fd);
    return -1;
}
#endif

/* What forward needs: for a process, a hold on it, so that its number cannot come to mean another.
 */
static int prepare_forward(struct slot *slot, int pid)
{
    slot->number = pid;
    if (kill(pid, 0) != 0) return -errno;
#if SIGCFFI_HAS_PIDFD
    if (pid > 0) {
        int fd = hold_process(pid);
        if (fd < -1) return fd;
        slot->fd = fd;
    }
#endif
    return 0;
}

/* Get what a slot of this kind needs, which is the caller's to give back (its `fd`) where the slot
 * is not attached; a negative errno. */
int sigcffi_preparing_slot(struct slot *slot)
{
    switch (slot->kind) {
    case SIGCFFI_SLOT_WRITE:
    case SIGCFFI_SLOT_SHUTDOWN: return prepare_write(slot, slot->number);
    case SIGCFFI_SLOT_MESSAGE: return prepare_message(slot, slot->number);
    case SIGCFFI_SLOT_FORWARD: return prepare_forward(slot, slot->number);
    default: return 0;
    }
}
