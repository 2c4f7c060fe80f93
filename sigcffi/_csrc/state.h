/* The state that handlers share with the calls that change what handlers do.
 *
 * Law: static memory, reached through atomics; no pointer in it goes stale while a handler may
 * follow it. Each struct has one owner; the comment beside it says which code writes it,
 * which reads it, and what keeps the two apart. "The lock" is that of calls/lock.c, which handler
 * context never takes. Where nothing is said of an order, loads and stores are sequentially
 * consistent.
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
_Static_assert(_Alignof(struct sigcffi_record) == sizeof(uint64_t), "what _core/ffi.py sees to");

/* ---- The main channel ---- */

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

/* Python reads it as an array of 64-bit words, then records, and writes `running` and, from time to
 * time, the ring's tail, in the main thread. */
struct channel {
    /* Calls to the interpreter's handler; see SIGCFFI_ON_ITS_WAY. Written by the thread that makes
     * one (wake.c), before it makes it; read by the dispatcher. */
    _Atomic uint64_t calls[NSIG];
    /* Head: written by handlers (ring.c). Tail: by the dispatcher. */
    struct sigcffi_ring ring;
    /* No handler of these is called: the critical sections of all threads. Written by deferral.c
     * under the lock; read by handlers, see sigcffi_wake_pend(). */
    _Atomic uint64_t deferred;
    /* Nor of these, on the main thread, while Python handlers run. Written by the dispatcher in the
     * main thread; read by that thread's own handlers (relaxed: a thread sees its own stores), and
     * by the thread that waits for the dispatcher to leave (deferral.c). */
    _Atomic uint64_t running;
    /* The signals whose call to the interpreter has to be made. A bit is set by handlers and
     * cleared by the thread that makes the call, on any thread (wake.c). */
    _Atomic uint64_t pending;
    /* What threads may have blocked because the ring is full. Set by handlers (backpressure.c),
     * cleared by the dispatcher (resume.c). */
    _Atomic uint64_t backpressure;
    /* The signals that are recorded. Written by calls for Python (channel.c, dispositions.c); read
     * by handlers, one load a delivery. */
    _Atomic uint64_t recorded;
    /* The signals that have slots, or keep the trampoline as if. Written by interpose.c under the
     * lock; read by Python and by calls. */
    _Atomic uint64_t slotted;
    /* The signals for which the dispatcher is called by SIGURG. Written by calls for Python
     * (channel.c); read by the thread that makes a call (wake.c). */
    _Atomic uint64_t by_urgent;
    /* A pthread_t. Written by main_thread.c when it is learned, and in a forked child; read by
     * handlers (relaxed: a thread compares it with its own, and reads nothing else because of it).
     */
    _Atomic uint64_t main_thread;
    /* Written by the handler that has reserved the place, read by the dispatcher when the sequence
     * has been published. */
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
    SIGCFFI_WORD_BACKPRESSURE = SIGCFFI_WORD(backpressure),
    SIGCFFI_WORD_SLOTTED = SIGCFFI_WORD(slotted),
    SIGCFFI_WORD_BY_URGENT = SIGCFFI_WORD(by_urgent),
    SIGCFFI_WORD_MAIN_THREAD = SIGCFFI_WORD(main_thread),
    SIGCFFI_WORD_CALLS = SIGCFFI_WORD(calls),
    SIGCFFI_WORDS = SIGCFFI_WORD(records),
};

_Static_assert(SIGCFFI_WORD_CALLS == 0, "Python counts on a signal's number being the index");

/* ---- The trampoline ---- */

/* The trampoline is there several times, for others may put their handlers on top of it, and it may
 * be put on top of those: see calls/bases.c. */
#define SIGCFFI_LEVELS 8

/* Owner: trampoline.c, which writes it once, at the start, before there is a handler; read by
 * handlers and calls. Not atomic: it does not change. */
struct trampoline {
    uintptr_t levels[SIGCFFI_LEVELS]; /* its entry points, each a handler for the kernel to call */
    uint64_t mask;                    /* what a handler of ours blocks */
};

