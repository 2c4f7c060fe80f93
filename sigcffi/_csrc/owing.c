/* Owing: how a call to the interpreter's handler gets to the main thread, and no call gets lost.
 *
 * Law: a call that is due is first written down in `owed` and then settled. Settling takes the
 * whole sum at once, so whoever comes first settles for all and a late-comer finds nothing: no call
 * is made twice, none is forgotten. Three different things reduce to this one: a delivery on the
 * main thread (owe, settle), a delivery on another thread (owe, send the main thread a note; the
 * note settles) and a deferred signal (owe; lifting the deferral settles).
 *
 * Rejected: calling the interpreter's handler on whichever thread the kernel chose. It marks
 * the signal, but the main thread's blocking call is not interrupted, and CPython 3.11 and 3.12
 * may not look at the mark until its main thread next takes the GIL.
 */
#include "owing.h"

#include <fcntl.h>
#include <sched.h>

/* ---- The main thread ---- */

/* handler context */
bool sigcffi_on_main_thread(void)
{
    return (uintptr_t)pthread_self() ==
           atomic_load_explicit(&channel.main_thread, memory_order_relaxed);
}

#if SIGCFFI_HAS_PROC_STATUS
/* handler context. The mask of the main thread: the kernel offers no other way to read another
 * thread's mask. 0 if it cannot be told. */
static uint64_t main_mask(void)
{
    static const char head[] = "/proc/self/task/", tail[] = "/status", label[] = "\nSigBlk:\t";
    char path[sizeof head + 10 + sizeof tail], digits[10];
    char *end = path + sizeof head - 1;
    int tid = atomic_load_explicit(&state.main_tid, memory_order_relaxed), count = 0;
    do digits[count++] = (char)('0' + tid % 10);
    while ((tid /= 10) > 0);
    memcpy(path, head, sizeof head - 1);
    while (count > 0) *end++ = digits[--count];
    memcpy(end, tail, sizeof tail);

    uint64_t mask = 0;
    /* Bare system calls: open(), read() and close() are cancellation points, and a thread
     * that is cancelled here leaves a call owed that nobody makes. */
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char chunk[512];
    const char *next = label; /* what the text must go on with */
    bool done = false;
    for (ssize_t got; !done && (got = syscall(SYS_read, fd, chunk, sizeof chunk)) > 0;)
        for (ssize_t i = 0; i < got && !done; i++) {
            char c = chunk[i];
            if (*next != 0) {
                next = c == *next ? next + 1 : c == *label ? label + 1 : label;
            } else {
                done = c == '\n';
                if (!done) mask = mask << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    syscall(SYS_close, fd);
    return mask;
}

/* handler context. Whether the main thread has blocked `signum`, and not for an instant only.
 *
 * Who blocks every signal mostly does so for the length of a few instructions: the trampoline
 * itself, the lock's holder, fork, and inside the C library pthread_kill(), pthread_create(),
 * posix_spawn(). Were that taken for the main thread's will, it would go to sleep right
 * afterwards without having been interrupted. */
bool sigcffi_main_thread_blocks(int signum)
{
    for (int tries = 0; tries < 16; tries++) {
        if (atomic_load(&state.main_inside)) return false;
        uint64_t mask = main_mask();
        if (!(mask & sigcffi_bit(signum))) return false;
        if (~mask & state.trampoline_mask) return true;
        uint64_t promised = atomic_load(&state.main_mask_promised);
        if (promised != 0) return (promised & sigcffi_bit(signum)) != 0;
        sched_yield();
    }
    return true;
}
#else
bool sigcffi_main_thread_blocks(int signum)
{
    (void)signum;
    return false;
}
#endif

/* handler context. The same, and not because a ring is full, of which it will be told. */
static bool main_thread_refuses(int signum)
{
    uint64_t bit = sigcffi_bit(signum);
    /* Asked again: a ring may have become full meanwhile. */
    return !(atomic_load(&state.main_pressed) & bit) && sigcffi_main_thread_blocks(signum) &&
           !(atomic_load(&state.main_pressed) & bit);
}

/* ---- Notes ---- */

#if SIGCFFI_HAS_TGSIGQUEUE
/* A note carries the address of this variable, which no other program can know, and where
 * sigqueue(3) sends 0 an errno that does not exist: an address of 32 bits is a number that a
 * program may come to send. */
static const char note_mark;
enum { NOTE_ERRNO = -1 };
#endif

/* handler context, or outside handlers. Interrupt a thread, as a rule the main thread (`tid` 0),
 * with `signum`; whether the kernel took it. */
bool sigcffi_send_note(int tid, int signum)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    siginfo_t note;
    memset(&note, 0, sizeof note);
    note.si_signo = signum;
    /* The one code that the kernel lets a process send to its other threads as it likes. */
    note.si_code = SI_QUEUE;
    note.si_errno = NOTE_ERRNO;
    /* getpid() is asked, not remembered: a raw fork that ran no atfork handler must not
     * send to its parent. There the call fails and the caller settles on the spot. */
    note.si_pid = getpid();
    note.si_uid = getuid();
    note.si_value.sival_ptr = (void *)(uintptr_t)&note_mark;
    return syscall(SYS_rt_tgsigqueueinfo, note.si_pid,
                   tid != 0 ? tid : atomic_load(&state.main_tid), signum, &note) == 0;
#else
    (void)tid;
    return pthread_kill((pthread_t)atomic_load_explicit(&channel.main_thread, memory_order_relaxed),
                        signum) == 0;
#endif
}

/* handler context. Whether this arrival is a note, and no delivery. */
bool sigcffi_is_note(int signum, const siginfo_t *info)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    if (info->si_code == SI_QUEUE)
        return info->si_errno == NOTE_ERRNO && info->si_value.sival_ptr == &note_mark;
    /* When RLIMIT_SIGPENDING is used up the kernel still delivers a standard signal, but
     * bare of its siginfo: SI_USER, process 0. If something is owed, or this thread may be told
     * that it can go on, it is our note; else somebody else's signal. */
    bool bare = info->si_code == SI_USER && info->si_pid == 0;
#else
    (void)info;
    bool bare = true;
#endif
    if (!bare) return false;
    return (sigcffi_on_main_thread() && atomic_load(&state.owed[signum]) != 0) ||
           (signum == SIGURG && sigcffi_expects_notes());
}

