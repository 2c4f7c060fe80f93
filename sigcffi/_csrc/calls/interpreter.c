/* The interpreter's own C handler: how it is told from those of others.
 *
 * Law: ordinary calls, made outside handlers. A process has one interpreter's handler; its address
 * is learned once, from a signal for which the interpreter has this moment installed it, and is
 * believed from then on.
 */
#include "calls.h"

#include <dlfcn.h>

/* SIGCFFI_DEFAULT, SIGCFFI_IGNORED, SIGCFFI_PYTHON or SIGCFFI_FOREIGN. */
int sigcffi_interpreter_classify(uintptr_t handler)
{
    if (handler == (uintptr_t)SIG_DFL) return SIGCFFI_DEFAULT;
    if (handler == (uintptr_t)SIG_IGN) return SIGCFFI_IGNORED;
    return handler == atomic_load(&state.dispositions.interpreter) ? SIGCFFI_PYTHON
                                                                   : SIGCFFI_FOREIGN;
}

/* Whether the code at `handler` is part of the interpreter, or of a program that it is part of. */
static bool is_interpreters(uintptr_t handler)
{
    void *api = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
    if (api == NULL) api = dlsym(RTLD_DEFAULT, "PyPy_IsInitialized");
    Dl_info home, candidate;
    /* An interpreter loaded privately cannot be looked up; then the caller's word counts. */
    if (api == NULL || dladdr(api, &home) == 0) return true;
    return dladdr((void *)handler, &candidate) != 0 && candidate.dli_fbase == home.dli_fbase;
}

/* The interpreter believes that `signum` has a Python handler. If its C handler is not known yet,
 * learn it from there: where the main thread could not be asked (sigcffi_interpreter_learn) nothing
 * tells the address but a signal that the interpreter has installed. What the kernel does with
 * `signum`. */
int sigcffi_interpreter_recognise(int signum)
{
    struct sigaction now;
    int result = sigcffi_kernel_look(signum, &now);
    if (result != 0) return result;
    uintptr_t handler = sigcffi_handler_of(&now);
    /* The interpreter's handler takes one argument. So does faulthandler's, which is part of the
     * interpreter, too; but that nests in order to chain. */
    if (atomic_load(&state.dispositions.interpreter) == 0 && sigcffi_is_function(handler) &&
        sigcffi_levels_find(handler) < 0 && !(now.sa_flags & (SA_SIGINFO | SA_NODEFER)) &&
        is_interpreters(handler))
        atomic_store(&state.dispositions.interpreter, handler);
    return sigcffi_interpreter_classify(sigcffi_levels_beneath(signum, handler));
}

/* Under the lock: what the interpreter installs for a Python handler, learned from the first one,
 * so that it need not be asked each time. */
static struct sigaction known;

/* Lock held. What the interpreter installs for a Python handler, learned from `signum` if it was
 * not known; null, and an errno in `result`, if the signal cannot teach it. */
const struct sigaction *sigcffi_interpreter_action(int signum, int *result)
{
    if (sigcffi_is_function(sigcffi_handler_of(&known))) return &known;
    struct sigaction now;
    *result = sigcffi_kernel_read(signum, &now);
    if (*result != 0) return NULL;
    if (!sigcffi_is_function(sigcffi_handler_of(&now))) {
        *result = -EINVAL;
        return NULL;
    }
    sigcffi_kernel_read_rest(signum, &now);
    known = now;
    atomic_store(&state.dispositions.interpreter, sigcffi_handler_of(&known));
    sigcffi_main_thread_set((unsigned long)pthread_self(), 0);
    sigcffi_retry_aim();
    return &known;
}

/* The interpreter has this moment installed its handler for `signum`, in this thread, and is going
 * to take it away again: learn from it what there is to learn. */
int sigcffi_interpreter_learn(int signum)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int result = 0;
    sigcffi_lock_acquire();
    sigcffi_interpreter_action(signum, &result);
    sigcffi_lock_release();
    return result;
}

/* The flags of the interpreter's handler. */
int sigcffi_interpreter_flags(void)
{
    return known.sa_flags;
}

/* Lock held. Whether this is what the interpreter installs for a Python handler. */
bool sigcffi_interpreter_installs(const struct sigaction *action)
{
    return sigcffi_handler_of(action) == sigcffi_handler_of(&known) &&
           action->sa_flags == known.sa_flags &&
           sigcffi_word_of(&action->sa_mask) == sigcffi_word_of(&known.sa_mask);
}
