/* Notes: none comes where nobody takes it for one, and none is lost that somebody waits for; a call
 * that another thread makes is told before and after.
 *
 * Law: who sends notes here does so as handlers do, without a signal that would have led to it.
 */
#include "owing.h"
#include "reading.h"
#include "receiving.h"

#include <poll.h>

/* ---- Quiet ---- */

static atomic_bool notes_stop;
static _Atomic long long notes_sent;

static void *send_notes(void *nothing)
{
    sigset_t all;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL));
    for (; !atomic_load(&notes_stop); breathe()) /* or the main thread would do nothing else */
        if (sigcffi_note_main(STANDARD)) atomic_fetch_add(&notes_sent, 1);
    return nothing;
}

/* A note that came later would end the process. */
static void no_note_meets_the_default_action(void)
{
    enum { THREADS = 3 };
    const int rounds = 10000 * SCALE;
    pthread_t threads[THREADS];
    struct sigaction by_default;
    memset(&by_default, 0, sizeof by_default);
    register_signal(STANDARD);
    for (int i = 0; i < THREADS; i++) threads[i] = start_thread(send_notes, NULL);
    for (int i = 0; i < rounds; i++) {
        long long before = atomic_load(&notes_sent);
        UNTIL(atomic_load(&notes_sent) > before);
        if (i % 2) {
            EQUAL(sigcffi_put_back(STANDARD, &by_default, 0), 0);
        } else {
            /* As the interpreter does, which knows nothing of this. */
            sigcffi_quiet(sigcffi_bit(STANDARD), 1);
            install(STANDARD, SIG_DFL, 0);
        }
        CHECK(!sigcffi_note_main(STANDARD));
        breathe();
        register_signal(STANDARD);
    }
    atomic_store(&notes_stop, true);
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    EQUAL(sigcffi_deliveries(STANDARD), 0);
    figures("%d rounds, %lld notes", rounds, (long long)atomic_load(&notes_sent));
}

/* ---- Notes to threads that are held back ---- */

static struct reader reader;

static void see_nothing(const struct sigcffi_record *record, void *argument)
{
    (void)record;
    (void)argument;
}

static void *read_all(void *nothing)
{
    while (read_some(&reader, LLONG_MAX, see_nothing, NULL) > 0) continue;
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
    for (int i = 0; sigcffi_holds_back(reader.handle) == 0; i++)
        queue_to(pthread_self(), QUEUED, i);
    CHECK(kernel_mask() & sigcffi_bit(QUEUED));
}

/* Even where a signal that was there before has swallowed it. */
static void a_wait_that_accepts_a_note_lets_its_thread_go_on(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t urgent = sigcffi_bit(SIGURG);
    reader = open_reader(16, sigcffi_bit(QUEUED), false);
    EQUAL(sigcffi_interpose(SIGURG), 0); /* or the kernel would discard it */
    for (int swallowed = 0; swallowed < 2; swallowed++) {
        fill_the_receiver();
        EQUAL(sigcffi_sigmask(SIG_BLOCK, urgent), 0);
        if (swallowed) queue_to(pthread_self(), SIGURG, 0);
        read_elsewhere();
        EQUAL(kernel_mask(), urgent | sigcffi_bit(QUEUED));
        EQUAL(sigcffi_sigpending(), urgent);
        EQUAL(sigcffi_accept(urgent, -1, NULL), swallowed ? SIGURG : -EINTR);
        EQUAL(kernel_mask(), urgent);
        EQUAL(threads_listed(), 0);
        EQUAL(sigcffi_sigmask(SIG_UNBLOCK, urgent), urgent);
    }
    EQUAL(sigcffi_deliveries(SIGURG), 0);
    close_reader(&reader);
    figures("as it is, swallowed");
}

