/* What the files of calls/ have for each other, and for process.c.
 *
 * Law: each file is listed behind those that it needs. All of it is called outside handlers; of
 * functions that need the lock held their definition says so.
 */
#ifndef SIGCFFI_CALLS_H
#define SIGCFFI_CALLS_H

#include "handler/handler.h"

/* lock.c */
SIGCFFI_HIDDEN void sigcffi_lock_back_off(int tries);
SIGCFFI_HIDDEN void sigcffi_lock_acquire(void);
SIGCFFI_HIDDEN void sigcffi_lock_release(void);
SIGCFFI_HIDDEN sigset_t sigcffi_lock_acquire_masked(void);
SIGCFFI_HIDDEN void sigcffi_lock_release_masked(const sigset_t *former);

/* kernel.c */
SIGCFFI_HIDDEN int sigcffi_kernel_read(int signum, struct sigaction *action);
SIGCFFI_HIDDEN void sigcffi_kernel_read_rest(int signum, struct sigaction *action);
SIGCFFI_HIDDEN int sigcffi_kernel_write(int signum, const struct sigaction *action);
SIGCFFI_HIDDEN int sigcffi_kernel_look(int signum, struct sigaction *now);

/* epoch.c */
SIGCFFI_HIDDEN void sigcffi_epoch_synchronize(void);
SIGCFFI_HIDDEN void sigcffi_epoch_after_fork(void);

/* flags.c */
SIGCFFI_HIDDEN void sigcffi_flags_after_fork(void);

/* channel.c */
SIGCFFI_HIDDEN void sigcffi_channel_after_fork(void);

/* timers.c */
SIGCFFI_HIDDEN void sigcffi_timers_after_fork(void);

/* interpreter.c */
SIGCFFI_HIDDEN int sigcffi_interpreter_classify(uintptr_t handler);
SIGCFFI_HIDDEN const struct sigaction *sigcffi_interpreter_action(int signum, int *result);
SIGCFFI_HIDDEN bool sigcffi_interpreter_installs(const struct sigaction *action);

/* bases.c */
SIGCFFI_HIDDEN int sigcffi_bases_level_of(const struct sigaction *action);
SIGCFFI_HIDDEN void sigcffi_bases_set(int level, int signum, const struct sigaction *under);
SIGCFFI_HIDDEN struct sigaction sigcffi_bases_of(int level, int signum);
SIGCFFI_HIDDEN struct sigaction sigcffi_bases_under(int signum, const struct sigaction *above);
SIGCFFI_HIDDEN int sigcffi_bases_level_for(int signum, const struct sigaction *under);
SIGCFFI_HIDDEN void sigcffi_bases_note(int signum, const struct sigaction *now);
SIGCFFI_HIDDEN void sigcffi_bases_put_on_top(int signum, int level);
SIGCFFI_HIDDEN int sigcffi_bases_on_top(int signum);

/* interpose.c */
SIGCFFI_HIDDEN bool sigcffi_interpose_is_needed(int signum);
SIGCFFI_HIDDEN int sigcffi_interpose_on(int signum, const struct sigaction *under, int flags,
                                        struct sigaction *found);
SIGCFFI_HIDDEN int sigcffi_interpose_on_found(int signum, const struct sigaction *under, int flags);
SIGCFFI_HIDDEN int sigcffi_interpose_remove(int signum, const struct sigaction *action);
SIGCFFI_HIDDEN int sigcffi_interpose_locked(int signum);
SIGCFFI_HIDDEN void sigcffi_interpose_for_slots(int signum, bool has_slots);
SIGCFFI_HIDDEN void sigcffi_interpose_withdraw_unneeded(int signum);
SIGCFFI_HIDDEN void sigcffi_interpose_after_fork(void);

/* dispositions.c */
SIGCFFI_HIDDEN bool sigcffi_dispositions_is_handled(int signum);

/* preparing.c */
SIGCFFI_HIDDEN int sigcffi_preparing_copy(int fd);
SIGCFFI_HIDDEN int sigcffi_preparing_slot(struct slot *slot);

/* attachments.c */
SIGCFFI_HIDDEN int64_t sigcffi_attachments_new_handle(int index);
SIGCFFI_HIDDEN int64_t sigcffi_attachments_attach_locked(int signum, const struct slot *what);
SIGCFFI_HIDDEN void sigcffi_attachments_detach_locked(int signum, int index);
SIGCFFI_HIDDEN bool sigcffi_attachments_is_over(int signum, int64_t flag);
SIGCFFI_HIDDEN void sigcffi_attachments_after_fork(void);

/* resume.c */
SIGCFFI_HIDDEN void sigcffi_resume_threads(int number);

/* readiness.c */
SIGCFFI_HIDDEN int sigcffi_readiness_open(struct receiver *receiver);
SIGCFFI_HIDDEN void sigcffi_readiness_close(const struct receiver *receiver);
SIGCFFI_HIDDEN void sigcffi_readiness_lower(struct receiver *receiver);
SIGCFFI_HIDDEN bool sigcffi_readiness_renew(const struct receiver *receiver);

/* receivers.c */
SIGCFFI_HIDDEN void sigcffi_receivers_after_fork(void);

/* sleep.c */
SIGCFFI_HIDDEN void sigcffi_sleep_after_fork(void);

/* deadman.c */
SIGCFFI_HIDDEN int sigcffi_deadman_start(void);
SIGCFFI_HIDDEN void sigcffi_deadman_after_fork(void);

/* deferral.c */
SIGCFFI_HIDDEN void sigcffi_deferral_after_fork(void);

/* shutdowns.c */
SIGCFFI_HIDDEN void sigcffi_shutdowns_after_fork(void);

#endif
