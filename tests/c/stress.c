/* The C half under load, without Python: this program plays the interpreter.
 *
 * Law: a case is named after the promise it puts to the test, counts exactly, and ends the same
 * way every time; only the interleavings on the way differ. It knows the C half by sigcffi.h
 * and the layout of a record alone. Run by run.py, which builds it plain and under sanitizers; each
 * case is a process of its own, and can be named on the command line.
 */
#include "harness.h"
#include "ring.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* ---- A foreign handler, and what it saw ---- */

static _Atomic long long foreign_calls;
static _Atomic int foreign_turn; /* what the sender did happens before what the handler does */
static siginfo_t foreign_info;
static pthread_t foreign_thread;
static void *foreign_context;

/* Installed with and without SA_SIGINFO: sigcffi always passes three arguments. */
static void foreign_handler(int signum, siginfo_t *info, void *context)
{
    EQUAL(info->si_signo, signum);
    (void)atomic_load(&foreign_turn);
    foreign_info = *info;
    foreign_context = context;
    foreign_thread = pthread_self();
    errno = EBADMSG;
    atomic_fetch_add(&foreign_calls, 1);
}

/* The same for floods: no more than a count. */
static void foreign_counter(int signum)
{
    (void)signum;
    atomic_fetch_add(&foreign_calls, 1);
}

static void install_foreign(int signum, int flags)
{
    install(signum, (void (*)(int))(void *)foreign_handler, flags);
}

static bool same_action(int signum, const struct sigaction *expected)
{
    struct sigaction now;
    MUST(sigaction(signum, NULL, &now));
    /* The kernel fills in one word of the mask; what is behind it means nothing. */
    return now.sa_handler == expected->sa_handler && now.sa_flags == expected->sa_flags &&
           sigcffi_word_of(&now.sa_mask) == sigcffi_word_of(&expected->sa_mask);
}

/* ---- Deliveries ---- */

/* One signal at a time: each is a call. */
static void a_signal_taken_by_another_thread_is_handled_once_on_the_main_thread(void)
{
    const int rounds = 3000 * SCALE;
    register_signal(QUEUED);
    register_signal(STANDARD);
    start_takers(3);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        int signum = i % 2 ? QUEUED : STANDARD;
        queue_to(takers[i % 3], signum, i);
        UNTIL(atomic_load(&calls[signum]) > i / 2);
        EQUAL(atomic_load(&calls[signum]), i / 2 + 1);
    }
    stop_takers();
    EQUAL(sigcffi_channel_deliveries(QUEUED) + sigcffi_channel_deliveries(STANDARD), rounds);
    EQUAL(atomic_load(&calls[QUEUED]) + atomic_load(&calls[STANDARD]), rounds);
    figures("%d signals, 3 threads", rounds);
}

static void no_signal_of_a_flood_is_left_without_a_call(void)
{
    const int each = 6000 * SCALE;
    register_signal(QUEUED);
    register_signal(QUEUED_TOO);
    start_takers(3);
    pthread_t targets[] = {takers[0], takers[1], takers[2], pthread_self()};
    /* ThreadSanitizer would hold back, and so lose, signals to a thread that is not asleep. */
    struct flood flood = {targets, TSAN ? 3 : 4, {QUEUED, QUEUED_TOO}, 2, each};
    start_senders(2, &flood);
    UNTIL(atomic_load(&heard[QUEUED]) == each && atomic_load(&heard[QUEUED_TOO]) == each);
    join_senders();
    stop_takers();
    for (int signum = QUEUED; signum <= QUEUED_TOO; signum++) {
        /* Several may have led to one call, but none to two; and nothing is left that would. */
        long long before = atomic_load(&calls[signum]);
        CHECK(before <= each);
        MUST(raise(signum));
        UNTIL(atomic_load(&calls[signum]) > before);
        EQUAL(atomic_load(&calls[signum]), before + 1);
        EQUAL(sigcffi_channel_deliveries(signum), each + 1);
        EQUAL(atomic_load(&calls_elsewhere[signum]), 0);
    }
    figures("%d signals, %lld calls", 2 * each,
            (long long)(atomic_load(&calls[QUEUED]) + atomic_load(&calls[QUEUED_TOO])));
}

static const int own_signals = 4000 * SCALE;

static void *signal_oneself(void *barrier)
{
    pthread_barrier_wait(barrier);
    for (int i = 0; i < own_signals; i++) MUST(raise(QUEUED));
    return NULL;
}

static void signal_themselves(void)
{
    pthread_barrier_t barrier;
    MUST(pthread_barrier_init(&barrier, NULL, 2));
    pthread_t threads[] = {start_thread(signal_oneself, &barrier),
                           start_thread(signal_oneself, &barrier)};
    for (int i = 0; i < 2; i++) join(threads[i]);
}

/* The trampoline runs in two threads as densely as can be: every sum is one of theirs. */
static void threads_in_the_trampoline_together_count_right(void)
{
    const long long all = 2 * own_signals;
    register_signal(QUEUED);
    int64_t counter = attach_counter(QUEUED);
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    signal_themselves();
    EQUAL(sigcffi_channel_deliveries(QUEUED), all);
    EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, all);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[QUEUED]), 1); /* for all that was pending */
    /* Now both poke as well. */
    signal_themselves();
    UNTIL(atomic_load(&heard[QUEUED]) == 2 * all);
    CHECK(atomic_load(&calls[QUEUED]) <= all + 1);
    EQUAL(sigcffi_channel_deliveries(QUEUED), 2 * all);
    figures("%lld signals", 2 * all);
}

/* What the main thread has blocked another takes for it. */
static void a_blocked_main_thread_does_not_hold_up_the_handler(void)
{
    const int rounds = 500 * SCALE;
    register_signal(QUEUED);
    start_takers(2);
    sigset_t former = block(QUEUED);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        queue_to(takers[i % 2], QUEUED, i);
        UNTIL(atomic_load(&calls[QUEUED]) > i);
    }
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    /* Nothing waits for the main thread to let it in. */
    EQUAL(sigcffi_masks_sigpending(), 0);
    restore(&former);
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    stop_takers();
    figures("%d signals", rounds);
}

static void *run_until_stopped(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
    }
    pthread_testcancel();
    return NULL;
}

/* A cancellation point in a handler is one of the thread that it interrupts. */
static void a_cancelled_thread_still_passes_its_signals_on(void)
{
    if (TSAN) skip("a thread that calls nothing gets no signals from ThreadSanitizer");
    const int rounds = 200;
    register_signal(QUEUED);
    for (int i = 0; i < rounds; i++) {
        atomic_bool stop = false;
        pthread_t thread = start_thread(run_until_stopped, &stop);
        MUST(pthread_cancel(thread));
        queue_to(thread, QUEUED, i);
        UNTIL(atomic_load(&calls[QUEUED]) > i);
        atomic_store(&stop, true);
        join(thread);
    }
    figures("%d threads", rounds);
}

/* ---- The queue is used up ---- */

static atomic_bool gate_open;
static _Atomic int at_gate;

/* Takes nothing until the gate opens, then all that has been queued. */
static void *take_behind_gate(void *argument)
{
    (void)argument;
    block(QUEUED);
    atomic_fetch_add(&at_gate, 1);
    sigset_t none;
    sigemptyset(&none);
    while (!atomic_load(&gate_open)) breathe();
    while (sigcffi_masks_sigpending() & sigcffi_bit(QUEUED)) sigsuspend(&none);
    return NULL;
}

