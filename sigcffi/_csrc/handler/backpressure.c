/* Back-pressure: a ring that is filling up leaves its signals with the kernel, which keeps them in
 * order. And whatever else a thread has blocked for a while without its owner's knowledge.
 *
 * Law: a thread can block signals for itself alone, in the context that its handler returns to, and
 * it alone can let them in again. So a thread that has done that is listed as throttled, with the
 * rings because of which, and poked when there is room (calls/resume.c). For as long as it is
 * listed it takes pokes: where its owner has blocked SIGURG that is let in. So the thread's mask is
 * not the one that its owner has chosen, and calls that tell or change a mask speak of the owner's.
 *
 * The numbers are those of the steps in tests/models/backpressure.pml; 1 is the reserving of a
 * place (ring.c), 7 the reader's store of the tail.
 *
 * Rejected: passing a signal on to the thread that reads, with all that it carries. Where the
 * kernel's queue is full that cannot be done, and waiting for it, in a handler, keeps the
 * interrupted code from letting go of what the reader waits for.
 */
#include "handler.h"

/* This thread's place in the list plus one. Atomic, since handlers of this thread change it between
 * any two steps of its ordinary calls. */
static SIGCFFI_THREAD_LOCAL _Atomic short place;

/* The signal by which this thread was just refused the terminal; 0: none. */
static SIGCFFI_THREAD_LOCAL _Atomic short refused;

static const uint64_t urgent = UINT64_C(1) << (SIGURG - 1);

/* ---- Rings, by number: a receiver's, or SIGCFFI_MAIN_CHANNEL ---- */

/* handler context. Whether it is filling up. */
bool sigcffi_backpressure_is_high(int number)
{
    bool main = number == SIGCFFI_MAIN_CHANNEL;
    const struct sigcffi_ring *ring = main ? &channel.ring : &state.receivers[number].ring;
    uint64_t capacity = main ? SIGCFFI_CAPACITY : atomic_load(&state.receivers[number].capacity);
    /* The tail first: it could pass the head as it was. */
    uint64_t tail = atomic_load(&ring->tail);
    return atomic_load(&ring->head) - tail >= SIGCFFI_HIGH_WATER_OF(capacity);
}

/* handler context. Which signals can be left with the kernel. Not the signals of faults, which our
 * handlers do not block: they may interrupt a handler that is just doing what follows, and a real
 * fault that is blocked ends the process unseen. Nor SIGURG, by which threads are poked to go on.
 */
static uint64_t can_be_held_back(void)
{
    return state.trampoline.mask & ~sigcffi_bit(SIGURG);
}

/* handler context. The signals that a ring takes, and that can be left with the kernel. */
static uint64_t signals_of(int number)
{
    uint64_t set = number == SIGCFFI_MAIN_CHANNEL ? atomic_load(&channel.recorded)
                                                  : atomic_load(&state.receivers[number].set);
    return set & can_be_held_back();
}

/* handler context. The word by which its reader knows that threads may have to be poked. */
_Atomic uint64_t *sigcffi_backpressure_of(int number)
{
    return number == SIGCFFI_MAIN_CHANNEL ? &channel.backpressure
                                          : &state.receivers[number].backpressure;
}

/* ---- The list ---- */

/* handler context. Where in the list this thread is, plus one; 0 if it is not there. */
int sigcffi_backpressure_place(void)
{
    return atomic_load(&place);
}

/* handler context. Whether there is no such thread any more. */
static bool has_ended(int tid)
{
#if SIGCFFI_HAS_TGSIGQUEUE
    return syscall(SYS_tgkill, getpid(), tid, 0) != 0 && errno == ESRCH;
#else
    (void)tid;
    return false;
#endif
}

/* handler context. A place in the list, now this thread's; null if there is none. Threads end
 * without giving their places back; such a place is looked for only where no other is left, since
 * that takes a system call for each. */
