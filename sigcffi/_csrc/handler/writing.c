/* Writing: to descriptors of the program's, at once or not at all.
 *
 * Law: handler context, all of it. A write does not wait, and brings no signal: what was not
 * written is told by the result. SIGPIPE and SIGXFSZ, which nobody has asked for, are taken back.
 */
#include "handler.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

/* handler context. Whether a write would not wait, as far as can be seen. */
static bool has_room(int fd)
{
#if SIGCFFI_HAS_PPOLL
    struct pollfd waits = {.fd = fd, .events = POLLOUT};
    struct sigcffi_span none = {0, 0};
    return syscall(SYS_ppoll, &waits, 1, &none, NULL, sizeof(uint64_t)) == 1 &&
           (waits.revents & POLLOUT) != 0;
#else
    (void)fd;
    return false; /* poll() is a cancellation point */
#endif
}

/* handler context. A pipe without a reader brings SIGPIPE, a file that may not grow SIGXFSZ: to
 * this thread, which has them blocked as long as it is in a handler. */
static long write_quietly(int fd, const void *data, size_t size)
{
    sigset_t pending;
    sigpending(&pending);
    errno = 0;
    long written = sigcffi_platform_write(fd, data, size);
#if SIGCFFI_HAS_SIGTIMEDWAIT
    int brought = errno == EPIPE ? SIGPIPE : errno == EFBIG ? SIGXFSZ : 0;
    if (written < 0 && brought != 0 && !sigismember(&pending, brought)) {
        const sigset_t set = sigcffi_set_of(sigcffi_bit(brought));
        sigcffi_platform_sigtimedwait(&set, NULL, 0);
    }
#endif
    return written;
}

/* handler context. Write to a slot's descriptor, by one call; how much of it was taken, 0 or less
 * if nothing was. Where the descriptor is a blocking one (it may have been made so since), nothing
 * is written, unless `looks`: then whether there is room is looked at before, and another writer
 * may be quicker. */
long sigcffi_writing_write(const struct slot *slot, const void *data, size_t size, bool looks)
{
#if SIGCFFI_HAS_SENDTO
    if (slot->is_socket)
        return syscall(SYS_sendto, slot->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
#endif
    if (!(fcntl(slot->fd, F_GETFL) & O_NONBLOCK) && !(looks && has_room(slot->fd))) return 0;
    return write_quietly(slot->fd, data, size);
}
