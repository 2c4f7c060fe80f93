/* The C half of sigcffi: everything that stands between the kernel and the interpreter.
 *
 * No Python.h: this C serves CPython's limited API and PyPy alike. The layers of its files are
 * drawn in docs/architecture.md, and checked.
 *
 * Law of handler context. Whatever the trampoline reaches may run between any two
 * instructions of any thread, also of a thread inside malloc, printf or this library. So it
 *
 *   allocates nothing         the interrupted thread may hold the allocator's lock
 *   takes no lock             the interrupted thread may hold it, and cannot let go
 *   uses no stdio, no locale  both do the two things above
 *   calls no Python           the interrupted thread may hold the GIL, or wait for it
 *   leaves errno alone        the interrupted code may be about to read it
 *   touches static memory only, through atomics, and frees nothing
 *
 * Each function says in its first comment where it may run: "handler context" (anywhere),
 * or "outside handlers" (an ordinary call; may take the lock).
 *
 * Results: zero or the value asked for; a negative errno where something failed. errno
 * itself is not used to report: between a call and the reading of errno the interpreter may
 * run a signal handler that makes calls of its own.
 *
 * Sets of signals travel as one word: see sets.h.
 */
#ifndef SIGCFFI_H
#define SIGCFFI_H

#include "sets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Actions that can be attached to one signal at a time; flags and receivers in all; shutdowns that
 * are open at once; threads that can have signals blocked because rings are full; bytes of a
 * message's text, and of its line. */
enum {
    SIGCFFI_SLOTS = 8,
    SIGCFFI_CELLS = 1024,
    SIGCFFI_SHUTDOWNS = 16,
    SIGCFFI_RECEIVERS = 63,
    SIGCFFI_THROTTLED = 256,
    SIGCFFI_TEXT = 256,
    SIGCFFI_LINE = 512, /* _POSIX_PIPE_BUF: any pipe takes it at once, or nothing of it */
};

/* The kinds of slot. */
enum {
    SIGCFFI_SLOT_EMPTY,
    SIGCFFI_SLOT_COUNTER,
    SIGCFFI_SLOT_FLAG,
    SIGCFFI_SLOT_WRITE,
    SIGCFFI_SLOT_MESSAGE,
    SIGCFFI_SLOT_FORWARD,
    SIGCFFI_SLOT_EXIT,
    SIGCFFI_SLOT_DEFAULT,
    SIGCFFI_SLOT_FORCE_QUIT,
    SIGCFFI_SLOT_SHUTDOWN,
    SIGCFFI_SLOT_RECEIVER,
    SIGCFFI_SLOT_KINDS,
};

/* What a signal does by default. */
enum {
    SIGCFFI_TERMINATES,
    SIGCFFI_DUMPS_CORE,
    SIGCFFI_IS_IGNORED,
    SIGCFFI_STOPS,
    SIGCFFI_CONTINUES,
};

/* What the kernel does with a signal, as Python sees it. */
enum {
    SIGCFFI_DEFAULT,
    SIGCFFI_IGNORED,
    SIGCFFI_PYTHON,
    SIGCFFI_FOREIGN,
    SIGCFFI_INTERPOSED, /* in addition: by the trampoline */
    SIGCFFI_USUAL = SIGCFFI_INTERPOSED * 2,
    SIGCFFI_SLOTTED = SIGCFFI_USUAL * 2
};

#define SIGCFFI_RECORD_SIZE 80 /* bytes; see ring.h */

/* ---- What Python calls, by file; those of calls/ unless it is said ---- */

/* process.c, at the top */
int sigcffi_process_start(void);
int sigcffi_process_adopt_orphans(void);

/* handler/main_thread.c, handler/retry.c */
void sigcffi_main_thread_set(unsigned long ident, int tid);
void sigcffi_retry_interpreter_spins(void);

/* handler/trampoline.c, handler/defaults.c */
unsigned sigcffi_trampoline_arrivals(void);
int sigcffi_defaults_action(int signum);

/* handler/message.c */
const char *sigcffi_message_words(int signum, int code);

/* interpreter.c */
int sigcffi_interpreter_learn(int signum);
int sigcffi_interpreter_recognise(int signum);
int sigcffi_interpreter_flags(void);

/* interpose.c */
int sigcffi_interpose_interpreter(int signum);
int sigcffi_interpose(int signum);
int sigcffi_interpose_again(int signum);
int sigcffi_interpose_withdraw(int signum);

/* dispositions.c */
int sigcffi_dispositions_query(int signum);
int sigcffi_dispositions_query_slotted(int signum);
int sigcffi_dispositions_registered(int signum);
int sigcffi_dispositions_dispatched(int signum, int flags);
int sigcffi_dispositions_save(int signum, struct sigaction *saved);
int sigcffi_dispositions_put_back(int signum, const struct sigaction *base, int interposed);
void sigcffi_dispositions_ignore(struct sigaction *base);
uint64_t sigcffi_dispositions_mask_of(const struct sigaction *action);

/* channel.c */
void sigcffi_channel_record(int signum, int on);
void sigcffi_channel_call_by_urgent(uint64_t set, int on);
void *sigcffi_channel_memory(void);
uint64_t sigcffi_channel_sequence(size_t offset);
void sigcffi_channel_has_read(void);
uint64_t sigcffi_channel_deliveries(int signum);
uint64_t sigcffi_channel_dropped(int signum);
uint64_t sigcffi_channel_offered(void);

/* attachments.c */
typedef struct {
    int64_t count;  /* how often it was taken, of force_quit how many Python has not seen; or -1 */
    int64_t missed; /* how often that came to nothing */
} sigcffi_tally;