/* handler context, or outside handlers. Interrupt the main thread, so that it makes the calls that
 * are owed for `signum`; false if it cannot be told, or is about to give the signal its default
 * action, with which a note would meet.
 *
 * Sequentially consistent: this counts itself and then looks at `quiet`, while sigcffi_quiet sets
 * that and then waits for those that have counted themselves. */
bool sigcffi_note_main(int signum)
{
    atomic_fetch_add(&state.noting[signum], 1);
    bool sent = !(atomic_load(&state.quiet) & sigcffi_bit(signum)) && sigcffi_send_note(0, signum);
    atomic_fetch_sub(&state.noting[signum], 1);
    return sent;
}

/* ---- Owing and settling ---- */

/* handler context. Whether calls for this signal have to wait. `running` is written and read by
 * the main thread only: it says what the handlers that run there keep out. */
bool sigcffi_is_held(int signum)
{
    uint64_t held = atomic_load(&channel.deferred);
    if (sigcffi_on_main_thread())
        held |= atomic_load_explicit(&channel.running, memory_order_relaxed);
    return (held & sigcffi_bit(signum)) != 0;
}

/* handler context. Note that calls for this signal wait; false if they need not any more: who
 * lifted the deferral in between has read `held_back` too early. */
static bool hold_back(int signum)
{
    atomic_fetch_or(&channel.held_back, sigcffi_bit(signum));
    atomic_fetch_add(&channel.news, 1);
    return sigcffi_is_held(signum);
}

/* handler context, or outside handlers. Call the interpreter's handler. */
static void trip(int signum, siginfo_t *info, void *context)
{
    if (sigcffi_on_main_thread()) {
        /* Before the call: who runs because of it finds the news. */
        uint64_t number = atomic_fetch_add_explicit(&channel.news, 1, memory_order_relaxed) + 1;
        atomic_store_explicit(&channel.trips[signum], number, memory_order_relaxed);
    } else {
        /* Told before and after: the main thread may run at any point in between, and must not take
         * what the call leads to for something else. */
        atomic_fetch_add(&channel.begun[signum], 1);
    }
    atomic_store_explicit(&state.called, true, memory_order_relaxed);
    sigcffi_call(atomic_load_explicit(&state.interpreter, memory_order_relaxed), signum, info,
                 context);
    if (sigcffi_on_main_thread())
        sigcffi_poke_later(context);
    else
        atomic_fetch_add(&channel.made[signum], 1);
    if (atomic_load(&state.watched) & sigcffi_bit(signum))
        sigcffi_ask_for_notice(signum, info, context);
}

/* handler context, or outside handlers. Make every call to the interpreter's handler that is
 * owed for `signum`, unless it has to wait. */
void sigcffi_settle(int signum, siginfo_t *info, void *context)
{
    if (sigcffi_is_held(signum) && hold_back(signum)) return;
    uint32_t due = atomic_exchange(&state.owed[signum], 0);
    /* One call for each delivery: the interpreter writes a byte to the wakeup fd for each. */
    for (; due > 0; due--) trip(signum, info, context);
}

/* handler context. One more call to the interpreter's handler is due.
 *
 * `held_back` and `deferred` are sequentially consistent, the default: a delivery that is held adds
 * to `owed`, then to `held_back`, and then reads `deferred` again, while sigcffi_lift clears
 * `deferred` and then reads `held_back`, then `owed`. Were a store allowed to pass a load, both
 * could read the old value and the signal would wait for ever. */
void sigcffi_owe(int signum, siginfo_t *info, void *context)
{
    if (sigcffi_on_main_thread() && !sigcffi_is_held(signum) &&
        atomic_load_explicit(&state.owed[signum], memory_order_relaxed) == 0) {
        trip(signum, info, context); /* what the following comes to in the common case */
        return;
    }
    /* Looked up first: it takes long, and between owing and sending the note somebody else may
     * settle, and a handler that has run then may give the signal back to its default action.
     * Where the main thread has blocked the signal because the ring is full, it will let it in. */
    uint64_t bit = sigcffi_bit(signum);
    bool here = sigcffi_on_main_thread() ||
                (!(atomic_load(&channel.deferred) & bit) && main_thread_refuses(signum));
    atomic_fetch_add(&state.owed[signum], 1);
    if ((atomic_load(&channel.deferred) & bit) && hold_back(signum)) return;
    /* A note for each: one that a sigwait() in the main thread swallowed must not be the last.
     * Where none can be sent, because the main thread has blocked the signal or the queue is
     * used up, settle here: what the interpreter alone would have done. */
    if (here || !sigcffi_note_main(signum)) sigcffi_settle(signum, info, context);
}

/* Outside handlers. A wait has accepted a signal without a handler. If that was a note, it is none
 * of the caller's: settle, and true. */
bool sigcffi_was_note(int signum, siginfo_t *info)
{
    bool note = sigcffi_is_note(signum, info);
    sigcffi_ease(); /* as after a handler; also where a note has merged with what was accepted */
    if (!note) return false;
    sigcffi_settle(signum, info, NULL);
    return true;
}
