/* Waking: how a call to the interpreter's handler gets to the main thread, and none is forgotten.
 *
 * Law: level-triggered. `channel.pending` has a bit for each signal whose call has not been made.
 * The bit is set before anybody is woken, and cleared only by the thread that then makes the call;
 * deferral, delivery on another thread and a handler that keeps the signal out are one thing: the
 * bit stays until nothing forbids the call.
 *
 * A poke is the one way to wake a thread: SIGURG, marked. It says nothing but "look around", and
 * every SIGURG, marked or not, says that much; so a poke that is lost, doubled, stripped of its
 * mark or sent by a stranger does no harm, and one that meets the default action is ignored.
 *
 * The calls are level-triggered too: several deliveries may lead to one. What each carried is in
 * the ring.
 *
 * A foreign handler that has the delivery first may call the interpreter's handler itself; that
 * call would merge with ours, and nobody could tell whether it had. So for such a signal
 * (`by_urgent`) ours is made as SIGURG, for which the interpreter runs the dispatcher, too; what
 * comes as the signal is the foreign handler's.
 *
 * The numbers are those of the steps in tests/models/wake.pml.
 *
 * Rejected: calling the interpreter's handler on whichever thread the kernel chose. It marks the
 * signal, but the main thread's blocking call is not interrupted, and CPython before 3.13 may not
 * look at the mark until its main thread next takes the GIL. Waking the main thread with the
 * program's own signal: it ends a program that has just given the signal its default action.
 * Counting the calls: what is counted can be spent by the wrong one.
 */
#include "handler.h"

/* ---- Pokes ---- */

#if SIGCFFI_HAS_TGSIGQUEUE
/* A poke carries the address of this variable, which no other program can know, and where
 * sigqueue(3) sends 0 an errno that does not exist: an address of 32 bits is a number that a
 * program may come to send. */
static const char poke_mark;
enum { POKE_ERRNO = -1 };
#endif

/* handler context, or outside handlers. Have a thread look around; whether the kernel took it.
 * Where a signal for one thread cannot carry a mark only the main thread is poked. */
bool sigcffi_wake_poke(int tid)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    siginfo_t poke;
    memset(&poke, 0, sizeof poke);
    poke.si_signo = SIGURG;
    /* The one code that the kernel lets a process send to its other threads as it likes. */
    poke.si_code = SI_QUEUE;
    poke.si_errno = POKE_ERRNO;
    /* getpid() is asked, not remembered: a raw fork that ran no atfork handler must not
     * send to its parent. There the call fails, and the caller does without. */
    poke.si_pid = getpid();
    poke.si_uid = getuid();
    poke.si_value.sival_ptr = (void *)(uintptr_t)&poke_mark;
    if (syscall(SYS_rt_tgsigqueueinfo, poke.si_pid, tid, SIGURG, &poke) == 0) return true;
    /* A filter of system calls may refuse that one. A poke without its mark says as much, and is
     * counted as a SIGURG like any other. */
    return errno != ESRCH && syscall(SYS_tgkill, poke.si_pid, tid, SIGURG) == 0;
#else
    (void)tid;
    return pthread_kill((pthread_t)atomic_load_explicit(&channel.main_thread, memory_order_relaxed),
                        SIGURG) == 0;
#endif
}

/* handler context. Whether this arrival is a poke and no delivery. Where the kernel has no memory
 * for the mark it comes without, and is a SIGURG like any other. */
bool sigcffi_wake_is_poke(int signum, const siginfo_t *info)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    return signum == SIGURG && info != NULL && info->si_code == SI_QUEUE &&
           info->si_errno == POKE_ERRNO && info->si_value.sival_ptr == &poke_mark;
#else
    (void)signum;
    (void)info;
    return false;
#endif
}

/* handler context, or outside handlers. Whether the kernel has the trampoline for a signal, and not
 * what somebody has put in its place. */
static bool is_interposed(int signum)
{
    struct sigaction now;
    return sigaction(signum, NULL, &now) == 0 && sigcffi_levels_find(sigcffi_handler_of(&now)) >= 0;
}

/* handler context, or outside handlers. Have the main thread look around; false if another handler
 * than the trampoline stands there. Asked before, so that handler is not bothered, and after, since
 * one that has just been put there may have had the poke, or the kernel have discarded it. */
static bool poke_main(void)
{
    return is_interposed(SIGURG) && sigcffi_wake_poke(atomic_load(&state.main_thread.tid)) &&
           is_interposed(SIGURG);
}

/* ---- Calls ---- */

/* handler context, or outside handlers. What the handlers that run on the main thread keep out; the
 * dispatcher sees to it for the signals that are recorded. */
static uint64_t kept_out(void)
{
    return atomic_load_explicit(&channel.running, memory_order_relaxed) &
           ~atomic_load_explicit(&channel.recorded, memory_order_relaxed);
}

/* handler context, or outside handlers. The signals whose calls have to wait. */
uint64_t sigcffi_wake_forbidden(void)
{
    uint64_t set = atomic_load(&channel.deferred);
    if (sigcffi_main_thread_is_current()) set |= kept_out();
    return set;
}

