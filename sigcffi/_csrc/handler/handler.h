/* What the files of handler/ have for each other, and for calls/.
 *
 * Law: each file is listed behind those that it needs, so that a delivery begins at the end. All of
 * it runs in handler context; what is for calls outside handlers only says so.
 */
#ifndef SIGCFFI_HANDLER_H
#define SIGCFFI_HANDLER_H

#include "state.h"

/* handler context, or outside handlers. Whether the calling thread is the main thread. */
static inline bool sigcffi_main_thread_is_current(void)
{
    return (uintptr_t)pthread_self() ==
           atomic_load_explicit(&channel.main_thread, memory_order_relaxed);
}

/* handler context, or outside handlers. The interpreter's handler takes the number and nothing
 * else. */
static inline void sigcffi_handler_call_interpreter(int signum)
{
    ((void (*)(int))atomic_load_explicit(&state.dispositions.interpreter, memory_order_relaxed))(
        signum);
}

#if SIGCFFI_HAS_RETURN
void sigcffi_levels_return(void); /* levels.c; no function to be called */
#endif

/* handler context, or outside handlers. Where our handlers return to; 0: like all others. */
static inline uintptr_t sigcffi_levels_own_return(void)
{
#if SIGCFFI_HAS_RETURN
    return (uintptr_t)sigcffi_levels_return;
#else
    return 0;
#endif
}

/* levels.c */
SIGCFFI_HIDDEN int sigcffi_levels_find(uintptr_t handler);
SIGCFFI_HIDDEN uintptr_t sigcffi_levels_beneath(int signum, uintptr_t handler);

/* main_thread.c */
SIGCFFI_HIDDEN void sigcffi_main_thread_note_mask(const void *context);
SIGCFFI_HIDDEN void sigcffi_main_thread_will_mask(int how, uint64_t word);

/* retry.c; the last five outside handlers */
SIGCFFI_HIDDEN void sigcffi_retry_later(void *context);
SIGCFFI_HIDDEN void sigcffi_retry_take_over(void *context);
SIGCFFI_HIDDEN bool sigcffi_retry_expired(const siginfo_t *info, void *context);
SIGCFFI_HIDDEN void sigcffi_retry_no_more(void);
SIGCFFI_HIDDEN bool sigcffi_retry_is_wanted(void);
SIGCFFI_HIDDEN void sigcffi_retry_prepare(void);
SIGCFFI_HIDDEN void sigcffi_retry_aim(void);
SIGCFFI_HIDDEN void sigcffi_retry_after_fork(void);

/* eventcount.c */
SIGCFFI_HIDDEN void sigcffi_eventcount_notify(void);

/* notice.c */
SIGCFFI_HIDDEN void sigcffi_notice_ask(int signum);

/* wake.c */
SIGCFFI_HIDDEN bool sigcffi_wake_poke(int tid);
SIGCFFI_HIDDEN bool sigcffi_wake_is_poke(int signum, const siginfo_t *info);
SIGCFFI_HIDDEN uint64_t sigcffi_wake_forbidden(void);
SIGCFFI_HIDDEN void sigcffi_wake_pend(int signum, void *context);
SIGCFFI_HIDDEN void sigcffi_wake_main(uint64_t set);
SIGCFFI_HIDDEN void sigcffi_wake_look_around(void *context);
SIGCFFI_HIDDEN int sigcffi_wake_dispatchers_signal(void);
SIGCFFI_HIDDEN void sigcffi_wake_after_fork(void); /* outside handlers */

/* owner.c; the last two outside handlers */
SIGCFFI_HIDDEN uint64_t sigcffi_owner_added(void);
SIGCFFI_HIDDEN uint64_t sigcffi_owner_let_in(void);
SIGCFFI_HIDDEN bool sigcffi_owner_differs(void);
SIGCFFI_HIDDEN void sigcffi_owner_set_difference(uint64_t added, bool lets_in);
SIGCFFI_HIDDEN uint64_t sigcffi_owner_mask(uint64_t mask);
SIGCFFI_HIDDEN uint64_t sigcffi_owner_kept_out(void);
SIGCFFI_HIDDEN void sigcffi_owner_forks(int change);
SIGCFFI_HIDDEN uint64_t sigcffi_owner_after_fork(uint64_t mask);

/* backpressure.c */
SIGCFFI_HIDDEN bool sigcffi_backpressure_is_high(int number);
SIGCFFI_HIDDEN _Atomic uint64_t *sigcffi_backpressure_of(int number);
SIGCFFI_HIDDEN int sigcffi_backpressure_place(void);
SIGCFFI_HIDDEN void sigcffi_backpressure_apply(int number, int signum, void *context);
SIGCFFI_HIDDEN void sigcffi_backpressure_refuse_terminal(int signum, const siginfo_t *info);
SIGCFFI_HIDDEN void sigcffi_backpressure_refuse_no_more(void);
SIGCFFI_HIDDEN void sigcffi_backpressure_on_return(int signum, void *context);

/* backpressure.c, outside handlers */
SIGCFFI_HIDDEN uint64_t sigcffi_backpressure_change_mask(int how, uint64_t word);
SIGCFFI_HIDDEN void sigcffi_backpressure_recheck(void);
SIGCFFI_HIDDEN void sigcffi_backpressure_after_fork(void);

/* defaults.c */
SIGCFFI_HIDDEN void sigcffi_defaults_take(int signum);
SIGCFFI_HIDDEN void sigcffi_defaults_fault(int signum);

/* writing.c */
SIGCFFI_HIDDEN long sigcffi_writing_write(const struct slot *slot, const void *data, size_t size,
                                          bool looks);

/* message.c */
SIGCFFI_HIDDEN bool sigcffi_message_write(struct slot *slot, int signum, const siginfo_t *info);

/* last_words.c */
SIGCFFI_HIDDEN void sigcffi_last_words_begin(void);
SIGCFFI_HIDDEN void sigcffi_last_words_speak(void *context);

/* shutdown.c */
SIGCFFI_HIDDEN void sigcffi_shutdown_reach(struct shutdown *shutdown, int stage, int signum);

/* actions.c */
SIGCFFI_HIDDEN void sigcffi_actions_take(int signum, const siginfo_t *info, void *context);
SIGCFFI_HIDDEN void sigcffi_actions_receive(int signum, const siginfo_t *info, void *context);
SIGCFFI_HIDDEN void sigcffi_actions_raise_descriptor(struct receiver *receiver);

/* trampoline.c */
SIGCFFI_HIDDEN void sigcffi_trampoline_start(void); /* outside handlers, once */

#endif
