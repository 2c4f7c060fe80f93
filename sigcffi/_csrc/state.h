/* The state that a signal handler reads: shared by the files of handler context and those that
 * change, outside handlers, what handlers do.
 *
 * Law: static memory, reached through atomics. trampoline.c owns it and runs in handler context;
 * dispositions.c changes what says which handlers there are, attaching.c and receivers.c which
 * actions, under the lock.
 */
#ifndef SIGCFFI_STATE_H
#define SIGCFFI_STATE_H

#include "ring.h"

#include <pthread.h>
#include <stddef.h>

#define SIGCFFI_HIDDEN __attribute__((visibility("hidden")))

_Static_assert(NSIG <= 65, "a set of signals must fit in one 64-bit word");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
               "a lock in handler context is a deadlock");
_Static_assert(_Alignof(struct sigcffi_record) == sizeof(uint64_t), "what _ffi.py sees to");

/* Records that the main channel holds; a power of two. */
#define SIGCFFI_CAPACITY 1024

/* From so many records of a ring on, the kernel is asked to hold the rest. What is above has room
 * for the one signal that each thread takes before it has blocked them all. */
#define SIGCFFI_HIGH_WATER_OF(capacity) ((capacity) - (capacity) / 4)
#define SIGCFFI_HIGH_WATER SIGCFFI_HIGH_WATER_OF(SIGCFFI_CAPACITY)

/* In channel.calls, above the number of calls: how many of them other threads are just making. */
#define SIGCFFI_ON_ITS_WAY (UINT64_C(1) << 48)

/* The main channel among the rings, behind the receivers'. */
#define SIGCFFI_MAIN_CHANNEL SIGCFFI_RECEIVERS
_Static_assert(SIGCFFI_MAIN_CHANNEL < 64, "a set of rings must fit in one 64-bit word");

/* The main channel. Python reads it as an array of 64-bit words, then records; it writes `running`
 * and, from time to time, `tail`, in the main thread. */
struct channel {
    _Atomic uint64_t calls[NSIG]; /* to the interpreter's handler; see SIGCFFI_ON_ITS_WAY */
    struct sigcffi_ring ring;
    _Atomic uint64_t deferred;    /* no handler of these is called: critical sections, any thread */
    _Atomic uint64_t running;     /* the same while handlers run; matters to the main thread only */
    _Atomic uint64_t pending;     /* the signals whose call to the interpreter has to be made */
    _Atomic uint64_t pressure;    /* what threads may have blocked because the ring is full */
    _Atomic uint64_t attached;    /* the signals that are recorded */
    _Atomic uint64_t slotted;     /* the signals that have slots, or shall be kept as if */
    _Atomic uint64_t foreign;     /* the signals for which the dispatcher is called by SIGURG */
    _Atomic uint64_t main_thread; /* pthread_t: comparing it costs nothing */
    struct sigcffi_record records[SIGCFFI_CAPACITY];
};

extern SIGCFFI_HIDDEN struct channel channel;

#define SIGCFFI_WORD(member) (int)(offsetof(struct channel, member) / sizeof(uint64_t))

enum {
    SIGCFFI_WORD_HEAD = SIGCFFI_WORD(ring.head),
    SIGCFFI_WORD_TAIL = SIGCFFI_WORD(ring.tail),
    SIGCFFI_WORD_DEFERRED = SIGCFFI_WORD(deferred),
    SIGCFFI_WORD_RUNNING = SIGCFFI_WORD(running),
    SIGCFFI_WORD_PENDING = SIGCFFI_WORD(pending),
    SIGCFFI_WORD_PRESSURE = SIGCFFI_WORD(pressure),
    SIGCFFI_WORD_SLOTTED = SIGCFFI_WORD(slotted),
    SIGCFFI_WORD_FOREIGN = SIGCFFI_WORD(foreign),
    SIGCFFI_WORD_MAIN_THREAD = SIGCFFI_WORD(main_thread),
    SIGCFFI_WORD_CALLS = SIGCFFI_WORD(calls),
    SIGCFFI_WORDS = SIGCFFI_WORD(records),
};

_Static_assert(SIGCFFI_WORD_CALLS == 0, "Python counts on a signal's number being the index");

