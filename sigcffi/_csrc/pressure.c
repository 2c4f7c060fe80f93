/* Pressure: a ring that is filling up leaves its signals with the kernel, which keeps them in
 * order.
 *
 * Law: a thread can block signals for itself alone, in the context that its handler returns to, and
 * it alone can let them in again. So one that has is listed, with the rings because of which, and
 * poked when there is room. What is blocked so is not part of the mask that the thread has chosen, and calls that tell or restore a
 * mask leave it out.
 *
 * Rejected: passing a signal on to the thread that reads, with all that it carries. Where the
 * kernel's queue is full that cannot be done, and waiting for it, in a handler, keeps the
 * interrupted code from letting go of what the reader waits for.
 */
#include "wake.h"

/* What this thread has blocked because of rings, and its place in the list plus one. Atomic, since
 * handlers of this thread change it between any two steps of its ordinary calls. */
static SIGCFFI_THREAD_LOCAL _Atomic uint64_t pressed;
static SIGCFFI_THREAD_LOCAL _Atomic int place;

/* ---- Rings, by number: a receiver's, or SIGCFFI_MAIN_CHANNEL ---- */

/* handler context. Whether it is filling up. */
bool sigcffi_is_high(int number)
{
    bool main = number == SIGCFFI_MAIN_CHANNEL;
    const struct sigcffi_ring *ring = main ? &channel.ring : &state.receivers[number].ring;
    uint64_t capacity = main ? SIGCFFI_CAPACITY : atomic_load(&state.receivers[number].capacity);
    /* The tail first: it could pass the head as it was. */
    uint64_t tail = atomic_load(&ring->tail);
    return atomic_load(&ring->head) - tail >= SIGCFFI_HIGH_WATER_OF(capacity);
}

/* handler context. Which signals can be left with the kernel. Not those that our handlers do not
 * block: they may interrupt a handler that is just doing what follows, and a real fault that is
 * blocked ends the process unseen. Nor the one by which threads are told to go on. */
static uint64_t can_be_held_back(void)
{
    return state.trampoline_mask & ~sigcffi_bit(SIGURG);
}

/* handler context. What is put into it, and can be left with the kernel. */
static uint64_t signals_of(int number)
{
    uint64_t set = number == SIGCFFI_MAIN_CHANNEL ? atomic_load(&channel.attached)
                                                  : atomic_load(&state.receivers[number].set);
    return set & can_be_held_back();
}

/* handler context. The word by which its reader knows that threads may have to be told. */
_Atomic uint64_t *sigcffi_pressure_of(int number)
{
    return number == SIGCFFI_MAIN_CHANNEL ? &channel.pressure : &state.receivers[number].pressure;
}

/* ---- In handlers ---- */

/* handler context. Where in the list this thread is, plus one; 0 if it need not be told. */
int sigcffi_place(void)
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
 * without giving theirs back: that is seen to where no other is left, since it takes a system call
 * for each. */
static struct pressed *free_place(int tid)
{
    for (int look_closely = 0; look_closely < 2; look_closely++)
        for (int index = 0; index < SIGCFFI_PRESSED; index++) {
            struct pressed *thread = &state.pressed[index];
            int owner = atomic_load(&thread->tid);
            if (owner != 0 && !(look_closely && has_ended(owner))) continue;
            if (atomic_compare_exchange_strong(&thread->tid, &owner, tid)) return thread;
        }
    return NULL;
}

/* handler context. This thread in the list; null if there are too many, or it could not be told. */
static struct pressed *listed(void)
{
    int index = atomic_load(&place) - 1;
    if (index >= 0) return &state.pressed[index];
#if SIGCFFI_HAS_TGSIGQUEUE
    int tid = (int)syscall(SYS_gettid);
#else
    int tid = 1;
    if (!sigcffi_on_main_thread()) return NULL;
#endif
    struct pressed *thread = free_place(tid);
    if (thread == NULL) return NULL;
    atomic_store(&thread->by, 0);
    int none = 0;
    if (atomic_compare_exchange_strong(&place, &none, (int)(thread - state.pressed) + 1))
        return thread;
    /* A handler has come in between and taken one, which can be where somebody else's handler has
     * called the trampoline. */
    atomic_store(&thread->tid, 0);
    return &state.pressed[none - 1];
}

