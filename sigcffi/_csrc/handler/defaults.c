/* Default actions: the kernel does what it would have done without a handler.
 *
 * Law: handler context, and outside handlers. The parent sees the true wait status; from a stop the
 * process comes back with its handler in place.
 */
#include "handler.h"

/* handler context. What a signal does that nobody handles: signal(7). */
int sigcffi_defaults_action(int signum)
{
    switch (signum) {
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGQUIT:
    case SIGSEGV:
    case SIGSYS:
    case SIGTRAP:
    case SIGXCPU:
    case SIGXFSZ: return SIGCFFI_DUMPS_CORE;
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH: return SIGCFFI_IS_IGNORED;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return SIGCFFI_STOPS;
    case SIGCONT: return SIGCFFI_CONTINUES;
    default: return SIGCFFI_TERMINATES;
    }
}

/* handler context. Whether this thread is to stop the process by `signum`.
 *
 * Actors: two threads whose handlers are to stop the process by one signal. The bad interleaving:
 * the one has put the default action there, the other takes that for the handler, and puts it back
 * last; the handler is lost. It is forbidden by the compare-and-swap: a second thread leaves the
 * stop to the first. Calls that ask the kernel see by `stops` that the default action stands there
 * for the moment (calls/kernel.c). */
static bool begin_stop(int signum)
{
    uint32_t none = atomic_load(&state.stops) & ~SIGCFFI_STOPPING;
    return atomic_compare_exchange_strong(&state.stops, &none, none | (uint32_t)signum);
}

/* handler context. The handler is back. */
static void end_stop(void)
{
    atomic_store(&state.stops, (atomic_load(&state.stops) | SIGCFFI_STOPPING) + 1);
}

/* handler context. The kernel does what it would have done without a handler, so that the parent
 * sees the true wait status. From a stop the process comes back with its handler in place. */
void sigcffi_defaults_take(int signum)
{
    int usual = sigcffi_defaults_action(signum);
    if (usual == SIGCFFI_IS_IGNORED || usual == SIGCFFI_CONTINUES) return; /* that has happened */
    if (usual == SIGCFFI_STOPS && !begin_stop(signum)) return;
    struct sigaction action, handler;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    if (sigaction(signum, &action, &handler) != 0) return;
    sigset_t this = sigcffi_set_of(sigcffi_bit(signum)), former;
    /* To this thread, which is then gone before it could go on. Where the kernel has no memory left
     * for that it still delivers what kill() sends. */
    bool here = raise(signum) == 0;
    if (!here) kill(getpid(), signum);
    pthread_sigmask(SIG_UNBLOCK, &this, &former);
    if (usual == SIGCFFI_STOPS) {
        pthread_sigmask(SIG_SETMASK, &former, NULL);
        sigaction(signum, &handler, NULL);
        end_stop();
        sigcffi_backpressure_refuse_no_more();
        return;
    }
    if (!here) sigcffi_platform_rest(100000000);
    /* The first process of a namespace is not ended by a signal of its own. */
    _exit(128 + signum);
}

/* handler context. The process ends by a fault, as without a handler. */
void sigcffi_defaults_fault(int signum)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction(signum, &action, NULL);
    /* Returning executes the faulting instruction again, now with the true siginfo in the
     * core. After a trap the thread stands behind the instruction: send it once more. The first
     * process of a namespace is spared what it sends to itself. */
    if (signum == SIGTRAP) sigcffi_defaults_take(signum);
}