static void a_used_up_queue_loses_nothing(void)
{
    const int rounds = 500 * SCALE, queued = 300;
    register_signal(STANDARD);
    register_signal(QUEUED);
    start_takers(2);
    pthread_t gated[2];
    for (int i = 0; i < 2; i++) gated[i] = start_thread(take_behind_gate, NULL);
    UNTIL(atomic_load(&at_gate) == 2);
    for (int i = 0; i < queued; i++) queue_to(gated[i % 2], QUEUED, i);

    limit_queue(0);
    EQUAL(try_to_queue(gated[0], QUEUED, 0), EAGAIN);
    /* A standard signal loses its siginfo on the way, and so does the poke for the main thread. */
    for (int i = 0; i < rounds; i++) {
        MUST(syscall(SYS_tgkill, getpid(), taker_tids[i % 2], STANDARD));
        UNTIL(atomic_load(&calls[STANDARD]) > i);
        EQUAL(atomic_load(&calls[STANDARD]), i + 1);
    }
    EQUAL(sigcffi_channel_deliveries(STANDARD), rounds);
    EQUAL(atomic_load(&calls_elsewhere[STANDARD]), 0);
    /* To the main thread, bare of its siginfo too. */
    for (int i = 0; i < rounds; i++) {
        MUST(pthread_kill(pthread_self(), STANDARD));
        UNTIL(atomic_load(&calls[STANDARD]) > rounds + i);
    }
    EQUAL(sigcffi_channel_deliveries(STANDARD), 2 * rounds);
    EQUAL(atomic_load(&calls[STANDARD]), 2 * rounds);

    /* The threads behind the gate have their signals already. */
    atomic_store(&gate_open, true);
    UNTIL(atomic_load(&heard[QUEUED]) == queued);
    for (int i = 0; i < 2; i++) join(gated[i]);
    EQUAL(sigcffi_channel_deliveries(QUEUED), queued);
    limit_queue(RLIM_INFINITY);
    stop_takers();
    figures("%d standard, %d real-time signals", 2 * rounds, queued);
}

/* ---- Slots ---- */

static atomic_bool slot_taken[SIGCFFI_SLOTS];

static void *attach_and_detach(void *stop)
{
    long long times = 0;
    for (; !atomic_load((atomic_bool *)stop); times++) {
        int64_t handle = attach_counter(QUEUED);
        int index = (int)(handle & 0xff);
        CHECK(index > 0); /* 0 is taken by the one that stays */
        CHECK(!atomic_exchange(&slot_taken[index], true));
        CHECK(sigcffi_attachments_tally(QUEUED, handle).count <=
              (int64_t)sigcffi_channel_deliveries(QUEUED));
        CHECK(atomic_exchange(&slot_taken[index], false));
        CHECK(sigcffi_attachments_detach(QUEUED, handle).count >= 0);
        if (times % 64 == 0) breathe();
    }
    return NULL;
}

static void a_counter_counts_every_delivery(void)
{
    const int each = 6000 * SCALE;
    register_signal(QUEUED);
    install(QUEUED_TOO, foreign_counter, 0);
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    int64_t counter = attach_counter(QUEUED);
    int64_t counter_too = attach_counter(QUEUED_TOO);
    start_takers(3);
    atomic_bool stop = false;
    pthread_t busy[] = {start_thread(attach_and_detach, &stop),
                        start_thread(attach_and_detach, &stop)};
    struct flood flood = {takers, 3, {QUEUED, QUEUED_TOO}, 2, each};
    start_senders(2, &flood);
    join_senders();
    UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)each &&
          sigcffi_channel_deliveries(QUEUED_TOO) == (uint64_t)each);
    stop_takers();
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) join(busy[i]);
    EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, each);
    EQUAL(sigcffi_attachments_tally(QUEUED_TOO, counter_too).count, each);
    EQUAL(atomic_load(&foreign_calls), each);
    figures("%d signals", 2 * each);
}

static void a_full_table_refuses_and_attaches_nothing(void)
{
    const int signum = STANDARD;
    EQUAL(sigcffi_interpose(signum), 0);
    int64_t handles[SIGCFFI_SLOTS];
    for (int i = 0; i < SIGCFFI_SLOTS; i++) handles[i] = attach_counter(signum);
    EQUAL(sigcffi_attachments_attach(signum, SIGCFFI_SLOT_COUNTER, 0, -1, 0), -ENOSPC);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) == 1);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_tally(signum, handles[i]).count, 1);

    /* A place that becomes free is used again, and counts from zero. */
    EQUAL(sigcffi_attachments_detach(signum, handles[3]).count, 1);
    EQUAL(sigcffi_attachments_detach(signum, handles[3]).count, -1);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) == 2);
    EQUAL(sigcffi_attachments_tally(signum, handles[3]).count, -1);
    int64_t former = handles[3];
    handles[3] = attach_counter(signum);
    EQUAL(sigcffi_attachments_tally(signum, handles[3]).count, 0);
    EQUAL(sigcffi_attachments_detach(signum, former).count, -1);
    EQUAL(sigcffi_attachments_attach(signum, SIGCFFI_SLOT_COUNTER, 0, -1, 0), -ENOSPC);
    MUST(raise(signum));
    UNTIL(sigcffi_channel_deliveries(signum) == 3);
    for (int i = 0; i < SIGCFFI_SLOTS; i++)
        EQUAL(sigcffi_attachments_tally(signum, handles[i]).count, i == 3 ? 1 : 3);

    EQUAL(sigcffi_attachments_attach(0, SIGCFFI_SLOT_COUNTER, 0, -1, 0), -EINVAL);
    EQUAL(sigcffi_attachments_attach(NSIG, SIGCFFI_SLOT_COUNTER, 0, -1, 0), -EINVAL);
    EQUAL(sigcffi_attachments_attach(SIGHUP, SIGCFFI_SLOT_EMPTY, 0, -1, 0), -EINVAL);
    EQUAL(sigcffi_attachments_attach(SIGHUP, 256, 0, -1, 0), -EINVAL);
    EQUAL(sigcffi_attachments_attach(SIGKILL, SIGCFFI_SLOT_COUNTER, 0, -1, 0), -EINVAL);
    EQUAL(sigcffi_attachments_detach(SIGHUP, SIGCFFI_SLOTS).count, -1);
    EQUAL(sigcffi_attachments_detach(SIGHUP, -1).count, -1);
    EQUAL(sigcffi_attachments_detach(NSIG, handles[0]).count, -1);
    figures("%d slots", SIGCFFI_SLOTS);
}

/* ---- Dispositions ---- */

static void *interpose_and_withdraw(void *stop)
{
    for (int i = 0; !atomic_load((atomic_bool *)stop); i++) {
        EQUAL(sigcffi_interpose(QUEUED), 0);
        EQUAL(sigcffi_dispositions_query(QUEUED), SIGCFFI_FOREIGN);
        EQUAL(sigcffi_interpose_interpreter(QUEUED), 0);
        EQUAL(sigcffi_interpose_withdraw(QUEUED), 0);
        if (i % 16 == 0) breathe();
    }
    return NULL;
}

static void *interpose_and_cover(void *stop)
{
    for (int i = 0; !atomic_load((atomic_bool *)stop); i++) {
        EQUAL(i % 2 ? sigcffi_interpose(QUEUED_TOO) : sigcffi_interpose_interpreter(QUEUED_TOO), 0);
        EQUAL(sigcffi_dispositions_query(QUEUED_TOO), SIGCFFI_PYTHON);
        if (i % 16 == 0) breathe();
    }
    return NULL;
}

