/* Notices: how C learns that the interpreter has looked at its signals.
 *
 * Law: handler context. The interpreter offers no way to ask; so it is called for SIGURG, too, for
 * which it has a function of ours that says so.
 */
#include "epoch.h"

/* handler context. The interpreter was called for a signal of which is counted how many Python has
 * not seen: it is called for SIGURG, too. SIGURG is ignored unless somebody handles it; if somebody
 * does, all are taken for seen. */
void sigcffi_notice_ask(int signum)
{
    struct sigaction now;
    sigaction(SIGURG, NULL, &now);
    if (!sigcffi_is_function(sigcffi_levels_beneath(SIGURG, sigcffi_handler_of(&now)))) {
        sigcffi_handler_call_interpreter(SIGURG);
        return;
    }
    unsigned epoch = sigcffi_epoch_enter();
    for (uint64_t order = atomic_load(&state.attachments.order[signum]); order != 0; order >>= 4)
        if (sigcffi_epoch_first_of(signum, order)->kind == SIGCFFI_SLOT_FORCE_QUIT)
            atomic_store(&sigcffi_epoch_first_of(signum, order)->count, 0);
    sigcffi_epoch_leave(epoch);
}