int64_t sigcffi_attachments_attach(int signum, int kind, int number, int cell, int from,
                                   bool inherited);
int64_t sigcffi_attachments_attach_message(int signum, int fd, const char *name, const char *text,
                                           bool inherited);
sigcffi_tally sigcffi_attachments_detach(int signum, int64_t handle);
sigcffi_tally sigcffi_attachments_tally(int signum, int64_t handle);
void sigcffi_attachments_seen(uint64_t set);

/* flags.c */
int sigcffi_flags_new(void);
void sigcffi_flags_free(int cell);
int *sigcffi_flags_cell(int cell);

/* shutdowns.c */
struct sigcffi_record;
int sigcffi_shutdowns_open(int64_t grace, int64_t kill, int force);
void sigcffi_shutdowns_close(int number);
bool sigcffi_shutdowns_raise(int number, int cell, int stage, int signum);
bool sigcffi_shutdowns_first(int number, struct sigcffi_record *record);
void sigcffi_shutdowns_seen(int number);
void sigcffi_shutdowns_end_at_exit(int signum);

/* receivers.c */
int64_t sigcffi_receivers_open(void *records, uint64_t capacity, uint64_t set, bool drops,
                               bool inherited);
int64_t sigcffi_receivers_change(int64_t handle, uint64_t set);
int sigcffi_receivers_stop(int64_t handle);
void sigcffi_receivers_close(int64_t handle);
void sigcffi_receivers_stop_all(void);
int sigcffi_receivers_fd(int64_t handle, bool copy);
uint64_t *sigcffi_receivers_ring(int64_t handle);
int64_t sigcffi_receivers_count(int64_t handle);
bool sigcffi_receivers_give_back(int64_t handle, uint64_t first, uint64_t count);
uint64_t sigcffi_receivers_dropped(int64_t handle);
uint64_t sigcffi_receivers_holds_back(int64_t handle);

/* resume.c */
int sigcffi_resume_main_channel(void);

/* deferral.c */
bool sigcffi_deferral_defer(uint64_t set);
unsigned sigcffi_deferral_sections(void);
uint64_t sigcffi_deferral_set(void);
int sigcffi_deferral_lift(uint64_t set);
int sigcffi_deferral_settle(void);
void sigcffi_deferral_pend_again(int signum, unsigned times);
unsigned sigcffi_deferral_take_pending(int signum);
int sigcffi_deferral_nudge(void);

/* masks.c */
uint64_t sigcffi_masks_sigmask(int how, uint64_t set);
uint64_t sigcffi_masks_sigpending(void);
void sigcffi_masks_fork_begins(void);
void sigcffi_masks_fork_ends(void);
uint64_t sigcffi_masks_take_no_signals(void);
uint64_t sigcffi_masks_valid_signals(void);
unsigned sigcffi_masks_blocks(void);
uint64_t sigcffi_masks_block(uint64_t set);
void sigcffi_masks_unblock(uint64_t set);

/* waits.c */
unsigned sigcffi_waits_begin(void);
void sigcffi_waits_pause(unsigned arrivals);
void sigcffi_waits_sigsuspend(uint64_t set, unsigned arrivals);
int sigcffi_waits_accept(uint64_t set, int64_t nanoseconds, struct sigcffi_record *record);
int sigcffi_waits_drain(uint64_t set, struct sigcffi_record *records, int count);

/* sleep.c */
int sigcffi_sleep_until_set(int signum, int64_t flag, unsigned arrivals, int64_t nanoseconds);
int sigcffi_sleep_until_received(int64_t handle, unsigned arrivals, int64_t nanoseconds);

/* sending.c */
int sigcffi_sending_pthread_kill(unsigned long thread, int signum);
int sigcffi_sending_sigqueue(int pid, int signum, int value);
int sigcffi_sending_pthread_sigqueue(unsigned long thread, int signum, int value);
int sigcffi_sending_pidfd_send_signal(int pidfd, int signum, unsigned flags);
int sigcffi_sending_pidfd_open(int pid, bool is_thread);
int sigcffi_sending_pidfd_queue(int pidfd, int signum, int value);
int sigcffi_sending_tgkill(int pid, int tid, int signum);
int sigcffi_sending_tgqueue(int pid, int tid, int signum, int value);

/* signalfd.c */
int sigcffi_signalfd(uint64_t set, bool nonblock, bool cloexec);
void sigcffi_signalfd_decode(const void *read, struct sigcffi_record *records, size_t count);

/* strikes.c */
void sigcffi_strikes_at(int signum, long number, bool once);
long sigcffi_strikes_left(void);
void sigcffi_strikes_step(void);

/* deadman.c */
int64_t sigcffi_deadman_turn(void);
int sigcffi_deadman_end_at(int64_t turn, int64_t when);

/* timers.c */
typedef struct {
    int64_t value;    /* nanoseconds, or -1 where something failed */
    int64_t interval; /* nanoseconds, or the errno */
} sigcffi_timer;

int sigcffi_timers_tid_of(unsigned long ident);
int64_t sigcffi_timers_create(int clock, int signum, int value, int tid);
sigcffi_timer sigcffi_timers_settime(int64_t handle, int64_t value, int64_t interval,
                                     bool absolute);
sigcffi_timer sigcffi_timers_gettime(int64_t handle);
int sigcffi_timers_overrun(int64_t handle);
void sigcffi_timers_delete(int64_t handle);

/* itimers.c */
typedef struct {
    double value;    /* seconds, or NaN where something failed */
    double interval; /* seconds, or the errno */
} sigcffi_itimer;

sigcffi_itimer sigcffi_itimers_set(int which, int64_t value_ns, int64_t interval_ns);
sigcffi_itimer sigcffi_itimers_get(int which);

#endif