static void *interrupt_or_restart(void *stop)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    for (int i = 0; !atomic_load((atomic_bool *)stop); i++) {
        MUST(siginterrupt(QUEUED, i % 2));
        MUST(siginterrupt(QUEUED_TOO, i % 2));
        if (i % 16 == 0) breathe();
    }
#pragma GCC diagnostic pop
    return NULL;
}

/* A delivery comes to the base through the trampoline or past it, but it comes. */
static void the_base_misses_nothing_while_dispositions_change(void)
{
    const int each = 5000 * SCALE;
    install(QUEUED, foreign_counter, SA_ONSTACK);
    struct sigaction foreign;
    MUST(sigaction(QUEUED, NULL, &foreign));
    register_signal(QUEUED_TOO);
    start_takers(2);
    atomic_bool stop = false, stop_interrupting = false;
    pthread_t busy[] = {start_thread(interpose_and_withdraw, &stop),
                        start_thread(interpose_and_withdraw, &stop),
                        start_thread(interpose_and_cover, &stop)};
    pthread_t interrupting = start_thread(interrupt_or_restart, &stop_interrupting);
    struct flood flood = {takers, 2, {QUEUED}, 1, each / 2};
    start_senders(2, &flood);
    long long registered = 0;
    /* One of the interpreter's at a time: each is a call, on the main thread or past the
     * trampoline. */
    for (; atomic_load(&foreign_calls) < each; registered++) {
        long long before = atomic_load(&calls[QUEUED_TOO]);
        queue_to(takers[registered % 2], QUEUED_TOO, 0);
        register_signal(QUEUED_TOO);
        UNTIL(atomic_load(&calls[QUEUED_TOO]) > before);
        EQUAL(atomic_load(&calls[QUEUED_TOO]), before + 1);
    }
    join_senders();
    atomic_store(&stop_interrupting, true);
    join(interrupting);
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) join(busy[i]);
    stop_takers();

    EQUAL(atomic_load(&foreign_calls), each);
    EQUAL(sigcffi_interpose(QUEUED), 0);
    EQUAL(sigcffi_interpose_withdraw(QUEUED), 0);
    struct sigaction now;
    MUST(sigaction(QUEUED, NULL, &now));
    foreign.sa_flags = (foreign.sa_flags & ~SA_RESTART) | (now.sa_flags & SA_RESTART);
    CHECK(same_action(QUEUED, &foreign));
    figures("%lld signals, registered %lld times", each + registered, registered);
}

/* The linker sends every call here, so also the one that puts the trampoline in place. */
int __real_sigaction(int signum, const struct sigaction *action, struct sigaction *former);
int __wrap_sigaction(int signum, const struct sigaction *action, struct sigaction *former);
static void (*_Atomic after_sigaction)(int signum);
void (*_Atomic after_look)(int signum);

int __wrap_sigaction(int signum, const struct sigaction *action, struct sigaction *former)
{
    int result = __real_sigaction(signum, action, former);
    void (*hook)(int) = atomic_load(action != NULL ? &after_sigaction : &after_look);
    if (hook != NULL) hook(signum);
    return result;
}

static void deliver_one(int signum)
{
    if (signum == SIGURG) return; /* which is there for the sake of pokes */
    long long before = atomic_load(&foreign_calls);
    queue_to(takers[0], signum, 0);
    UNTIL(atomic_load(&foreign_calls) > before);
}

static void the_trampoline_finds_its_base_from_the_first_instant(void)
{
    start_takers(1);
    int times = 0;
    for (int signum = QUEUED; signum < SIGRTMAX - 1; signum++, times++) {
        install(signum, foreign_counter, 0);
        atomic_store(&after_sigaction, deliver_one);
        EQUAL(sigcffi_interpose(signum), 0);
        EQUAL(sigcffi_channel_deliveries(signum), 1);
        EQUAL(sigcffi_interpose_withdraw(signum), 0);
        EQUAL(sigcffi_channel_deliveries(signum), 1);
        atomic_store(&after_sigaction, NULL);
    }
    EQUAL(atomic_load(&foreign_calls), 2 * times);
    stop_takers();
    figures("%d signals", 2 * times);
}

static void withdrawing_puts_the_base_back_as_it_was(void)
{
    static const int flags[] = {0,          SA_SIGINFO,   SA_RESTART,   SA_NODEFER,
                                SA_ONSTACK, SA_RESETHAND, SA_NOCLDSTOP, SA_NOCLDWAIT};
    static const int signals[] = {SIGHUP, SIGINT, SIGCHLD, SIGTERM, SIGSEGV, SIGTSTP};
    int times = 0;
    for (size_t s = 0; s < sizeof signals / sizeof *signals; s++)
        for (int set = 0; set < 1 << 8; set++) {
            int signum = signals[s];
            struct sigaction base, before, on_top;
            memset(&base, 0, sizeof base);
            base.sa_sigaction = foreign_handler;
            for (int i = 0; i < 8; i++)
                if (set >> i & 1) base.sa_flags |= flags[i];
            base.sa_mask = sigcffi_set_of((uint64_t)set << 3 & ~sigcffi_bit(SIGKILL));
            MUST(sigaction(signum, &base, NULL));
            MUST(sigaction(signum, NULL, &before)); /* as the kernel tells it */
            EQUAL(sigcffi_interpose(signum), 0);
            EQUAL(sigcffi_interpose(signum), 0); /* again changes nothing */
            EQUAL(sigcffi_dispositions_query(signum), SIGCFFI_FOREIGN);
            MUST(sigaction(signum, NULL, &on_top));
            CHECK(on_top.sa_handler != before.sa_handler);
            CHECK(on_top.sa_flags & SA_SIGINFO);
            int kept = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK;
            EQUAL(on_top.sa_flags & kept, base.sa_flags & kept);
            EQUAL(sigcffi_interpose_withdraw(signum), 0);
            CHECK(same_action(signum, &before));
            times++;
        }
    /* The default action and ignoring come back too. */
    void (*const plain[])(int) = {SIG_DFL, SIG_IGN};
    for (int i = 0; i < 2; i++) {
        install(SIGHUP, plain[i], 0);
        EQUAL(sigcffi_interpose(SIGHUP), 0);
        EQUAL(sigcffi_dispositions_query(SIGHUP), i == 0 ? SIGCFFI_DEFAULT : SIGCFFI_IGNORED);
        MUST(raise(SIGHUP)); /* and neither is called */
        EQUAL(sigcffi_interpose_withdraw(SIGHUP), 0);
        struct sigaction now;
        MUST(sigaction(SIGHUP, NULL, &now));
        CHECK(now.sa_handler == plain[i]);
    }
    EQUAL(sigcffi_interpose(SIGKILL), -EINVAL);
    EQUAL(sigcffi_interpose(NSIG), -EINVAL);
    EQUAL(sigcffi_interpose_withdraw(0), -EINVAL);
    EQUAL(sigcffi_dispositions_query(-1), -EINVAL);
    figures("%d dispositions", times);
}