/* handler context. A ring is filling up by a signal: on return from the handler this thread has
 * blocked the ring's signals, until it has been read.
 *
 * Sequentially consistent: the thread says so and then looks at the ring once more, while the
 * reader gives back and then looks who has said so. One of the two sees the other. (Python's reader
 * of the main channel has no barrier, but makes many more stores in between than a processor can
 * put off.) */
void sigcffi_press(int number, int signum, void *context)
{
    /* Without a context the trampoline was called by somebody else's handler. */
    if (context == NULL || !(can_be_held_back() & sigcffi_bit(signum))) return;
    sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
    uint64_t ring = UINT64_C(1) << number, set = signals_of(number), ours = atomic_load(&pressed);
    uint64_t blocked = sigcffi_word_of(mask), added = set & ~(blocked & ~ours);
    /* Who could not be told would be deaf from now on. The reader itself need not be. */
    bool reads = number == SIGCFFI_MAIN_CHANNEL && sigcffi_on_main_thread();
    if ((blocked & sigcffi_bit(SIGURG)) && !reads) return;
    struct pressed *thread = added != 0 ? listed() : NULL;
    if (thread == NULL) return;
    atomic_fetch_or(&thread->by, ring);
    atomic_fetch_or(sigcffi_pressure_of(number), set);
    if (!sigcffi_is_high(number)) {
        atomic_fetch_and(&thread->by, ~ring);
        return;
    }
    atomic_store(&pressed, ours | added);
    sigcffi_mask_set(mask, blocked | added);
}

/* handler context, or outside handlers with every signal blocked. What this thread need not block
 * any longer.
 *
 * It looks for itself: others may have filled the ring again since the reader told, and each thread
 * that went on all the same would bring one signal more than there is room for. As in
 * sigcffi_press, who stays says so and then looks. */
static uint64_t lift(void)
{
    int index = atomic_load(&place) - 1;
    if (index < 0) return 0;
    struct pressed *thread = &state.pressed[index];
    uint64_t mine = atomic_load(&pressed), still = 0;
    for (uint64_t by = atomic_load(&thread->by); by != 0; by &= by - 1) {
        int number = __builtin_ctzll(by);
        uint64_t set = signals_of(number);
        bool stays = set != 0 && sigcffi_is_high(number);
        if (stays) {
            atomic_fetch_or(sigcffi_pressure_of(number), set);
            stays = sigcffi_is_high(number);
        }
        if (stays)
            still |= set;
        else
            atomic_fetch_and(&thread->by, ~(UINT64_C(1) << number));
    }
    atomic_store(&pressed, mine & still);
    if ((mine & still) == 0) {
        atomic_store(&thread->by, 0);
        atomic_store(&place, 0);
        atomic_store(&thread->tid, 0);
    }
    return mine & ~still;
}

/* handler context. On return from the handler this thread goes on with what it need not block any
 * longer. */
void sigcffi_relax(int signum, void *context)
{
    if (context == NULL || atomic_load_explicit(&place, memory_order_relaxed) == 0) return;
    if (!(state.trampoline_mask & sigcffi_bit(signum))) return; /* the handler it interrupts will */
    sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
    sigcffi_mask_set(mask, sigcffi_word_of(mask) & ~lift());
}

/* ---- Outside handlers ---- */

/* This thread lets in what it need not block any longer. */
void sigcffi_ease(void)
{
    sigset_t all, mask;
    if (atomic_load(&place) == 0) return;
    sigfillset(&all);
    /* In between every signal is blocked: others do not take that for this thread's own will. */
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    mask = sigcffi_set_of(sigcffi_word_of(&mask) & ~lift());
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* What the calling thread has blocked without having been asked to, before it was `wanted` blocked.
 */
uint64_t sigcffi_pressure(uint64_t wanted)
{
    /* A handler that adds to it in between has come after. */
    if (atomic_load_explicit(&pressed, memory_order_relaxed) == 0) return 0;
    return atomic_fetch_and(&pressed, ~wanted);
}

/* In a forked child: nobody's rings are full. What this thread has blocked. */
uint64_t sigcffi_pressure_after_fork(void)
{
    for (int index = 0; index < SIGCFFI_PRESSED; index++) {
        atomic_store(&state.pressed[index].by, 0);
        atomic_store(&state.pressed[index].tid, 0);
    }
    for (int number = 0; number <= SIGCFFI_RECEIVERS; number++)
        atomic_store(sigcffi_pressure_of(number), 0);
    atomic_store(&place, 0);
    return atomic_exchange(&pressed, 0);
}