/* Whatever becomes of what else is attached to it. */
static void the_signal_of_notes_keeps_its_trampoline(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    struct sigaction by_default, now;
    memset(&by_default, 0, sizeof by_default);
    reader = open_reader(16, sigcffi_bit(QUEUED), false);
    EQUAL(sigcffi_query_slotted(SIGURG), SIGCFFI_DEFAULT);
    for (int i = 0; i < 3; i++) {
        fill_the_receiver();
        read_elsewhere();
        UNTIL(kernel_mask() == 0);
        EQUAL(sigcffi_query_slotted(SIGURG), SIGCFFI_DEFAULT | SIGCFFI_SLOTTED);
        if (i == 0) EQUAL(sigcffi_put_back(SIGURG, &by_default, 0), 0);
        if (i == 1) EQUAL(sigcffi_detach(SIGURG, attach_counter(SIGURG)).count, 0);
        MUST(sigaction(SIGURG, NULL, &now));
        CHECK(now.sa_handler != SIG_DFL);
    }
    close_reader(&reader);
    figures("put back, detached");
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
static void what_is_being_blocked_while_a_ring_fills_up_stays_blocked(void)
{
    NOTHING_IS_BLOCKED_UNDER_TSAN();
    const uint64_t one = sigcffi_bit(QUEUED), other = sigcffi_bit(QUEUED_TOO);
    const int ways[] = {SIG_BLOCK, SIG_SETMASK};
    for (int i = 0; i < 2; i++) {
        reader = open_reader(16, one | other, false);
        atomic_store(&before_change, fill_the_receiver);
        EQUAL(sigcffi_sigmask(ways[i], one), 0);
        EQUAL(atomic_load(&before_change) == NULL, 1);
        CHECK(sigcffi_holds_back(reader.handle) != 0);
        read_all(NULL);
        EQUAL(kernel_mask() & one, one);
        close_reader(&reader);
        EQUAL(sigcffi_sigmask(SIG_SETMASK, 0), one);
        EQUAL(kernel_mask(), 0);
    }
    figures("block, set");
}

/* ---- What is no note ---- */

/* Somebody counts, and comes to the number that a note carries. */
static void a_signal_with_the_value_of_a_note_is_a_signal(void)
{
    register_signal(STANDARD);
    register_signal(QUEUED);
    const sigset_t former = block(STANDARD), wanted = sigcffi_set_of(sigcffi_bit(STANDARD));
    siginfo_t note;
    CHECK(sigcffi_note_main(STANDARD));
    while (sigwaitinfo(&wanted, &note) != STANDARD) EQUAL(errno, EINTR);
    MUST(sigqueue(getpid(), QUEUED, note.si_value));
    UNTIL(atomic_load(&calls[QUEUED]) == 1);
    EQUAL(sigcffi_deliveries(QUEUED), 1);
    restore(&former);
    figures("the value %p", note.si_value.sival_ptr);
}

/* ---- Calls elsewhere ---- */

static void check_words(void)
{
    uint64_t made = atomic_load(word(SIGCFFI_WORD_MADE + QUEUED));
    uint64_t called = (uint64_t)atomic_load(&calls_elsewhere[QUEUED]);
    uint64_t begun = atomic_load(word(SIGCFFI_WORD_BEGUN + QUEUED));
    CHECK(made <= called && called <= begun);
}

static void a_call_on_another_thread_is_told_before_and_after(void)
{
    enum { THREADS = 2 };
    const int each = 3000 * SCALE, all = THREADS * each;
    register_signal(QUEUED);
    sigset_t former = block(QUEUED); /* so calls are made where the signals are taken */
    start_takers(THREADS);
    struct flood flood = {.targets = takers,
                          .target_count = THREADS,
                          .signals = {QUEUED},
                          .signal_count = 1,
                          .count = all};
    start_senders(1, &flood);
    while (atomic_load(&calls_elsewhere[QUEUED]) < all) {
        check_words();
        sched_yield();
    }
    join_senders();
    stop_takers();
    EQUAL(atomic_load(word(SIGCFFI_WORD_BEGUN + QUEUED)), all);
    EQUAL(atomic_load(word(SIGCFFI_WORD_MADE + QUEUED)), all);
    EQUAL(atomic_load(word(SIGCFFI_WORD_TRIPS + QUEUED)), 0); /* these come without news */
    restore(&former);
    send_to_self(QUEUED);
    CHECK(atomic_load(word(SIGCFFI_WORD_TRIPS + QUEUED)) > 0);
    EQUAL(atomic_load(word(SIGCFFI_WORD_BEGUN + QUEUED)), all);
    figures("%d calls", all);
}

#define CASE(name) {#name, name}

/* ---- Pokes ---- */

/* As long as nobody comes. */
static int sleep_on(void)
{
    const struct timespec minute = {.tv_sec = 60};
    errno = 0;
    nanosleep(&minute, NULL);
    return errno;
}

/* An interpreter that spins before it sleeps is called while it spins, and sleeps. */
static void a_call_that_has_ended_no_wait_is_told_again(void)
{
    const int rounds = 5 * SCALE;
    sigcffi_interpreter_spins();
    register_signal(STANDARD);
    for (int i = 0; i < rounds; i++) {
        send_to_self(STANDARD);
        /* Where it spins for long the first ones come in vain, too. */
        unsigned before = sigcffi_arrivals(), in_vain = TSAN ? 0 : (unsigned)i % 4;
        while (sigcffi_arrivals() - before < in_vain) continue; /* in no system call */
        EQUAL(sleep_on(), EINTR);
    }
    EQUAL(calls[STANDARD], rounds);
    /* What a child of this process is told comes from a timer of its own. */
    pid_t child = fork();
    if (child == 0) {
        send_to_self(STANDARD);
        _exit(sleep_on() == EINTR ? 0 : 1);
    }
    EQUAL(status_of(child), 0);
    figures("%d rounds", rounds);
}

/* Each poke is a system call of somebody's that ends without need. */
static void a_call_that_has_ended_a_wait_is_not_told_again(void)
{
    const struct timespec longer_than_the_first_takes = {.tv_nsec = 20000000};
    sigcffi_interpreter_spins();
    register_signal(STANDARD);
    sigset_t former = block(STANDARD);
    queue_to(pthread_self(), STANDARD, 0);
    /* It comes as this sleeps. */
    EQUAL(ppoll(NULL, 0, NULL, &former), -1);
    EQUAL(calls[STANDARD], 1);
    MUST(nanosleep(&longer_than_the_first_takes, NULL));
    restore(&former);
    figures("one call");
}

const struct test_case note_cases[] = {
    CASE(no_note_meets_the_default_action),
    CASE(a_wait_that_accepts_a_note_lets_its_thread_go_on),
    CASE(the_signal_of_notes_keeps_its_trampoline),
    CASE(what_is_being_blocked_while_a_ring_fills_up_stays_blocked),
    CASE(a_signal_with_the_value_of_a_note_is_a_signal),
    CASE(a_call_on_another_thread_is_told_before_and_after),
    CASE(a_call_that_has_ended_no_wait_is_told_again),
    CASE(a_call_that_has_ended_a_wait_is_not_told_again),
    {NULL, NULL},
};