static void siginterrupt_is_passed_on_to_the_base(void)
{
    if (TSAN) skip("ThreadSanitizer's sigaction() does not see what siginterrupt() does");
    for (int i = 0; i < 4; i++) {
        struct sigaction before;
        install(STANDARD, foreign_counter, i % 2 ? SA_RESTART : 0);
        MUST(sigaction(STANDARD, NULL, &before));
        EQUAL(sigcffi_interpose(STANDARD), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        MUST(siginterrupt(STANDARD, i / 2));
#pragma GCC diagnostic pop
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        before.sa_flags = (before.sa_flags & ~SA_RESTART) | (i / 2 ? 0 : SA_RESTART);
        CHECK(same_action(STANDARD, &before));
    }
    figures("set and cleared");
}

static void what_somebody_else_installed_is_left_alone(void)
{
    install(STANDARD, foreign_counter, 0);
    EQUAL(sigcffi_interpose(STANDARD), 0);
    install_foreign(STANDARD, SA_SIGINFO | SA_RESTART);
    struct sigaction theirs;
    MUST(sigaction(STANDARD, NULL, &theirs));
    EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
    CHECK(same_action(STANDARD, &theirs));
    /* And is the base when the trampoline comes back. */
    EQUAL(sigcffi_interpose(STANDARD), 0);
    EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
    CHECK(same_action(STANDARD, &theirs));
    /* cover() goes on top of the interpreter's handler only. */
    register_signal(STANDARD_TOO);
    EQUAL(sigcffi_interpose_interpreter(STANDARD), 0);
    CHECK(same_action(STANDARD, &theirs));
    EQUAL(sigcffi_interpose_withdraw(STANDARD_TOO), 0);
    EQUAL(sigcffi_interpose_interpreter(STANDARD_TOO), 0);
    MUST(raise(STANDARD_TOO));
    UNTIL(atomic_load(&calls[STANDARD_TOO]) == 1);
    EQUAL(sigcffi_channel_deliveries(STANDARD_TOO), 1);
    figures("withdraw, interpose, cover");
}

static void the_interpreters_handler_is_recognised_and_no_other(void)
{
    /* What cannot be the interpreter's: that takes one argument and does not nest. */
    static const int others[] = {SA_SIGINFO, SA_NODEFER};
    for (int i = 0; i < 2; i++) {
        install(STANDARD, foreign_counter, others[i]);
        EQUAL(sigcffi_interpreter_recognise(STANDARD), SIGCFFI_FOREIGN);
    }
    install(STANDARD_TOO, SIG_IGN, 0);
    EQUAL(sigcffi_interpreter_recognise(STANDARD_TOO), SIGCFFI_IGNORED);
    install(STANDARD_TOO, interpreter_handler, SA_ONSTACK);
    EQUAL(sigcffi_dispositions_query(STANDARD_TOO), SIGCFFI_FOREIGN);
    EQUAL(sigcffi_interpreter_recognise(STANDARD_TOO), SIGCFFI_PYTHON);
    install(STANDARD, foreign_counter, 0);
    EQUAL(sigcffi_interpreter_recognise(STANDARD), SIGCFFI_FOREIGN); /* there is one interpreter */
    figures("recognise");
}

/* ---- Foreign handlers ---- */

static void a_foreign_base_gets_everything_on_the_thread_the_kernel_chose(void)
{
    start_takers(2);
    const int rounds = 200 * SCALE;
    int deliveries = 0;
    for (int with_siginfo = 0; with_siginfo < 2; with_siginfo++) {
        install_foreign(QUEUED, with_siginfo ? SA_SIGINFO : 0);
        EQUAL(sigcffi_interpose(QUEUED), 0);
        for (int i = 0; i < rounds; i++) {
            atomic_store(&foreign_turn, i);
            queue_to(takers[i % 2], QUEUED, i);
            deliveries++;
            UNTIL(atomic_load(&foreign_calls) == deliveries);
            EQUAL(foreign_info.si_code, SI_QUEUE);
            EQUAL(foreign_info.si_value.sival_int, i);
            EQUAL(foreign_info.si_pid, getpid());
            CHECK(foreign_context != NULL);
            CHECK(pthread_equal(foreign_thread, takers[i % 2]));
        }
        EQUAL(sigcffi_interpose_withdraw(QUEUED), 0);
    }
    EQUAL(sigcffi_channel_deliveries(QUEUED), deliveries);
    stop_takers();
    figures("%d signals", deliveries);
}

static void *errno_in_thread(void *main_has_blocked)
{
    if (main_has_blocked != NULL) UNTIL(atomic_load((atomic_bool *)main_has_blocked));
    errno = ENOTRECOVERABLE;
    long long before = atomic_load(&calls[QUEUED]);
    queue_to(pthread_self(), QUEUED, 0);
    UNTIL(atomic_load(&calls[QUEUED]) > before);
    EQUAL(errno, ENOTRECOVERABLE);
    return NULL;
}

static void errno_survives_the_trampoline(void)
{
    install_foreign(STANDARD, SA_SIGINFO);
    EQUAL(sigcffi_interpose(STANDARD), 0);
    register_signal(STANDARD_TOO);
    register_signal(QUEUED);
    atomic_store(&errno_is_clobbered, true);
    for (int i = 0; i < 100; i++) {
        errno = ENOTRECOVERABLE;
        MUST(raise(STANDARD)); /* a handler that leaves another errno */
        UNTIL(atomic_load(&foreign_calls) > i);
        EQUAL(errno, ENOTRECOVERABLE);
        MUST(raise(STANDARD_TOO));
        UNTIL(atomic_load(&calls[STANDARD_TOO]) > i);
        EQUAL(errno, ENOTRECOVERABLE);
    }
    /* While a poke arrives. */
    start_takers(1);
    for (int i = 0; i < 100; i++) {
        errno = ENOTRECOVERABLE;
        queue_to(takers[0], QUEUED, i);
        UNTIL(atomic_load(&calls[QUEUED]) > i);
        EQUAL(errno, ENOTRECOVERABLE);
    }
    stop_takers();
    /* In a thread: while it pokes, and while it makes the call itself. */
    join(start_thread(errno_in_thread, NULL));
    atomic_bool blocked = false;
    pthread_t thread = start_thread(errno_in_thread, &blocked);
    sigcffi_masks_sigmask(SIG_BLOCK, sigcffi_bit(SIGURG));
    atomic_store(&blocked, true);
    join(thread);
    sigcffi_masks_sigmask(SIG_UNBLOCK, sigcffi_bit(SIGURG));
    EQUAL(atomic_load(&calls_elsewhere[QUEUED]), 1);
    figures("foreign and interpreter's handler, 2 threads");
}

/* ---- Deferral ---- */

static pthread_barrier_t barrier;
static const int deferral_rounds = 150 * SCALE;

static void *lift_repeatedly(void *argument)
{
    for (int i = 0; i < deferral_rounds; i++) {
        sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        pthread_barrier_wait(&barrier); /* all have deferred */
        pthread_barrier_wait(&barrier);
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier); /* all calls have been made */
    }
    return argument;
}

static void a_deferred_signal_waits_and_is_not_lost_when_lifting_races(void)
{
    const int held = 40, racing = 20;
    long long total = 0;
    register_signal(QUEUED);
    start_takers(2);
    MUST(pthread_barrier_init(&barrier, NULL, 3));
    pthread_t lifters[] = {start_thread(lift_repeatedly, NULL),
                           start_thread(lift_repeatedly, NULL)};
    for (int i = 0; i < deferral_rounds; i++) {
        if (i % 2) sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        pthread_barrier_wait(&barrier);
        long long before = atomic_load(&calls[QUEUED]);
        for (int n = 0; n < held; n++) queue_to(takers[n % 2], QUEUED, n);
        UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)total + held);
        EQUAL(atomic_load(&calls[QUEUED]), before);
        pthread_barrier_wait(&barrier);
        /* Two threads lift, in every second round this one too, and more arrives. */
        for (int n = 0; n < racing; n++) {
            queue_to(takers[n % 2], QUEUED, n);
            if (n == racing / 2 && i % 2) sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        }
        pthread_barrier_wait(&barrier);
        total += held + racing;
        UNTIL(atomic_load(&heard[QUEUED]) == total); /* without another signal to help */
        CHECK(atomic_load(&calls[QUEUED]) <= total);
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < 2; i++) join(lifters[i]);
    stop_takers();
    EQUAL(sigcffi_channel_deliveries(QUEUED), total);
    figures("%lld signals in %d rounds", total, deferral_rounds);
}