/* Owner: trampoline.c. Written by handlers, each a sum of its own; read by calls for Python
 * (channel.c); set to zero in a forked child, which has one thread. relaxed: nothing follows from
 * them. */
struct counts {
    _Atomic uint64_t deliveries[NSIG];
    _Atomic uint64_t dropped[NSIG]; /* neither the ring nor the kernel could hold them */
    _Atomic uint64_t began;         /* the head of the main channel when the process began */
};

/* ---- Dispositions ---- */

/* What one level of the trampoline calls for one signal. */
struct base {
    /* As an integer: SIG_DFL and SIG_IGN are not functions to be called. */
    _Atomic uintptr_t handler;
    _Atomic uint64_t mask; /* what it blocks while it runs, its own signal too */
    _Atomic bool one_shot; /* it was installed with SA_RESETHAND */
};

/* Owner: bases.c writes the bases, and interpose.c `wanted`, both under the lock; interpreter.c
 * writes `interpreter` once, when it learns it. Read by handlers. The handler of a base is stored
 * last, by a release: a handler that acquires it sees the rest. Handlers write one thing: a base
 * with SA_RESETHAND that is about to be called is replaced by the default action (trampoline.c). */
struct dispositions {
    struct base bases[SIGCFFI_LEVELS][NSIG];
    /* The signals that are to have the trampoline. Others may have one that could not be taken
     * away, because a handler stood on it: it is as if it were not there. */
    _Atomic uint64_t wanted;
    _Atomic uintptr_t interpreter; /* the interpreter's own C handler, once known */
};

/* ---- Attachments ---- */

/* One action attached to a signal. What is not atomic stays as it is while a handler may see it. */
struct slot {
    int kind;
    int number;              /* a process, a status, a receiver, how many unseen */
    int fd;                  /* to be written to, or of a process; else -1 */
    int cell;                /* a flag's, to be set or to be asked; else -1 */
    int from;                /* no sooner than the delivery of this number; which shutdown */
    bool is_socket;          /* fd */
    bool inherited;          /* a forked child has it, too */
    _Atomic bool cut_off;    /* what was written last, before its line's end */
    _Atomic bool echoes;     /* what was forwarded to this process's own group is to come back */
    int64_t handle;          /* by which its owner knows it; below it the index */
    _Atomic uint64_t count;  /* deliveries, for force_quit those that Python has not seen */
    _Atomic uint64_t missed; /* of them, those that came to nothing */
    /* What a message says: the signal's name, and its text. */
    char name[16];
    char text[SIGCFFI_TEXT + 1];
};

/* Owner: attachments.c, which writes it under the lock; read by handlers within an epoch. A slot is
 * filled in before the order names it, and taken apart when every handler that may have read the
 * former order has left its epoch. Handlers write the counts. */
struct attachments {
    /* Which slots a signal has, in the order in which they were attached: of each its index plus
     * one, four bits, the first in the lowest. One store changes it all. */
    _Atomic uint64_t order[NSIG];
    struct slot slots[NSIG][SIGCFFI_SLOTS];
    _Atomic uint64_t watched; /* signals of which is counted how many Python has not seen */
};

/* Owner: epoch.h and epoch.c. Handlers count themselves in and out of the epoch in which they came;
 * calls, under the lock, begin the next epoch and wait until a former one is empty. */
struct epoch {
    _Atomic unsigned current;
    _Atomic unsigned inside[2];
};

/* A ring whose reader is a thread or an event loop. Owner: receivers.c, which writes what is not
 * atomic under the lock; handlers read it within an epoch, as the slot that names the receiver.
 * The ring: head by handlers, tail by whichever reader's compare-and-swap succeeds. */