/* One action attached to a signal. What is not atomic stays as it is while a handler may see it. */
struct slot {
    int kind;
    int number;              /* a process, a status, a receiver, how many unseen */
    int fd;                  /* to be written to, or of a process; else -1 */
    int cell;                /* a flag's, to be set or to be asked; else -1 */
    int from;                /* no sooner than the delivery of this number */
    bool is_socket;          /* fd */
    _Atomic bool echoes;     /* what was forwarded to this process's own group is to come back */
    int64_t handle;          /* by which its owner knows it; below it the index */
    _Atomic uint64_t count;  /* deliveries, for force_quit those that Python has not seen */
    _Atomic uint64_t missed; /* of them, those that came to nothing */
};

/* The trampoline is there several times, for others may put their handlers on top of it, and it may
 * be put on top of those: see dispositions.c. */
#define SIGCFFI_LEVELS 8

/* In state.stops. */
#define SIGCFFI_STOPPING UINT32_C(0xff)

/* A ring whose reader is a thread or an event loop. What is not atomic is for handlers, and for who
 * has the lock. */
struct receiver {
    struct sigcffi_ring ring;
    _Atomic(struct sigcffi_record *) records;
    _Atomic uint64_t capacity;
    _Atomic uint64_t set;
    _Atomic int64_t handle; /* by which its owner knows it; 0 if it is closed */
    bool drops;             /* what the ring cannot hold; else it holds back */
    int fd, wake_fd;        /* the two ends of a pipe, or one eventfd */
    _Atomic bool raised;    /* the descriptor can be read, or is just about to be */
    uint64_t published;     /* under the lock: up to here it is known that no record lacks */
    _Atomic uint64_t dropped;
    _Atomic uint64_t pressure; /* what threads may have blocked because of it */
};

/* A thread that has blocked signals because rings are full, as the kernel knows it; 0: none. */
struct pressed {
    _Atomic int tid;
    _Atomic uint64_t by; /* which rings */
};

/* What one level of the trampoline calls for one signal. */
struct base {
    /* As an integer: SIG_DFL and SIG_IGN are not functions to be called. */
    _Atomic uintptr_t handler;
    _Atomic uint64_t mask; /* what it blocks while it runs, its own signal too */
    _Atomic bool one_shot; /* it was installed with SA_RESETHAND */
};

struct state {
    struct base bases[SIGCFFI_LEVELS][NSIG];
    /* The signals that are to have the trampoline. Others may have one that could not be taken
     * away, because a handler stood on it: it is as if it were not there. */
    _Atomic uint64_t wanted;
    _Atomic uintptr_t interpreter; /* the interpreter's own C handler, once known */

    /* Which slots a signal has, in the order in which they were attached: of each its index plus
     * one, four bits, the first in the lowest. One store changes it all. */
    _Atomic uint64_t order[NSIG];
    struct slot slots[NSIG][SIGCFFI_SLOTS];
    _Atomic int cells[SIGCFFI_CELLS]; /* what flags set */
    struct receiver receivers[SIGCFFI_RECEIVERS];
    _Atomic uint64_t watched; /* signals of which is counted how many Python has not seen */

    /* Handlers that may see slots, by the phase in which they came; see wait_for_handlers().
     */
    _Atomic unsigned phase;
    _Atomic unsigned inside[2];

    /* The signal by which a handler is just stopping the process, in the lowest byte: its default
     * action stands in the kernel for the moment. Above, how often that was done. */
    _Atomic uint32_t stops;

    struct pressed pressed[SIGCFFI_PRESSED];

    /* Threads that sleep until something has happened, and what changes when something has. */
    _Atomic unsigned sleepers;
    _Atomic uint32_t events;

    _Atomic uint64_t deliveries[NSIG];
    _Atomic uint64_t dropped[NSIG]; /* neither the ring nor the kernel could hold them */
    _Atomic uint64_t began;         /* the head of the main channel when the process began */
    _Atomic bool called;            /* the interpreter's handler, since somebody looked */

    _Atomic int main_tid;           /* the main thread as the kernel knows it */
    _Atomic uint64_t held;          /* of what is pending, what had to wait */
    _Atomic bool main_blocks_pokes; /* it has blocked SIGURG, as far as our calls know */

    /* Set once, at the start. */
    uint64_t trampoline_mask; /* what a handler of ours blocks */
};

extern SIGCFFI_HIDDEN struct state state;