/* Two threads meet anew in every round, each a little early or late. */
static _Atomic int current_round; /* negative: no more */

static bool wait_for_round(int round)
{
    int now;
    MEET((now = atomic_load(&current_round)) >= round || now < 0);
    return now >= 0;
}

static _Atomic int deferred_round, lifted_round;

static void *lift_in_every_round(void *argument)
{
    unsigned random = 54321;
    for (int i = 1; wait_for_round(i); i++) {
        sigcffi_deferral_defer(sigcffi_bit(QUEUED));
        atomic_store(&deferred_round, i);
        /* Sending takes longer than lifting, and how much longer nobody knows. */
        spin(random_below(&random, 256 << random_below(&random, 6)));
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
        atomic_store(&lifted_round, i);
    }
    return argument;
}

/* Whichever sees the other: the signal that nothing is deferred, or the lifting that a call is
 * pending. That neither does, when they meet within nanoseconds, is the error looked for. */
static void a_signal_that_meets_the_lifting_is_not_left_behind(void)
{
    const int rounds = 100000 * SCALE;
    unsigned random = 12345;
    register_signal(QUEUED);
    pthread_t lifting = start_thread(lift_in_every_round, NULL);
    int i = 0;
    while (i < rounds && (i % 64 != 0 || time_is_left())) {
        i++;
        atomic_store(&current_round, i);
        MEET(atomic_load(&deferred_round) >= i);
        spin(random_below(&random, 256));
        MUST(raise(QUEUED));
        MEET(atomic_load(&lifted_round) >= i);
        MEET(atomic_load(&calls[QUEUED]) >= i);
        EQUAL(atomic_load(&calls[QUEUED]), i);
    }
    atomic_store(&current_round, -1);
    join(lifting);
    figures("%d of %d rounds", i, rounds);
}

static void deferring_one_signal_holds_back_no_other(void)
{
    register_signal(STANDARD);
    register_signal(STANDARD_TOO);
    install(QUEUED, foreign_counter, 0);
    EQUAL(sigcffi_interpose(QUEUED), 0);
    sigcffi_deferral_defer(sigcffi_bit(STANDARD) | sigcffi_bit(QUEUED));
    MUST(raise(STANDARD));
    MUST(raise(STANDARD_TOO));
    MUST(raise(QUEUED)); /* a foreign handler is never held back */
    UNTIL(sigcffi_channel_deliveries(STANDARD) == 1);
    UNTIL(atomic_load(&calls[STANDARD_TOO]) == 1 && atomic_load(&foreign_calls) == 1);
    sigcffi_deferral_defer(sigcffi_bit(STANDARD_TOO));
    sigcffi_deferral_lift(sigcffi_bit(STANDARD_TOO));
    EQUAL(atomic_load(&calls[STANDARD]), 0);
    sigcffi_deferral_lift(sigcffi_bit(STANDARD) | sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[STANDARD]), 1);
    EQUAL(atomic_load(&foreign_calls), 1);
    figures("3 signals");
}

/* ---- fork ---- */

static int64_t forks_counter;
static const int forks = TSAN || ASAN ? 250 : 700; /* by each of three threads */

static void check_forked_child(bool deferred)
{
    CHECK(sigcffi_main_thread_is_current());
    for (int signum = 1; signum < NSIG; signum++) EQUAL(sigcffi_channel_deliveries(signum), 0);
    EQUAL(sigcffi_attachments_tally(QUEUED, forks_counter).count, 0);
    /* Nothing is pending of what the parent received, and the lock is free. */
    long long before = atomic_load(&calls[QUEUED]);
    if (deferred) sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[QUEUED]), before);
    EQUAL(sigcffi_interpose(STANDARD_TOO), 0);
    EQUAL(sigcffi_interpose_withdraw(STANDARD_TOO), 0);
    atomic_store(&main_thread_promised, true);
    MUST(raise(QUEUED));
    UNTIL(atomic_load(&calls[QUEUED]) > before);
    EQUAL(atomic_load(&calls[QUEUED]), before + 1);
    EQUAL(sigcffi_channel_deliveries(QUEUED), 1);
    EQUAL(sigcffi_attachments_tally(QUEUED, forks_counter).count, 1);
    _exit(0);
}

static void *fork_repeatedly(void *argument)
{
    /* A mask of its own, so that one thread cannot get the other's. */
    sigset_t mask = sigcffi_set_of(sigcffi_bit(SIGHUP + (int)(intptr_t)argument));
    restore(&mask);
    for (int i = 0; i < forks; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), sigcffi_word_of(&mask));
        if (pid == 0) check_forked_child(argument == NULL); /* the main thread's section */
        int status;
        while (waitpid(pid, &status, 0) != pid) EQUAL(errno, EINTR);
        EQUAL(status, 0);
    }
    return NULL;
}

static void *change_dispositions(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        EQUAL(sigcffi_interpose(STANDARD), 0);
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        breathe();
    }
    return NULL;
}

static atomic_bool flood_stop;

static void *flood_until_stopped(void *target)
{
    long long sent = 0;
    for (; !atomic_load(&flood_stop); sent++) {
        queue_to(*(pthread_t *)target, QUEUED, 0);
        /* No faster than they are taken: what counts is that some are always on the way. */
        UNTIL(sigcffi_channel_deliveries(QUEUED) + 50 > (uint64_t)sent);
    }
    return (void *)(intptr_t)sent;
}

static void a_forked_child_starts_clean_with_a_free_lock(void)
{
    register_signal(QUEUED);
    forks_counter = attach_counter(QUEUED);
    /* Held back in this process, so that a call is pending when it forks. */
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    start_takers(2);
    atomic_bool stop = false;
    pthread_t flooding = start_thread(flood_until_stopped, &takers[0]);
    pthread_t busy = start_thread(change_dispositions, &stop);
    pthread_t forking[2];
    UNTIL(sigcffi_channel_deliveries(QUEUED) > 10);
    for (intptr_t i = 0; i < 2; i++) forking[i] = start_thread(fork_repeatedly, (void *)(i + 1));
    fork_repeatedly(NULL);
    for (int i = 0; i < 2; i++) join(forking[i]);
    atomic_store(&stop, true);
    join(busy);
    atomic_store(&flood_stop, true);
    void *sent = join(flooding);
    UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)(intptr_t)sent);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    CHECK(sigcffi_main_thread_is_current());
    sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(&calls[QUEUED]), 1);
    EQUAL(sigcffi_attachments_tally(QUEUED, forks_counter).count, (intptr_t)sent);
    stop_takers();
    figures("%d forks, %lld signals", 3 * forks, (long long)(intptr_t)sent);
}

static void raise_queued(void)
{
    MUST(raise(QUEUED));
}

