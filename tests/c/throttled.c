/* Throttled threads: whatever their owner has blocked, or somebody has put in the place of pokes,
 * none stays held back when the ring has been read.
 *
 * Law: like stress.c.
 */
#include "receiving.h"

/* ---- Who has blocked pokes ---- */

static const uint64_t pokes = UINT64_C(1) << (SIGURG - 1);

/* It takes them for as long as it is held back; its owner does not see that. */
CASE(a_thread_that_has_blocked_pokes_is_told_all_the_same)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t one = sigcffi_bit(QUEUED);
    struct reader reader = open_reader(16, one, false);
    const sigset_t former = block(SIGURG);
    for (int i = 0; i < 20; i++) queue_to(pthread_self(), QUEUED, i);
    EQUAL(kernel_mask(), one);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), pokes);
    EQUAL(kernel_mask(), one);
    EQUAL(threads_listed(), 1);
    read_everything(&reader);
    EQUAL(kernel_mask(), pokes);
    EQUAL(threads_listed(), 0);
    EQUAL(sigcffi_receivers_dropped(reader.handle), 0);

    /* Its owner changes its mind in between: lets them in, */
    fill(&reader, QUEUED);
    EQUAL(sigcffi_masks_sigmask(SIG_UNBLOCK, pokes), pokes);
    read_everything(&reader);
    EQUAL(kernel_mask(), 0);
    /* and blocks them, one by one and with all the rest. */
    const int ways[] = {SIG_BLOCK, SIG_SETMASK};
    for (int i = 0; i < 2; i++) {
        fill(&reader, QUEUED);
        EQUAL(sigcffi_masks_sigmask(ways[i], pokes), 0);
        EQUAL(kernel_mask(), one);
        read_everything(&reader);
        EQUAL(kernel_mask(), pokes);
        EQUAL(sigcffi_masks_sigmask(SIG_SETMASK, 0), pokes);
    }

    /* Somebody restores a mask without us: it is theirs. */
    sigset_t own, none;
    sigemptyset(&none);
    block(SIGURG);
    MUST(pthread_sigmask(SIG_BLOCK, NULL, &own));
    fill(&reader, QUEUED);
    restore(&none);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    read_everything(&reader);
    EQUAL(kernel_mask(), 0);
    restore(&former);
    EQUAL(sigcffi_channel_deliveries(SIGURG), 0);
    close_reader(&reader);
    figures("before, after, without us");
}

/* ---- Who is not held back ---- */

static void *tell_tid(void *tid)
{
    *(int *)tid = (int)syscall(SYS_gettid);
    return NULL;
}

/* While there is no place for a thread in the list, what does not fit is counted. One that has
 * ended has left its place, whether or not it was told to go on. */
CASE(more_threads_than_places_are_not_held_back_and_the_ended_leave_theirs)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const int places = SIGCFFI_THROTTLED;
    struct reader reader = open_reader(16, sigcffi_bit(QUEUED), false);
    int ended;
    join(start_thread(tell_tid, &ended));
    start_takers(1); /* they are all this thread's, for its life */
    for (int i = 0; i < places; i++) atomic_store(&state.throttled[i].tid, taker_tids[0]);
    for (int i = 0; i < 20; i++) send_to_self(QUEUED);
    EQUAL((long long)kernel_mask(), 0);
    EQUAL(sigcffi_receivers_count(reader.handle), 16);
    EQUAL((long long)sigcffi_receivers_dropped(reader.handle), 4);

    const int place = places / 2;
    atomic_store(&state.throttled[place].tid, ended);
    atomic_store(&state.throttled[place].by, UINT64_MAX);
    send_to_self(QUEUED);
    EQUAL((long long)kernel_mask(), (long long)sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&state.throttled[place].tid), (int)syscall(SYS_gettid));
    EQUAL(__builtin_popcountll(atomic_load(&state.throttled[place].by)), 1);
    read_everything(&reader);
    EQUAL((long long)kernel_mask(), 0);
    EQUAL(threads_listed(), places - 1);
    EQUAL(atomic_load(&state.throttled[place].tid), 0);
    for (int i = 0; i < places; i++) atomic_store(&state.throttled[i].tid, 0);
    stop_takers();
    close_reader(&reader);
    figures("%d places", places);
}

/* ---- Pokes ---- */

static struct reader reader;

static void *read_all(void *nothing)
{
    read_everything(&reader);
    return nothing;
}

static void read_elsewhere(void)
{
    sigset_t all, former;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, &former)); /* it takes no signals */
    pthread_t thread = start_thread(read_all, NULL);
    restore(&former);
    join(thread);
}

static void fill_the_receiver(void)
{
    for (int i = 0; sigcffi_receivers_holds_back(reader.handle) == 0; i++)
        queue_to(pthread_self(), QUEUED, i);
    CHECK(kernel_mask() & sigcffi_bit(QUEUED));
}