struct receiver {
    struct sigcffi_ring ring;
    _Atomic(struct sigcffi_record *) records;
    _Atomic uint64_t capacity;
    _Atomic uint64_t set;
    _Atomic int64_t handle; /* by which its owner knows it; 0 if it is closed */
    bool drops;             /* what the ring cannot hold; else it holds back */
    bool inherited;         /* a forked child has it, too */
    int fd, wake_fd;        /* the two ends of a pipe, or one eventfd */
    _Atomic bool raised;    /* the descriptor can be read, or is just about to be */
    uint64_t counted;       /* under the lock: every record up to here has been published */
    _Atomic uint64_t dropped;
    _Atomic uint64_t backpressure; /* what threads may have blocked because of it */
};

/* ---- Threads ---- */

/* A thread that has blocked signals because rings are full. Owner: backpressure.c. The thread's own
 * handlers take the place, by a compare-and-swap of `tid`, write it and give it back; a thread that
 * has read a ring reads all places (resume.c). */
struct throttled {
    _Atomic int tid;     /* as the kernel knows it; 0: none */
    _Atomic uint64_t by; /* which rings */
};

/* Owner: main_thread.c. `tid` is written when the main thread is learned, and in a forked child;
 * read by a thread that pokes. `blocks_pokes` is written by the main thread and its handlers; read
 * by a thread that pokes, see sigcffi_main_thread_will_mask(). */
struct main_thread {
    _Atomic int tid;           /* as the kernel knows it */
    _Atomic bool blocks_pokes; /* it has blocked SIGURG, as far as our calls know */
};

/* Owner: wake.c. Written by handlers and by calls; `delayed` is cleared under the lock
 * (deferral.c).
 */
struct wake {
    _Atomic bool called;      /* the interpreter's handler, since deferral.c last asked; relaxed */
    _Atomic uint64_t delayed; /* of what is pending, what had to wait */
};

/* Threads that sleep until something has happened, and what changes when something has. Owner:
 * eventcount.c. `sleepers` is written by threads that are going to sleep (calls/sleep.c), `events`
 * by whatever has happened, in handlers and calls; see sigcffi_eventcount_notify(). */
struct eventcount {
    _Atomic unsigned sleepers;
    _Atomic uint32_t events;
};

/* A shutdown that is open. Owner: shutdowns.c, which fills it in, under the lock, before a slot
 * names it. Its stage, how many signals have come, is in the cell of its slots. Handlers and calls
 * set the deadline, by compare-and-swap; the thread of the dead man's switch reads it (deadman.c).
 */
struct shutdown {
    bool open;                /* under the lock */
    int force;                /* how many signals beyond the second end the process; 0: none do */
    int64_t grace, kill;      /* nanoseconds; less than 0: there is none */
    _Atomic int64_t deadline; /* when the process ends, on CLOCK_MONOTONIC; 0: it does not */
    _Atomic int signum;       /* by whose default action */
    struct sigcffi_record first; /* of the signal that came first; published as in a ring */
};

/* In state.stops. */
#define SIGCFFI_STOPPING UINT32_C(0xff)

struct state {
    struct trampoline trampoline;
    struct counts counts;
    struct dispositions dispositions;
    struct attachments attachments;
    /* What flags set. Owner: flags.c, which gives cells out under the lock; written by handlers,
     * read by Python at any time. */
    _Atomic int cells[SIGCFFI_CELLS];
    struct epoch epoch;
    struct receiver receivers[SIGCFFI_RECEIVERS];
    /* The signal by which a handler is just stopping the process, in the lowest byte: its default
     * action stands in the kernel for the moment. Above, how often that was done. Owner:
     * defaults.c, whose handlers take it by a compare-and-swap; read by calls that ask the kernel
     * (kernel.c). */
    _Atomic uint32_t stops;
    struct throttled throttled[SIGCFFI_THROTTLED];
    struct main_thread main_thread;
    struct wake wake;
    struct eventcount eventcount;
    struct shutdown shutdowns[SIGCFFI_SHUTDOWNS];
    /* Changes whenever a deadline of the dead man's switch, or of a shutdown, is put forward.
     * Owner: deadman.c, whose thread sleeps on it. */
    _Atomic uint32_t deadlines;
};

extern SIGCFFI_HIDDEN struct state state;

#endif