static void a_signal_inside_fork_waits_until_both_sides_are_ready(void)
{
    const int rounds = 50 * SCALE;
    register_signal(QUEUED);
    atomic_store(&main_thread_promised, true);
    for (int i = 0; i < rounds; i++) {
        atomic_store(&inside_fork, raise_queued);
        pid_t pid = fork();
        CHECK(pid >= 0);
        long long expected = i + 1;
        UNTIL(atomic_load(&calls[QUEUED]) >= expected);
        EQUAL(atomic_load(&calls[QUEUED]), expected);
        /* The child's own, that came before sigcffi had made it a new process, is counted. */
        EQUAL(sigcffi_channel_deliveries(QUEUED), pid == 0 ? 1 : expected);
        if (pid == 0) _exit(0);
        int status;
        while (waitpid(pid, &status, 0) != pid) EQUAL(errno, EINTR);
        EQUAL(status, 0);
    }
    atomic_store(&inside_fork, NULL);
    figures("%d forks", rounds);
}

static _Atomic int handler_forks;

static void fork_in_handler(int signum)
{
    (void)signum;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        EQUAL(sigcffi_interpose(STANDARD), 0);
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        _exit(0);
    }
    int status;
    while (waitpid(pid, &status, 0) != pid) EQUAL(errno, EINTR);
    EQUAL(status, 0);
    atomic_fetch_add(&handler_forks, 1);
}

static void *provoke_forks(void *target)
{
    const int rounds = ASAN ? 300 : 1500;
    for (int i = 0; i < rounds; i++) {
        queue_to(*(pthread_t *)target, QUEUED, 0);
        while (atomic_load(&handler_forks) <= i) sched_yield();
    }
    return NULL;
}

static void a_foreign_handler_may_fork_wherever_it_interrupts_us(void)
{
    if (TSAN) skip("ThreadSanitizer's own fork() takes locks that the handler interrupts");
    install(QUEUED, fork_in_handler, 0);
    EQUAL(sigcffi_interpose(QUEUED), 0);
    pthread_t main_thread = pthread_self();
    sigset_t former = block(QUEUED);
    pthread_t provoking = start_thread(provoke_forks, &main_thread);
    restore(&former);
    long long times = 0;
    for (; atomic_load(&handler_forks) < 300 * SCALE; times++) {
        EQUAL(sigcffi_interpose(STANDARD), 0);
        EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
        EQUAL(sigcffi_attachments_detach(STANDARD, attach_counter(STANDARD)).count, 0);
    }
    join(provoking);
    figures("%d forks in %lld calls", (int)atomic_load(&handler_forks), 4 * times);
}

/* ---- Faults ---- */

static char *forbidden_page;

#define NOT_INSTRUMENTED __attribute__((noinline, no_sanitize("undefined", "address", "thread")))

NOT_INSTRUMENTED static void write_to_forbidden_page(void)
{
    *(volatile char *)forbidden_page = 1;
}

static char *mapped_beyond_the_end_of_its_file;

NOT_INSTRUMENTED static void read_beyond_the_end_of_a_file(void)
{
    (void)*(volatile char *)mapped_beyond_the_end_of_its_file;
}

#if defined(__x86_64__) || defined(__i386__)
NOT_INSTRUMENTED static void divide_by_zero(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx" ::
                         : "eax", "ecx", "edx", "cc");
}

static void hit_a_breakpoint(void)
{
    __asm__ volatile("int3");
}

static void execute_an_illegal_instruction(void)
{
    __asm__ volatile("ud2");
}
#endif

static const struct {
    int signum;
    void (*commit)(void);
} faults[] = {
    {SIGSEGV, write_to_forbidden_page},
    {SIGBUS, read_beyond_the_end_of_a_file},
#if defined(__x86_64__) || defined(__i386__)
    /* Elsewhere a division by zero may yield a number, and a trap raise another signal. */
    {SIGFPE, divide_by_zero},
    {SIGTRAP, hit_a_breakpoint},
    {SIGILL, execute_an_illegal_instruction},
#endif
};
enum { FAULTS = sizeof faults / sizeof *faults };

static int current_fault;

static void prepare_faults(void)
{
    char name[] = "/tmp/sigcffi-stress-XXXXXX";
    forbidden_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    MUST(unlink(name)); /* and empty: what is mapped of it lies beyond its end */
    mapped_beyond_the_end_of_its_file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(forbidden_page != MAP_FAILED && mapped_beyond_the_end_of_its_file != MAP_FAILED);
}

static void *commit_fault(void *argument)
{
    faults[current_fault].commit();
    _exit(3); /* it was no fault */
    return argument;
}

/* The interpreter would set a flag and return to the instruction, for ever. */
static void refuse(int signum)
{
    (void)signum;
    _exit(4);
}

static void fault_under_the_interpreter(void)
{
    int signum = faults[current_fault].signum;
    install(signum, refuse, SA_ONSTACK);
    EQUAL(sigcffi_dispositions_registered(signum), 0);
    commit_fault(NULL);
}

static void fault_in_another_thread(void)
{
    int signum = faults[current_fault].signum;
    install(signum, refuse, SA_ONSTACK);
    EQUAL(sigcffi_dispositions_registered(signum), 0);
    sigcffi_deferral_defer(UINT64_MAX);
    join(start_thread(commit_fault, NULL));
}

static void fault_under_the_default_action(void)
{
    EQUAL(sigcffi_interpose(faults[current_fault].signum), 0);
    commit_fault(NULL);
}

static void exit_with_five(int signum, siginfo_t *info, void *context)
{
    _exit(signum == info->si_signo && info->si_code > 0 && context != NULL ? 5 : 6);
}

static void fault_under_a_foreign_handler(void)
{
    int signum = faults[current_fault].signum;
    install(signum, (void (*)(int))(void *)exit_with_five, 0);
    EQUAL(sigcffi_interpose(signum), 0);
    commit_fault(NULL);
}

static void a_fault_ends_the_process_by_its_own_signal(void)
{
    prepare_faults();
    for (current_fault = 0; current_fault < FAULTS; current_fault++) {
        int signum = faults[current_fault].signum;
        case_function *const deadly[] = {fault_under_the_interpreter, fault_in_another_thread,
                                         fault_under_the_default_action};
        for (int i = 0; i < 3; i++) {
            int status = status_of_child(deadly[i]);
            CHECK(WIFSIGNALED(status));
            EQUAL(WTERMSIG(status), signum);
        }
        int status = status_of_child(fault_under_a_foreign_handler);
        CHECK(WIFEXITED(status));
        EQUAL(WEXITSTATUS(status), 5);
    }
    figures("%d faults, 4 ways", FAULTS);
}

static void a_fault_signal_that_was_sent_is_handled_like_any_other(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    start_takers(1);
    for (int i = 0; i < 5; i++) {
        int signum = signals[i];
        register_signal(signum);
        atomic_store(&main_thread_promised, true);
        MUST(raise(signum));
        UNTIL(atomic_load(&calls[signum]) == 1);
        sigset_t former = block(signum); /* to the process, for the other thread to take */
        MUST(kill(getpid(), signum));
        UNTIL(atomic_load(&calls[signum]) == 2);
        restore(&former);
        queue_to(takers[0], signum, 0);
        UNTIL(atomic_load(&calls[signum]) == 3);
        EQUAL(sigcffi_channel_deliveries(signum), 3);
    }
    stop_takers();
    figures("5 signals, 3 ways");
}

/* ---- Waiting ---- */

/* Sends one signal per round, at a moment that wanders over the main thread's way to sleep. */
static void *send_around_the_pause(void *target)
{
    unsigned random = 12345;
    for (int i = 1; wait_for_round(i); i++) {
        spin(random_below(&random, 4096));
        MUST(target == NULL ? kill(getpid(), STANDARD)
                            : pthread_kill(*(pthread_t *)target, STANDARD));
    }
    return NULL;
}