static struct throttled *free_place(int tid)
{
    for (int look_closely = 0; look_closely < 2; look_closely++)
        for (int index = 0; index < SIGCFFI_THROTTLED; index++) {
            struct throttled *thread = &state.throttled[index];
            int owner = atomic_load(&thread->tid);
            if (owner != 0 && !(look_closely && has_ended(owner))) continue;
            if (atomic_compare_exchange_strong(&thread->tid, &owner, tid)) return thread;
        }
    return NULL;
}

/* handler context. This thread in the list; null if there are too many, or no poke could reach this
 * thread. */
static struct throttled *listed(void)
{
    int index = atomic_load(&place) - 1;
    if (index >= 0) return &state.throttled[index];
#if SIGCFFI_HAS_TGSIGQUEUE
    int tid = (int)syscall(SYS_gettid);
#else
    int tid = 1;
    if (!sigcffi_main_thread_is_current()) return NULL;
#endif
    struct throttled *thread = free_place(tid);
    if (thread == NULL) return NULL;
    atomic_store(&thread->by, 0);
    short none = 0;
    if (atomic_compare_exchange_strong(&place, &none, (short)(thread - state.throttled + 1)))
        return thread;
    /* A handler of this thread has come in between and taken a place: that can happen where a
     * handler of others has called the trampoline. */
    atomic_store(&thread->tid, 0);
    return &state.throttled[none - 1];
}

/* handler context. A ring is filling up by a signal: this thread is listed for the ring, until that
 * has been read. What the thread then blocks is decided when the handler returns. */
void sigcffi_backpressure_apply(int number, int signum, void *context)
{
    /* Without a context the trampoline was called by somebody else's handler. */
    if (context == NULL || !(can_be_held_back() & sigcffi_bit(signum))) return;
    uint64_t owners = sigcffi_owner_mask(sigcffi_word_of(&((ucontext_t *)context)->uc_sigmask));
    struct throttled *thread = (signals_of(number) & ~owners) != 0 ? listed() : NULL;
    if (thread != NULL) atomic_fetch_or(&thread->by, UINT64_C(1) << number); /* 2 */
}

/* ---- The terminal ---- */

/* handler context. A signal has come that nobody handles. If by it the kernel refuses the terminal
 * to a job in the background, then this thread's call is begun anew when the handler returns, and
 * would be refused anew, for ever. Where the signal is ignored, and also where the thread has it
 * blocked, the kernel does not send it: the call succeeds, or fails. So it is blocked then, until
 * this thread takes the next signal, or makes a call of ours that asks for what has come.
 *
 * No sooner, since nothing tells when the call is over: a poke would end it. */
void sigcffi_backpressure_refuse_terminal(int signum, const siginfo_t *info)
{
    if (signum != SIGTTOU && signum != SIGTTIN) return;
    bool sent = sigcffi_ring_fields_of(signum, info->si_code, info->si_pid) & SIGCFFI_FIELD_PID;
    if (!sent) atomic_store_explicit(&refused, (short)signum, memory_order_relaxed);
}

/* handler context. The job was stopped by the signal, as is usual, and now has the terminal, or
 * will be stopped again. */
void sigcffi_backpressure_refuse_no_more(void)
{
    atomic_store_explicit(&refused, 0, memory_order_relaxed);
}

/* ---- Masks ---- */

/* handler context, or outside handlers with every signal blocked. What rings hold back in this
 * thread, beside what its owner has blocked; if that is nothing it is not listed any more.
 *
 * Actors: this thread, which says what it blocks (4) and then looks at the ring once more (5); the
 * reader, which gives back (7) and then looks which threads have said so (8). The bad interleaving:
 * the thread finds the ring full and stays as it is, the reader finds that nobody has said so, and
 * nobody pokes the thread. It is forbidden by sequential consistency: each stores its own word
 * before it loads the other's. (Python's reader of the main channel has no barrier, but makes many
 * more stores in between than a processor can put off.)
 *
 * The thread looks for itself also when it was poked: others may have filled the ring again
 * meanwhile, and each thread that went on without looking would bring one signal more than there is
 * room for. */
