/* Owing: what the trampoline and the calls outside handlers use of owing.c. */
#ifndef SIGCFFI_OWING_H
#define SIGCFFI_OWING_H

#include "state.h"

SIGCFFI_HIDDEN bool sigcffi_on_main_thread(void);
SIGCFFI_HIDDEN bool sigcffi_main_thread_blocks(int signum);
SIGCFFI_HIDDEN bool sigcffi_send_note(int tid, int signum);
SIGCFFI_HIDDEN bool sigcffi_note_main(int signum);
SIGCFFI_HIDDEN bool sigcffi_is_note(int signum, const siginfo_t *info);
SIGCFFI_HIDDEN bool sigcffi_is_held(int signum);
SIGCFFI_HIDDEN void sigcffi_settle(int signum, siginfo_t *info, void *context);
SIGCFFI_HIDDEN void sigcffi_owe(int signum, siginfo_t *info, void *context);

/* poking.c */
SIGCFFI_HIDDEN void sigcffi_poke_later(void *context);
SIGCFFI_HIDDEN bool sigcffi_poked(const siginfo_t *info, void *context);
SIGCFFI_HIDDEN bool sigcffi_wants_pokes(void);
SIGCFFI_HIDDEN void sigcffi_prepare_pokes(void);
SIGCFFI_HIDDEN void sigcffi_aim_pokes(bool forked);

/* handler context */
static inline void sigcffi_call(uintptr_t handler, int signum, siginfo_t *info, void *context)
{
    /* Three arguments whatever SA_SIGINFO says: every ABI lets a function ignore the rest,
     * and some handlers expect them although they were installed without the flag. */
    ((void (*)(int, siginfo_t *, void *))handler)(signum, info, context);
}

#endif