/* trampoline.c: its levels, handler context, each a handler for the kernel to call */
typedef void sigcffi_entry(int signum, siginfo_t *info, void *context);
extern SIGCFFI_HIDDEN sigcffi_entry *const sigcffi_levels[SIGCFFI_LEVELS];
SIGCFFI_HIDDEN uintptr_t sigcffi_own_return(void);
SIGCFFI_HIDDEN int sigcffi_level_of(uintptr_t handler);
SIGCFFI_HIDDEN uintptr_t sigcffi_beneath(int signum, uintptr_t handler);

/* slots.c, handler context */
SIGCFFI_HIDDEN void sigcffi_act(int signum, const siginfo_t *info);
SIGCFFI_HIDDEN void sigcffi_receive(int signum, const siginfo_t *info, void *context);
SIGCFFI_HIDDEN void sigcffi_raise_descriptor(struct receiver *receiver);
SIGCFFI_HIDDEN void sigcffi_something_happened(void);
SIGCFFI_HIDDEN void sigcffi_ask_for_notice(int signum);
SIGCFFI_HIDDEN void sigcffi_take_default(int signum);

/* pressure.c, handler context */
SIGCFFI_HIDDEN bool sigcffi_is_high(int number);
SIGCFFI_HIDDEN _Atomic uint64_t *sigcffi_pressure_of(int number);
SIGCFFI_HIDDEN int sigcffi_place(void);
SIGCFFI_HIDDEN void sigcffi_press(int number, int signum, void *context);
SIGCFFI_HIDDEN void sigcffi_refuse_terminal(int signum, const siginfo_t *info);
SIGCFFI_HIDDEN void sigcffi_refuse_no_more(void);
SIGCFFI_HIDDEN void sigcffi_relax(int signum, void *context);

/* pressure.c, outside handlers */
SIGCFFI_HIDDEN void sigcffi_ease(void);
SIGCFFI_HIDDEN uint64_t sigcffi_pressure_after_fork(uint64_t mask);

/* relief.c, outside handlers */
SIGCFFI_HIDDEN void sigcffi_release(int number);

/* attaching.c, outside handlers */
SIGCFFI_HIDDEN bool sigcffi_is_over(int signum, int64_t flag);
SIGCFFI_HIDDEN void sigcffi_wait_a_little(int tries);
SIGCFFI_HIDDEN sigset_t sigcffi_begin_change(void);
SIGCFFI_HIDDEN void sigcffi_end_change(const sigset_t *former);
SIGCFFI_HIDDEN int64_t sigcffi_new_handle(int index);
SIGCFFI_HIDDEN int64_t sigcffi_attach_locked(int signum, const struct slot *what);
SIGCFFI_HIDDEN void sigcffi_detach_locked(int signum, int index);
SIGCFFI_HIDDEN void sigcffi_keep_interposed(int signum);
SIGCFFI_HIDDEN void sigcffi_slots_after_fork(void);

/* receivers.c, sleeping.c, outside handlers */
SIGCFFI_HIDDEN void sigcffi_receivers_after_fork(void);
SIGCFFI_HIDDEN void sigcffi_sleepers_after_fork(void);

/* deadman.c, outside handlers */
SIGCFFI_HIDDEN void sigcffi_deadman_after_fork(void);

/* posix_timers.c, outside handlers */
SIGCFFI_HIDDEN void sigcffi_timers_after_fork(void);

/* dispositions.c, outside handlers */
SIGCFFI_HIDDEN int sigcffi_interpose_locked(int signum);
SIGCFFI_HIDDEN void sigcffi_withdraw_unneeded(int signum);
SIGCFFI_HIDDEN bool sigcffi_is_handled(int signum);
SIGCFFI_HIDDEN void sigcffi_take_lock(void);
SIGCFFI_HIDDEN void sigcffi_release_lock(void);
SIGCFFI_HIDDEN void sigcffi_sections_after_fork(void);

/* handler context */
static inline bool sigcffi_is_function(uintptr_t handler)
{
    return handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
}

/* handler context */
static inline uintptr_t sigcffi_handler_of(const struct sigaction *action)
{
    /* sa_handler and sa_sigaction share their storage on every platform that has both. */
    return (uintptr_t)action->sa_handler;
}

/* Outside handlers */
static inline bool sigcffi_is_signal(int signum)
{
    return signum >= 1 && signum < NSIG;
}

#endif