/* handler context, or outside handlers. Call the interpreter's handler. */
static void trip(int signum, void *context)
{
    /* Actors: this thread, and the dispatcher, which tells by the count the calls that C makes from
     * those that the interpreter makes by itself. The bad interleaving: the interpreter runs the
     * dispatcher before the call is counted, or, where this is another thread, the dispatcher sees
     * a call counted that has not been made. It is forbidden by counting before the call, and by
     * saying until behind it that it is on its way. */
    bool main = sigcffi_main_thread_is_current();
    uint64_t on_its_way = main ? 0 : SIGCFFI_ON_ITS_WAY;
    int called = atomic_load(&channel.by_urgent) & sigcffi_bit(signum) ? SIGURG : signum;
    atomic_store_explicit(&state.wake.called, true, memory_order_relaxed);
    atomic_fetch_add(&channel.calls[called], 1 + on_its_way);
    sigcffi_handler_call_interpreter(called);
    if (!main) atomic_fetch_sub(&channel.calls[called], on_its_way);
    sigcffi_retry_later(context);
    if (atomic_load(&state.attachments.watched) & sigcffi_bit(signum)) sigcffi_notice_ask(signum);
}

/* handler context, or outside handlers. Make the calls in `set` that are pending and that nothing
 * forbids. The thread that clears a bit makes the call; a thread that finds it cleared does not. */
static void make_calls(uint64_t set, void *context)
{
    uint64_t due;
    while ((due = atomic_load(&channel.pending) & set & ~sigcffi_wake_forbidden()) != 0) { /* 7 */
        int signum = __builtin_ctzll(due) + 1;
        uint64_t bit = sigcffi_bit(signum);
        if (atomic_fetch_and(&channel.pending, ~bit) & bit) /* 8 */
            trip(signum, context);                          /* 9 */
    }
}

/* handler context, or outside handlers. A signal by which the interpreter calls the dispatcher; 0
 * if there is none. Where somebody has installed a handler without us the signal may still be
 * recorded, but the trampoline is gone, and the call would come to that handler, out of nothing. */
int sigcffi_wake_dispatchers_signal(void)
{
    for (uint64_t set = atomic_load(&channel.recorded); set != 0; set &= set - 1) {
        int signum = __builtin_ctzll(set) + 1;
        if (is_interposed(signum)) return signum;
    }
    return 0;
}

/* handler context, or outside handlers; the main thread. Make the calls that are pending. */
void sigcffi_wake_look_around(void *context)
{
    if (!sigcffi_main_thread_is_current()) return;
    make_calls(UINT64_MAX, context);
    sigcffi_retry_take_over(context);
    /* What only a handler keeps out: the dispatcher sees whether that handler is still there,
     * wherever the signal came from. Not what another thread has made pending since: that thread
     * wakes us. */
    if ((atomic_load(&channel.pending) & kept_out() & ~atomic_load(&channel.deferred)) == 0) return;
    int signum = sigcffi_wake_dispatchers_signal();
    if (signum != 0) trip(signum, context);
}

/* handler context, or outside handlers. The calls in `set` are pending, and nothing may forbid them
 * any longer: the main thread makes them, or, where a poke would not reach it, this thread, as the
 * interpreter alone would. A main thread that has blocked SIGURG, as far as we know, is poked
 * behind the call: what we know of its mask may be old, and the poke then ends the system call in
 * which it waits. Before the call it would end that for nothing. */
void sigcffi_wake_main(uint64_t set)
{
    bool main = sigcffi_main_thread_is_current();
    if (main || atomic_load(&state.main_thread.blocks_pokes)) make_calls(set, NULL); /* 5 */
    if (!main && !poke_main()) make_calls(set, NULL);                                /* 6 */
}

/* handler context. A call to the interpreter's handler is due.
 *
 * Actors: this handler, which sets its bit of `pending` (2) and then reads `deferred` (3); a thread
 * that lifts a deferral, which clears `deferred` and then reads `pending` (sigcffi_deferral_lift).
 * The bad interleaving: the handler finds its signal deferred and leaves the bit to the other,
 * which has found nothing pending; the signal waits for ever. It is forbidden by sequential
 * consistency: each stores its own word before it loads the other's. */
void sigcffi_wake_pend(int signum, void *context)
{
    uint64_t bit = sigcffi_bit(signum);
    bool main = sigcffi_main_thread_is_current();
    if (main && /* 1 */
        !((sigcffi_wake_forbidden() |
           atomic_load_explicit(&channel.pending, memory_order_relaxed)) &
          bit)) {
        trip(signum, context); /* what the following comes to in the common case */
        return;
    }
    atomic_fetch_or(&channel.pending, bit);  /* 2 */
    if (!(sigcffi_wake_forbidden() & bit)) { /* 3 */
        sigcffi_wake_main(bit);
        return;
    }
    /* 4. The bit stays until nothing forbids the call. On the main thread,
     * sigcffi_wake_look_around() comes next, and asks the dispatcher. */
    atomic_fetch_or(&state.wake.delayed, bit);
}

/* Outside handlers; lock held, in a forked child: what its parent received is the parent's. */
void sigcffi_wake_after_fork(void)
{
    atomic_store(&channel.pending, 0);
    atomic_store(&state.wake.delayed, 0);
}