/* Even where a signal that was there before has swallowed it. */
CASE(a_wait_that_accepts_a_poke_lets_its_thread_go_on)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t urgent = pokes;
    reader = open_reader(16, sigcffi_bit(QUEUED), false);
    EQUAL(sigcffi_interpose(SIGURG), 0); /* or the kernel would discard it */
    for (int swallowed = 0; swallowed < 2; swallowed++) {
        fill_the_receiver();
        sigset_t former = block(SIGURG); /* we have not seen it */
        if (swallowed) queue_to(pthread_self(), SIGURG, 0);
        read_elsewhere();
        EQUAL(kernel_mask(), urgent | sigcffi_bit(QUEUED));
        EQUAL(sigcffi_masks_sigpending(), urgent);
        EQUAL(sigcffi_waits_accept(urgent, -1, NULL), swallowed ? SIGURG : -EINTR);
        EQUAL(kernel_mask(), urgent);
        EQUAL(threads_listed(), 0);
        former = sigcffi_set_of(sigcffi_word_of(&former) & ~sigcffi_bit(QUEUED));
        restore(&former);
    }
    EQUAL(sigcffi_channel_deliveries(SIGURG), 0);
    close_reader(&reader);
    figures("as it is, swallowed");
}

/* Whatever becomes of what else is attached to it. */
CASE(the_signal_of_pokes_keeps_its_trampoline)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    struct sigaction by_default, now;
    memset(&by_default, 0, sizeof by_default);
    reader = open_reader(16, sigcffi_bit(QUEUED), false);
    for (int i = 0; i < 3; i++) {
        EQUAL(sigcffi_dispositions_query_slotted(SIGURG), SIGCFFI_DEFAULT | SIGCFFI_SLOTTED);
        fill_the_receiver();
        read_elsewhere();
        UNTIL(kernel_mask() == 0);
        if (i == 0) EQUAL(sigcffi_dispositions_put_back(SIGURG, &by_default, 0), 0);
        if (i == 1) EQUAL(sigcffi_attachments_detach(SIGURG, attach_counter(SIGURG)).count, 0);
        MUST(sigaction(SIGURG, NULL, &now));
        CHECK(now.sa_handler != SIG_DFL);
    }
    close_reader(&reader);
    figures("put back, detached");
}

/* A C library may take SIGURG for itself, before threads are held back and after. */
CASE(somebody_elses_handler_for_pokes_leaves_no_thread_held_back)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    void (*const theirs[])(int) = {do_nothing, SIG_IGN, SIG_DFL};
    reader = open_reader(16, sigcffi_bit(QUEUED), false);
    start_takers(1);
    for (int i = 0; i < 6; i++) {
        if (i % 2) install(SIGURG, theirs[i / 2], 0);
        while (sigcffi_receivers_holds_back(reader.handle) == 0) {
            uint64_t before = sigcffi_channel_deliveries(QUEUED);
            queue_to(takers[0], QUEUED, i);
            /* Or the one before has filled it, meanwhile. */
            UNTIL(sigcffi_channel_deliveries(QUEUED) > before ||
                  sigcffi_receivers_holds_back(reader.handle) != 0);
        }
        UNTIL(mask_of_taker(0) == sigcffi_bit(QUEUED));
        if (i % 2 == 0) install(SIGURG, theirs[i / 2], 0);
        read_all(NULL);
        UNTIL(mask_of_taker(0) == 0);
    }
    stop_takers();
    EQUAL(threads_listed(), 0);
    close_reader(&reader);
    figures("a handler, ignored, default; before and after");
}

/* ---- Masks ---- */

/* The linker sends the change of a mask here: the last moment before it. */
int __real_pthread_sigmask(int how, const sigset_t *set, sigset_t *former);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *former);
void (*_Atomic before_change)(void);

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *former)
{
    void (*hook)(void) = atomic_exchange(&before_change, NULL);
    if (hook != NULL) hook();
    return __real_pthread_sigmask(how, set, former);
}

/* What was blocked for a while becomes its owner's, and was not before. */
CASE(what_is_being_blocked_while_a_ring_fills_up_stays_blocked)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t one = sigcffi_bit(QUEUED), other = sigcffi_bit(QUEUED_TOO);
    const int ways[] = {SIG_BLOCK, SIG_SETMASK};
    for (int i = 0; i < 2; i++) {
        reader = open_reader(16, one | other, false);
        atomic_store(&before_change, fill_the_receiver);
        EQUAL(sigcffi_masks_sigmask(ways[i], one), 0);
        EQUAL(atomic_load(&before_change) == NULL, 1);
        CHECK(sigcffi_receivers_holds_back(reader.handle) != 0);
        read_all(NULL);
        EQUAL(kernel_mask() & one, one);
        close_reader(&reader);
        EQUAL(sigcffi_masks_sigmask(SIG_SETMASK, 0), one);
        EQUAL(kernel_mask(), 0);
    }
    figures("block, set");
}