static void pause_around(pthread_t *target, int rounds)
{
    atomic_store(&current_round, 0);
    long long before = atomic_load(&calls[STANDARD]);
    sigset_t former = block(STANDARD);
    pthread_t sender = start_thread(send_around_the_pause, target);
    restore(&former);
    for (int i = 1; i <= rounds; i++) {
        unsigned arrivals = sigcffi_trampoline_arrivals();
        atomic_store(&current_round, i);
        while (atomic_load(&calls[STANDARD]) == before) {
            sigcffi_waits_pause(arrivals);
            arrivals = sigcffi_trampoline_arrivals();
        }
        EQUAL(atomic_load(&calls[STANDARD]), ++before);
    }
    atomic_store(&current_round, -1);
    join(sender);
}

static void pause_never_sleeps_through_a_signal_to_the_main_thread(void)
{
    const int rounds = 4000 * SCALE;
    register_signal(STANDARD);
    for (int i = 0; i < rounds; i++) {
        unsigned arrivals = sigcffi_trampoline_arrivals();
        MUST(raise(STANDARD)); /* between the two */
        sigcffi_waits_pause(arrivals);
    }
    UNTIL(atomic_load(&calls[STANDARD]) == rounds);
    pthread_t main_thread = pthread_self();
    pause_around(&main_thread, rounds);
    pause_around(NULL, rounds);
    figures("%d rounds, 3 ways", rounds);
}

static void pause_never_sleeps_through_a_signal_taken_by_another_thread(void)
{
    const int rounds = 4000 * SCALE;
    register_signal(STANDARD);
    start_takers(2);
    pause_around(&takers[0], rounds);
    pause_around(NULL, rounds);
    stop_takers();
    figures("%d rounds, 2 ways", rounds);
}

/* The linker sends sigcffi_waits_pause's own call here: the last moment before it sleeps. */
int __real_sigsuspend(const sigset_t *mask);
int __wrap_sigsuspend(const sigset_t *mask);
static void (*_Atomic before_sleep)(void);
static pthread_t sleeper;

int __wrap_sigsuspend(const sigset_t *mask)
{
    void (*hook)(void) = atomic_load(&before_sleep);
    if (hook != NULL && pthread_equal(pthread_self(), sleeper)) hook();
    return __real_sigsuspend(mask);
}

static void another_thread_takes_one(void)
{
    uint64_t before = sigcffi_channel_deliveries(QUEUED);
    queue_to(takers[0], QUEUED, 0);
    UNTIL(sigcffi_channel_deliveries(QUEUED) > before);
    /* Until the taker is through with it: this one it takes, and does, after the first. */
    long long foreign_before = atomic_load(&foreign_calls);
    queue_to(takers[0], QUEUED_TOO, 0);
    UNTIL(atomic_load(&foreign_calls) > foreign_before);
}

static void another_thread_takes_one_for_itself(void)
{
    another_thread_takes_one();
    MUST(raise(STANDARD)); /* by which the sleep ends */
}

static void pause_is_woken_by_another_threads_signal_up_to_the_last_moment(void)
{
    const int rounds = 300;
    register_signal(QUEUED);
    install(QUEUED_TOO, foreign_counter, 0);
    start_takers(1);
    sleeper = pthread_self();
    atomic_store(&before_sleep, another_thread_takes_one);
    for (int i = 0; i < rounds; i++) {
        sigcffi_waits_pause(sigcffi_trampoline_arrivals());
        UNTIL(atomic_load(&calls[QUEUED]) > i);
    }
    EQUAL(atomic_load(&calls[QUEUED]), rounds);
    EQUAL(atomic_load(&calls_elsewhere[QUEUED]), 0);
    /* Where that is not to be, the call is made all the same. */
    atomic_store(&before_sleep, another_thread_takes_one_for_itself);
    install(STANDARD, foreign_counter, 0);
    for (int i = 0; i < rounds; i++) {
        sigcffi_waits_sigsuspend(sigcffi_bit(SIGURG), sigcffi_trampoline_arrivals());
        EQUAL(atomic_load(&calls_elsewhere[QUEUED]), i + 1);
        EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    }
    another_thread_takes_one(); /* from then on as before */
    UNTIL(atomic_load(&calls[QUEUED]) == 2 * rounds + 1);
    EQUAL(atomic_load(&calls_elsewhere[QUEUED]), rounds);
    atomic_store(&before_sleep, NULL);
    stop_takers();
    figures("%d rounds, 2 ways", rounds);
}

/* ---- Masks and interval timers ---- */

static void masks_travel_as_words(void)
{
    uint64_t valid = sigcffi_masks_valid_signals();
    CHECK(valid & sigcffi_bit(SIGKILL) && valid & sigcffi_bit(SIGRTMAX));
    uint64_t both = sigcffi_bit(STANDARD) | sigcffi_bit(SIGRTMAX);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, both), 0);
    EQUAL(sigcffi_masks_sigmask(SIG_UNBLOCK, sigcffi_bit(STANDARD)), (long long)both);
    EQUAL(sigcffi_masks_sigmask(SIG_SETMASK, both), (long long)sigcffi_bit(SIGRTMAX));
    EQUAL(sigcffi_masks_sigmask(4711, 0), -1);
    MUST(raise(STANDARD));
    EQUAL(sigcffi_masks_sigpending(), (long long)sigcffi_bit(STANDARD));
    struct sigcffi_record record;
    EQUAL(sigcffi_waits_accept(both, -1, &record), STANDARD);
    EQUAL(record.signo, STANDARD);
    EQUAL(record.pid, getpid());
    EQUAL(sigcffi_waits_accept(both, 0, NULL), -EAGAIN);
    EQUAL(sigcffi_sending_pthread_kill((unsigned long)pthread_self(), SIGRTMAX), 0);
    EQUAL(sigcffi_waits_accept(both, 1000000000, NULL), SIGRTMAX);
    EQUAL(sigcffi_sending_pidfd_send_signal(-1, STANDARD, 0), SIGCFFI_HAS_PIDFD ? -EBADF : -ENOSYS);
    figures("block, pend, accept");
}

static void all_that_is_pending_is_drained_and_nothing_else(void)
{
    enum { SENT = 100, ROOM = 64 };
    static struct sigcffi_record records[ROOM];
    uint64_t set = sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), 0);
    sigset_t former = block(QUEUED);
    block(QUEUED_TOO);
    for (int i = 0; i < SENT; i++) queue_to(pthread_self(), QUEUED, i);
    queue_to(pthread_self(), QUEUED_TOO, 0);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), ROOM);
    for (int i = 0; i < ROOM; i++) EQUAL(records[i].value, i);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), SENT - ROOM);
    EQUAL(records[SENT - ROOM - 1].value, SENT - 1);
    EQUAL(sigcffi_waits_drain(set, records, ROOM), 0);
    EQUAL(sigcffi_masks_sigpending(), (long long)sigcffi_bit(QUEUED_TOO));
    EQUAL(sigcffi_waits_accept(sigcffi_bit(QUEUED_TOO), 0, NULL), QUEUED_TOO);
    restore(&former);
    figures("%d signals", SENT);
}

