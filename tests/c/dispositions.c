/* Dispositions: the trampoline comes and goes, and the base misses nothing and is put back as it
 * was.
 *
 * Law: like stress.c.
 */
#include "foreign.h"

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
CASE(the_base_misses_nothing_while_dispositions_change)
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
    CHECK(is_action(QUEUED, &foreign));
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

CASE(the_trampoline_finds_its_base_from_the_first_instant)
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

CASE(withdrawing_puts_the_base_back_as_it_was)
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
            CHECK(is_action(signum, &before));
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

CASE(siginterrupt_is_passed_on_to_the_base)
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
        CHECK(is_action(STANDARD, &before));
    }
    figures("set and cleared");
}

CASE(what_somebody_else_installed_is_left_alone)
{
    install(STANDARD, foreign_counter, 0);
    EQUAL(sigcffi_interpose(STANDARD), 0);
    install_foreign(STANDARD, SA_SIGINFO | SA_RESTART);
    struct sigaction theirs;
    MUST(sigaction(STANDARD, NULL, &theirs));
    EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
    CHECK(is_action(STANDARD, &theirs));
    /* And is the base when the trampoline comes back. */
    EQUAL(sigcffi_interpose(STANDARD), 0);
    EQUAL(sigcffi_interpose_withdraw(STANDARD), 0);
    CHECK(is_action(STANDARD, &theirs));
    /* cover() goes on top of the interpreter's handler only. */
    register_signal(STANDARD_TOO);
    EQUAL(sigcffi_interpose_interpreter(STANDARD), 0);
    CHECK(is_action(STANDARD, &theirs));
    EQUAL(sigcffi_interpose_withdraw(STANDARD_TOO), 0);
    EQUAL(sigcffi_interpose_interpreter(STANDARD_TOO), 0);
    MUST(raise(STANDARD_TOO));
    UNTIL(atomic_load(&calls[STANDARD_TOO]) == 1);
    EQUAL(sigcffi_channel_deliveries(STANDARD_TOO), 1);
    figures("withdraw, interpose, cover");
}

CASE(the_interpreters_handler_is_recognised_and_no_other)
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
