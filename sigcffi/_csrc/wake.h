/* Waking: what the trampoline and the calls outside handlers use of wake.c. */
#ifndef SIGCFFI_WAKE_H
#define SIGCFFI_WAKE_H

#include "state.h"

SIGCFFI_HIDDEN bool sigcffi_on_main_thread(void);
SIGCFFI_HIDDEN bool sigcffi_poke(int tid);
SIGCFFI_HIDDEN bool sigcffi_is_poke(int signum, const siginfo_t *info);
SIGCFFI_HIDDEN uint64_t sigcffi_forbidden(void);
SIGCFFI_HIDDEN void sigcffi_pend(int signum, void *context);
SIGCFFI_HIDDEN void sigcffi_wake_main(uint64_t set);
SIGCFFI_HIDDEN void sigcffi_note_mask(const void *context);
SIGCFFI_HIDDEN void sigcffi_look_around(void *context);
SIGCFFI_HIDDEN int sigcffi_dispatchers_signal(void);

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

/* handler context, or outside handlers. The interpreter's handler takes the number and nothing
 * else. */
static inline void sigcffi_call_interpreter(int signum)
{
    ((void (*)(int))atomic_load_explicit(&state.interpreter, memory_order_relaxed))(signum);
}

#endif
