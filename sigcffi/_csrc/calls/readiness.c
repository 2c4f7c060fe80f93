/* Readiness: the descriptor of a receiver, which can be read exactly while there are records.
 *
 * Law: ordinary calls, made outside handlers under the lock, so that nobody closes a descriptor
 * meanwhile, and its number means another file. A handler raises it (handler/actions.c).
 */
#include "calls.h"

#include <fcntl.h>

#if SIGCFFI_HAS_EVENTFD
#include <sys/eventfd.h>
#endif

/* Lock held. The two ends of what tells that there is something to read: no child inherits it
 * across exec, and neither end blocks. */
int sigcffi_readiness_open(struct receiver *receiver)
{
#if SIGCFFI_HAS_EVENTFD
    receiver->fd = receiver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return receiver->fd >= 0 ? 0 : -errno;
#else
    int ends[2];
    if (pipe(ends) != 0) return -errno;
    for (int end = 0; end < 2; end++) {
        fcntl(ends[end], F_SETFD, FD_CLOEXEC);
        fcntl(ends[end], F_SETFL, O_NONBLOCK);
    }
    receiver->fd = ends[0];
    receiver->wake_fd = ends[1];
    return 0;
#endif
}

/* Lock held. */
void sigcffi_readiness_close(const struct receiver *receiver)
{
    close(receiver->fd);
    if (receiver->wake_fd != receiver->fd) close(receiver->wake_fd);
}

/* Lock held. All has been read: the descriptor is to say so, unless something has come meanwhile.
 */
void sigcffi_readiness_lower(struct receiver *receiver)
{
    /* Actors: a handler that adds a record, which reserves its place first and raises the
     * descriptor then, unless it is raised; this call, which lowers it first and looks for
     * records then. The bad interleaving: the handler finds it raised, this call finds no
     * record, and it stays lowered over the record. It is forbidden because both exchange
     * `raised`: of two stores to one word one comes first, and the second sees what came before
     * that. Nor is a handler still about to raise it for a record that has been read: before it
     * is raised no record can be read. */
    char bytes[64];
    ssize_t got = read(receiver->fd, bytes, sizeof bytes);
    (void)got;
    atomic_exchange(&receiver->raised, false);
    if (atomic_load(&receiver->ring.head) != atomic_load(&receiver->ring.tail))
        sigcffi_actions_raise_descriptor(receiver);
}

/* Lock held, in a forked child, which would share the descriptors with its parent: it gets others
 * in their places. Whether it has. */
bool sigcffi_readiness_renew(const struct receiver *receiver)
{
    struct receiver fresh;
    if (sigcffi_readiness_open(&fresh) != 0) return false;
    bool done = dup2(fresh.fd, receiver->fd) >= 0 && dup2(fresh.wake_fd, receiver->wake_fd) >= 0;
    fcntl(receiver->fd, F_SETFD, FD_CLOEXEC);
    fcntl(receiver->wake_fd, F_SETFD, FD_CLOEXEC);
    sigcffi_readiness_close(&fresh);
    return done;
}
