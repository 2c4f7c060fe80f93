/* Dispositions as the kernel has them, exactly.
 *
 * Law: ordinary calls, made outside handlers. What is read here can be written back byte for byte:
 * C libraries leave some of a disposition out, and choose some of it themselves.
 */
#include "calls.h"

/* What the kernel has for `signum`, as the C library tells it: some C libraries leave out how the
 * handler returns, and leave in that place what stood there before. */
int sigcffi_kernel_read(int signum, struct sigaction *action)
{
    memset(action, 0, sizeof *action);
    return sigaction(signum, NULL, action) == 0 ? 0 : -errno;
}

/* Fill in what sigcffi_kernel_read() has left out: how the handler returns. Where that is not known
 * there is no address. */
void sigcffi_kernel_read_rest(int signum, struct sigaction *action)
{
#if SIGCFFI_HAS_RESTORER
    if (!sigcffi_is_function(sigcffi_handler_of(action))) return;
    struct sigcffi_kernel_sigaction whole;
    if (syscall(SYS_rt_sigaction, signum, NULL, &whole, sizeof whole.mask) == 0 &&
        whole.handler == action->sa_handler) /* or somebody has been there in between */
        action->sa_restorer = whole.restorer;
#else
    (void)signum;
    (void)action;
#endif
}

/* Give the kernel exactly this: also how the handler returns, which no C library lets its callers
 * choose. */
int sigcffi_kernel_write(int signum, const struct sigaction *action)
{
#if SIGCFFI_HAS_RESTORER
    struct sigaction without = *action;
    struct sigcffi_kernel_sigaction whole;
    without.sa_flags &= ~SA_RESTORER; /* or there would be one for a moment that is no address */
    if (sigaction(signum, &without, NULL) != 0) return -errno;
    if (!sigcffi_is_function(sigcffi_handler_of(action)) || !(action->sa_flags & SA_RESTORER) ||
        action->sa_restorer == NULL)
        return 0;
    if (syscall(SYS_rt_sigaction, signum, NULL, &whole, sizeof whole.mask) != 0) return -errno;
    if (whole.restorer == action->sa_restorer) return 0;
    whole.flags |= SA_RESTORER;
    whole.restorer = action->sa_restorer; /* what else there is, is what was just written */
    if (syscall(SYS_rt_sigaction, signum, &whole, NULL, sizeof whole.mask) != 0) return -errno;
    return 0;
#else
    return sigaction(signum, action, NULL) == 0 ? 0 : -errno;
#endif
}

/* What the kernel does with `signum`.
 *
 * Actors: this call, and a handler that stops the process: it puts the default action there for a
 * moment (handler/defaults.c). The bad interleaving: this call reads the disposition in that moment
 * and takes it for what somebody has installed. It is forbidden because the handler stores `stops`
 * before and behind: what was read counts only if `stops` named another signal and has not changed.
 */
int sigcffi_kernel_look(int signum, struct sigaction *now)
{
    for (int tries = 0;; tries++) {
        uint32_t stops = atomic_load(&state.stops);
        int result = sigcffi_kernel_read(signum, now);
        if (result != 0) return result;
        if ((stops & SIGCFFI_STOPPING) != (uint32_t)signum && atomic_load(&state.stops) == stops)
            return 0;
        sigcffi_lock_back_off(tries);
    }
}