static void a_block_takes_back_what_it_has_changed(void)
{
    uint64_t one = sigcffi_bit(STANDARD), other = sigcffi_bit(QUEUED), both = one | other;
    const int deep = 1000;
    EQUAL(sigcffi_masks_block(one), 0);
    EQUAL(sigcffi_masks_block(both), (long long)one);
    EQUAL(sigcffi_masks_blocks(), 2);
    sigcffi_masks_unblock(one); /* in another order */
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), (long long)both);
    sigcffi_masks_unblock(both);
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    for (int i = 0; i < deep; i++) sigcffi_masks_block(both);
    for (int i = 0; i < deep; i++) {
        EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), (long long)both);
        sigcffi_masks_unblock(both);
    }
    EQUAL(sigcffi_masks_sigmask(SIG_BLOCK, 0), 0);
    EQUAL(sigcffi_masks_blocks(), 0);
    figures("%d deep", deep);
}

/* A C library may go on waiting after a handler, with all of the time. */
static atomic_bool accepted;

static void *interrupt_until_accepted(void *target)
{
    while (!atomic_load(&accepted)) {
        queue_to(*(pthread_t *)target, STANDARD, 0);
        breathe();
    }
    return NULL;
}

static void a_handler_ends_a_wait_for_another_signal(void)
{
    const int64_t waits[] = {-1, INT64_C(3600000000000)};
    const uint64_t wanted = sigcffi_bit(QUEUED);
    pthread_t self = pthread_self();
    register_signal(STANDARD);
    sigset_t former = block(QUEUED);
    for (int i = 0; i < 2; i++) {
        atomic_store(&accepted, false);
        pthread_t interrupting = start_thread(interrupt_until_accepted, &self);
        EQUAL(sigcffi_waits_accept(wanted, waits[i], NULL), -EINTR);
        atomic_store(&accepted, true);
        join(interrupting);
    }
    restore(&former);
    figures("for ever, for an hour");
}

/* What is left of such times in 32 bits is nothing, or a second. */
static const int64_t long_times[] = {(INT64_C(1) << 32) * 1000000000,
                                     ((INT64_C(1) << 32) + 1) * 1000000000, INT64_MAX, -1};
static _Atomic uint32_t long_sleep, nobodys;

static void *sleep_long(void *nanoseconds)
{
    bool over = false;
    while (atomic_load(&long_sleep) == 0 && !over)
        over = sigcffi_platform_sleep_on(&long_sleep, 0, *(const int64_t *)nanoseconds);
    CHECK(!over);
    return NULL;
}

static void a_very_long_time_is_not_cut_off(void)
{
    enum { TIMES = sizeof long_times / sizeof *long_times };
    pthread_t sleeping[TIMES];
    for (int i = 0; i < TIMES; i++)
        sleeping[i] = start_thread(sleep_long, (void *)(uintptr_t)&long_times[i]);
    /* The whole of those above, were they cut off. */
    for (int64_t half = 500000000, i = 0; i < 3; i++)
        CHECK(sigcffi_platform_sleep_on(&nobodys, 0, half));
    atomic_store(&long_sleep, 1);
    sigcffi_platform_wake(&long_sleep, TIMES);
    for (int i = 0; i < TIMES; i++) join(sleeping[i]);

    sigcffi_itimer set = sigcffi_itimers_set(ITIMER_REAL, long_times[1], 0);
    if (sizeof(time_t) > 4)
        CHECK(set.value == 0 || set.interval == ENOTSUP); /* musl's system call takes a long */
    else
        CHECK(set.value != set.value && set.interval == ERANGE);
    CHECK(sigcffi_itimers_get(ITIMER_REAL).value == 0 ||
          sigcffi_itimers_get(ITIMER_REAL).value > 1e9);
    set = sigcffi_itimers_set(ITIMER_REAL, -(INT64_C(1) << 33) * 1000000000, 0);
    CHECK(set.value != set.value);
    figures("%d times", TIMES);
}

static void the_smallest_time_still_rings(void)
{
    register_signal(SIGALRM);
    sigcffi_itimer refused = sigcffi_itimers_set(ITIMER_REAL, -1000, 0);
    CHECK(isnan(refused.value) && refused.interval == EINVAL);
    EQUAL((long long)sigcffi_itimers_set(ITIMER_REAL, INT64_C(3600000000000), 0).value, 0);
    CHECK(sigcffi_itimers_get(ITIMER_REAL).value > 3500);
    CHECK(sigcffi_itimers_set(ITIMER_REAL, 1, 0).value > 3500);
    UNTIL(atomic_load(&calls[SIGALRM]) == 1);
    EQUAL((long long)sigcffi_itimers_set(ITIMER_VIRTUAL, INT64_C(3600000000000), 1).value, 0);
    CHECK(sigcffi_itimers_set(ITIMER_VIRTUAL, 0, 0).interval > 0); /* 1 us */
    EQUAL((long long)sigcffi_itimers_get(ITIMER_REAL).value, 0);
    refused = sigcffi_itimers_get(4711);
    CHECK(isnan(refused.value) && refused.interval == EINVAL);
    figures("1 ns");
}

#define CASE(name) {#name, name}

static const struct test_case cases[] = {
    CASE(a_signal_taken_by_another_thread_is_handled_once_on_the_main_thread),
    CASE(no_signal_of_a_flood_is_left_without_a_call),
    CASE(threads_in_the_trampoline_together_count_right),
    CASE(a_blocked_main_thread_does_not_hold_up_the_handler),
    CASE(a_cancelled_thread_still_passes_its_signals_on),
    CASE(a_used_up_queue_loses_nothing),
    CASE(a_counter_counts_every_delivery),
    CASE(a_full_table_refuses_and_attaches_nothing),
    CASE(the_base_misses_nothing_while_dispositions_change),
    CASE(the_trampoline_finds_its_base_from_the_first_instant),
    CASE(withdrawing_puts_the_base_back_as_it_was),
    CASE(siginterrupt_is_passed_on_to_the_base),
    CASE(what_somebody_else_installed_is_left_alone),
    CASE(the_interpreters_handler_is_recognised_and_no_other),
    CASE(a_foreign_base_gets_everything_on_the_thread_the_kernel_chose),
    CASE(errno_survives_the_trampoline),
    CASE(a_deferred_signal_waits_and_is_not_lost_when_lifting_races),
    CASE(a_signal_that_meets_the_lifting_is_not_left_behind),
    CASE(deferring_one_signal_holds_back_no_other),
    CASE(a_forked_child_starts_clean_with_a_free_lock),
    CASE(a_signal_inside_fork_waits_until_both_sides_are_ready),
    CASE(a_foreign_handler_may_fork_wherever_it_interrupts_us),
    CASE(a_fault_ends_the_process_by_its_own_signal),
    CASE(a_fault_signal_that_was_sent_is_handled_like_any_other),
    CASE(pause_never_sleeps_through_a_signal_to_the_main_thread),
    CASE(pause_never_sleeps_through_a_signal_taken_by_another_thread),
    CASE(pause_is_woken_by_another_threads_signal_up_to_the_last_moment),
    CASE(masks_travel_as_words),
    CASE(all_that_is_pending_is_drained_and_nothing_else),
    CASE(a_block_takes_back_what_it_has_changed),
    CASE(a_handler_ends_a_wait_for_another_signal),
    CASE(a_very_long_time_is_not_cut_off),
    CASE(the_smallest_time_still_rings),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const struct test_case *const all[] = {
        cases,          section_cases,  record_cases,     action_cases, ending_cases,
        receiver_cases, pressure_cases, relief_cases,     poke_cases,   urgent_cases,
        waking_cases,   level_cases,    surrounding_cases};
    int failed = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) failed |= run_cases(all[i], argc, argv);
    return failed;
}