static uint64_t held_back(uint64_t owners)
{
    int index = atomic_load(&place) - 1;
    if (index < 0) return 0;
    struct throttled *thread = &state.throttled[index];
    uint64_t held = 0;
    for (uint64_t by = atomic_load(&thread->by); by != 0; by &= by - 1) {
        int number = __builtin_ctzll(by);
        uint64_t set = signals_of(number) & ~owners;
        bool stays = set != 0 && sigcffi_backpressure_is_high(number); /* 3 */
        if (stays) {
            atomic_fetch_or(sigcffi_backpressure_of(number), set); /* 4 */
            stays = sigcffi_backpressure_is_high(number);          /* 5 */
        }
        if (stays)
            held |= set;
        else
            atomic_fetch_and(&thread->by, ~(UINT64_C(1) << number));
    }
    if (held == 0) {
        atomic_store(&thread->by, 0);
        atomic_store(&place, 0);
        atomic_store(&thread->tid, 0);
    }
    return held;
}

/* handler context, or outside handlers with every signal blocked. The mask for this thread, where
 * its owner has chosen `owners`; `more` is to be blocked in addition. */
static uint64_t mask_for(uint64_t owners, uint64_t more)
{
    uint64_t held = held_back(owners), let_in = held != 0 ? owners & urgent : 0;
    held |= (more | sigcffi_owner_kept_out()) & ~owners;
    sigcffi_owner_set_difference(held, let_in != 0);
    return (owners | held) & ~let_in;
}

/* handler context, or outside handlers. Whether this thread's mask is its owner's. */
static bool is_as_its_owner_wants(void)
{
    return !sigcffi_owner_differs() && sigcffi_backpressure_place() == 0;
}

/* handler context. What this thread is to block on return from the handler, and what not any
 * longer. */
void sigcffi_backpressure_on_return(int signum, void *context)
{
    if (!(state.trampoline.mask & sigcffi_bit(signum))) return; /* the handler it interrupts will */
    int terminals = atomic_load_explicit(&refused, memory_order_relaxed);
    sigcffi_backpressure_refuse_no_more();
    if (context == NULL || (terminals == 0 && is_as_its_owner_wants())) return;
    sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
    uint64_t before = sigcffi_word_of(mask);
    uint64_t after =
        mask_for(sigcffi_owner_mask(before), terminals != 0 ? sigcffi_bit(terminals) : 0);
    sigcffi_mask_set(mask, after); /* 6 */
    if (!(after & ~before & urgent)) return;
    sigcffi_main_thread_will_mask(SIG_BLOCK, urgent);
    sigcffi_wake_look_around(context); /* what was left to a poke that is now blocked */
}

/* ---- Outside handlers ---- */

/* Change the mask that this thread's owner has chosen, as pthread_sigmask() does; the former. In
 * between every signal is blocked: no handler takes a mask of ours for the owner's will. */
uint64_t sigcffi_backpressure_change_mask(int how, uint64_t word)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    uint64_t before = sigcffi_word_of(&mask), former = sigcffi_owner_mask(before);
    uint64_t owners = how == SIG_BLOCK ? former | word : how == SIG_UNBLOCK ? former & ~word : word;
    uint64_t after = mask_for(owners, 0);
    sigcffi_main_thread_will_mask(SIG_SETMASK, owners);
    mask = sigcffi_set_of(after);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (after & ~before & urgent) sigcffi_wake_look_around(NULL);
    return former;
}

/* This thread lets in what it need not block any longer. */
void sigcffi_backpressure_recheck(void)
{
    if (!is_as_its_owner_wants()) sigcffi_backpressure_change_mask(SIG_BLOCK, 0);
}

/* In a forked child: nobody's rings are full. */
void sigcffi_backpressure_after_fork(void)
{
    for (int index = 0; index < SIGCFFI_THROTTLED; index++) {
        atomic_store(&state.throttled[index].by, 0);
        atomic_store(&state.throttled[index].tid, 0);
    }
    for (int number = 0; number <= SIGCFFI_RECEIVERS; number++)
        atomic_store(sigcffi_backpressure_of(number), 0);
    atomic_store(&place, 0);
}
