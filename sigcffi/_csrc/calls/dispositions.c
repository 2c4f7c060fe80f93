/* Dispositions, as Python asks for them and changes them.
 *
 * Law: ordinary calls, made outside handlers. What Python is told is what the kernel has, seen
 * through the trampoline.
 */
#include "calls.h"

/* What the kernel does with `signum`, seen through the trampoline. */
int sigcffi_dispositions_query(int signum)
{
    struct sigaction now;
    int result = sigcffi_kernel_look(signum, &now);
    if (result != 0) return result;
    return sigcffi_interpreter_classify(sigcffi_levels_beneath(signum, sigcffi_handler_of(&now)));
}

/* What the kernel does with `signum`, before that is replaced; SIGCFFI_SLOTTED in addition if
 * actions are attached to it. */
int sigcffi_dispositions_query_slotted(int signum)
{
    int kind = sigcffi_dispositions_query(signum);
    if (kind >= 0 && (atomic_load(&channel.slotted) & sigcffi_bit(signum))) kind |= SIGCFFI_SLOTTED;
    return kind;
}

/* The interpreter has this moment installed its handler for `signum`, in this thread: so that
 * handler is the interpreter's own, this thread is the main thread, and the trampoline goes on top.
 */
int sigcffi_dispositions_registered(int signum)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int result = 0;
    sigcffi_lock_acquire();
    const struct sigaction *known = sigcffi_interpreter_action(signum, &result);
    if (known != NULL) result = sigcffi_interpose_on_found(signum, known, 0);
    sigcffi_lock_release();
    return result;
}

/* The interpreter runs the dispatcher for `signum`: record it, and put the trampoline on top of the
 * interpreter's handler, with some of the flags that the kernel knows. */
int sigcffi_dispositions_dispatched(int signum, int flags)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    int result = 0;
    struct sigaction found;
    sigcffi_lock_acquire();
    const struct sigaction *interpreters = sigcffi_interpreter_action(signum, &result);
    if (interpreters != NULL) {
        atomic_fetch_or(&channel.recorded, sigcffi_bit(signum));
        sigcffi_channel_call_by_urgent(sigcffi_bit(signum), 0);
        result = sigcffi_interpose_on(signum, interpreters, flags, &found);
    }
    sigcffi_lock_release();
    return result;
}

/* Lock held. Whether an action is no more than its handler tells: no flags and no signals in its
 * mask would have to be put back beside the handler. Without a function to call few flags mean
 * much. */
static bool is_usual(const struct sigaction *action)
{
    uintptr_t handler = sigcffi_handler_of(action);
    if (!sigcffi_is_function(handler))
        return (action->sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)) == 0;
    return sigcffi_interpreter_installs(action);
}

/* What stands beneath the trampoline, or in its place: the kind of it, and in addition
 * SIGCFFI_INTERPOSED if the trampoline is there and SIGCFFI_USUAL if the kind says it all. */
int sigcffi_dispositions_save(int signum, struct sigaction *saved)
{
    struct sigaction now;
    int result = sigcffi_kernel_look(signum, &now);
    if (result != 0) return result;
    int more = 0;
    sigcffi_lock_acquire();
    sigcffi_bases_note(signum, &now);
    if (sigcffi_bases_level_of(&now) >= 0) {
        now = sigcffi_bases_under(signum, &now);
        more = SIGCFFI_INTERPOSED;
    } else {
        sigcffi_kernel_read_rest(signum, &now);
    }
    if (is_usual(&now)) more |= SIGCFFI_USUAL;
    sigcffi_lock_release();
    if (saved != NULL) *saved = now;
    return sigcffi_interpreter_classify(sigcffi_handler_of(&now)) | more;
}

/* Make `base` what is done about the signal: beneath the trampoline if something needs that, or if
 * `base` is the interpreter's handler and was `interposed`; else alone. */
int sigcffi_dispositions_put_back(int signum, const struct sigaction *base, int interposed)
{
    if (!sigcffi_is_signal(signum)) return -EINVAL;
    struct sigaction found;
    sigcffi_lock_acquire();
    int result = sigcffi_kernel_look(signum, &found);
    if (result == 0) {
        sigcffi_bases_note(signum, &found);
        if (sigcffi_interpose_is_needed(signum) ||
            (interposed &&
             sigcffi_interpreter_classify(sigcffi_handler_of(base)) == SIGCFFI_PYTHON))
            result = sigcffi_interpose_on(signum, base, 0, &found);
        else
            result = sigcffi_interpose_remove(signum, base);
    }
    sigcffi_lock_release();
    return result;
}

/* What `base` must be for a signal that is ignored. */
void sigcffi_dispositions_ignore(struct sigaction *base)
{
    base->sa_handler = SIG_IGN;
}

/* The set of signals in a mask. */
uint64_t sigcffi_dispositions_mask_of(const struct sigaction *action)
{
    return sigcffi_word_of(&action->sa_mask);
}

/* Lock held. Whether a delivery that the trampoline has begun with is still to be gone on with: the
 * trampoline is there, or a handler that somebody has put in its place, and that may call it. */
bool sigcffi_dispositions_is_handled(int signum)
{
    struct sigaction now;
    if (sigcffi_kernel_read(signum, &now) != 0 || sigcffi_bases_level_of(&now) >= 0) return true;
    return sigcffi_bases_on_top(signum) >= 0 && sigcffi_is_function(sigcffi_handler_of(&now));
}
