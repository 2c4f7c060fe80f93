/* Handlers of others on top of the trampoline, which call what they have found there, and the
 * trampoline on top of those.
 *
 * Law: like stress.c. One signal at a time: each handler of a chain is to be called once for each.
 */
#include "chaining.h"

/* It puts back what it has found, sends the signal anew, and itself on top again, as faulthandler.
 */
static void raise_anew(int signum)
{
    const struct sigaction itself = {.sa_handler = raise_anew, .sa_flags = SA_NODEFER};
    atomic_fetch_add(&foreign_calls, 1);
    sigaction(signum, &found, NULL);
    raise(signum);
    sigaction(signum, &itself, NULL);
}

/* ---- Once each ---- */

static long long sent;

/* To this thread, or another. */
static void send_one(bool elsewhere)
{
    if (elsewhere)
        queue_to(takers[0], QUEUED, 0);
    else
        MUST(raise(QUEUED));
    sent++;
}

static void each_is_called_once(int rounds, int64_t counter)
{
    for (int i = 0; i < rounds; i++) {
        long long counted = counter != 0 ? sigcffi_attachments_tally(QUEUED, counter).count : 0;
        send_one(i % 2);
        UNTIL(atomic_load(&foreign_calls) >= sent && atomic_load(&calls[QUEUED]) >= sent);
        UNTIL(sigcffi_channel_deliveries(QUEUED) >= (uint64_t)sent);
        EQUAL(atomic_load(&foreign_calls), sent);
        EQUAL(atomic_load(&calls[QUEUED]), sent);
        EQUAL(sigcffi_channel_deliveries(QUEUED), sent);
        if (counter != 0) EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, counted + 1);
    }
}

CASE(each_of_a_chain_is_called_once_for_a_signal)
{
    const int rounds = 20 * SCALE;
    start_takers(1);
    for (int i = 0; i < CHAINING; i++)
        for (int beneath = 0; beneath < 2; beneath++) {
            register_signal(QUEUED);
            int64_t first = beneath ? attach_counter(QUEUED) : 0;
            put_on_top(QUEUED, chaining[i].handler, chaining[i].flags);
            struct sigaction theirs, now;
            MUST(sigaction(QUEUED, NULL, &theirs));
            each_is_called_once(rounds, first);
            int64_t counter = attach_counter(QUEUED);
            each_is_called_once(rounds, counter);
            if (beneath) each_is_called_once(rounds, first);
            if (beneath) sigcffi_attachments_detach(QUEUED, first);
            each_is_called_once(rounds, counter);
            sigcffi_attachments_detach(QUEUED, counter);
            MUST(sigaction(QUEUED, NULL, &now));
            CHECK(now.sa_handler == theirs.sa_handler && now.sa_flags == theirs.sa_flags);
            each_is_called_once(rounds, 0);
        }
    stop_takers();
    figures("%lld signals", sent);
}

/* What goes to the dispatcher is for subscribers where the trampoline is, and for the handler where
 * the chain comes to it. */
CASE(of_a_chain_the_dispatcher_gets_each_part_once)
{
    const int rounds = 10 * SCALE;
    for (int i = 0; i < CHAINING; i++) {
        dispatch(QUEUED);
        put_on_top(QUEUED, chaining[i].handler, chaining[i].flags);
        for (int round = 0; round < rounds; round++) {
            MUST(raise(QUEUED));
            EQUAL(next_record().signo, QUEUED);
            UNTIL(waiting_records() == 0);
        }
        EQUAL(sigcffi_interpose(QUEUED), 0);
        for (int round = 0; round < rounds; round++) {
            MUST(raise(QUEUED));
            struct sigcffi_record upper = next_record(), lower = next_record();
            EQUAL(upper.signo, QUEUED | SIGCFFI_FOR_SUBSCRIBERS);
            EQUAL(lower.signo, QUEUED | SIGCFFI_FOR_HANDLER);
            EQUAL(upper.code, SI_TKILL);
            EQUAL(lower.code, SI_TKILL); /* what the kernel has told above */
            EQUAL(lower.pid, getpid());
            EQUAL(waiting_records(), 0);
        }
    }
    put_on_top(QUEUED, foreign_counter, 0); /* which calls nobody */
    EQUAL(sigcffi_interpose(QUEUED), 0);
    MUST(raise(QUEUED));
    EQUAL(next_record().signo, QUEUED | SIGCFFI_FOR_SUBSCRIBERS);
    EQUAL(waiting_records(), 0);
    figures("%d handlers", CHAINING);
}

CASE(a_handler_that_sends_the_signal_anew_comes_through)
{
    if (TSAN) skip("ThreadSanitizer holds back what is sent within a handler");
    const int rounds = 20 * SCALE;
    register_signal(QUEUED);
    put_on_top(QUEUED, raise_anew, SA_NODEFER);
    int64_t counter = attach_counter(QUEUED);
    for (int i = 1; i <= rounds; i++) {
        MUST(raise(QUEUED));
        UNTIL(atomic_load(&calls[QUEUED]) >= i && atomic_load(&foreign_calls) >= i);
        EQUAL(atomic_load(&calls[QUEUED]), i);
        EQUAL(atomic_load(&foreign_calls), i);
        /* It is delivered twice while the trampoline is on top, which the handler ends. */
        EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, i + 1);
    }
    EQUAL(sigcffi_interpose(QUEUED), 0); /* there again, as before */
    MUST(raise(QUEUED));
    UNTIL(atomic_load(&calls[QUEUED]) > rounds);
    EQUAL(atomic_load(&calls[QUEUED]), rounds + 1);
    EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, rounds + 3);
    figures("%d signals", rounds + 1);
}

/* ---- Put back ---- */

/* os.system() ignores SIGINT for a while; others unregister themselves. */
CASE(what_was_replaced_for_a_while_is_as_it_was)
{
    void (*const meanwhile[])(int) = {SIG_IGN, SIG_DFL, foreign_counter, pass_one};
    const int rounds = 20 * SCALE;
    long long called = 0;
    for (int i = 0; i < 4 * rounds; i++) {
        if (i == 0) register_signal(QUEUED);
        int64_t counter = i % 8 < 4 ? attach_counter(QUEUED) : 0;
        struct sigaction before = {0};
        put_on_top(QUEUED, meanwhile[i % 4], 0);
        before = found;
        if (counter == 0) counter = attach_counter(QUEUED); /* on top of that */
        EQUAL(sigcffi_interpose(QUEUED), 0);
        MUST(raise(QUEUED));
        called += meanwhile[i % 4] == pass_one;
        UNTIL(sigcffi_attachments_tally(QUEUED, counter).count == 1);
        MUST(sigaction(QUEUED, &before, NULL));
        MUST(raise(QUEUED));
        UNTIL(atomic_load(&calls[QUEUED]) > called);
        EQUAL(atomic_load(&calls[QUEUED]), ++called);
        EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, 2);
        EQUAL(sigcffi_dispositions_query(QUEUED), SIGCFFI_PYTHON);
        sigcffi_attachments_detach(QUEUED, counter);
        MUST(raise(QUEUED));
        UNTIL(atomic_load(&calls[QUEUED]) > called);
        EQUAL(atomic_load(&calls[QUEUED]), ++called);
    }
    figures("%d times", 4 * rounds);
}

static int unwanted_flags;

static void end_by_default(void)
{
    int64_t counter = attach_counter(SIGTERM);
    put_on_top(SIGTERM, foreign_counter, 0);
    sigcffi_attachments_detach(SIGTERM, counter); /* it cannot be taken away */
    MUST(raise(SIGTERM));
    EQUAL(atomic_load(&foreign_calls), 1);
    MUST(sigaction(SIGTERM, &found, NULL));
    raise(SIGTERM);
}

static void end_when_the_only_call_was_made(void)
{
    put_on_top(SIGTERM, foreign_counter, SA_RESETHAND | unwanted_flags);
    int64_t counter = attach_counter(SIGTERM);
    put_on_top(SIGTERM, foreign_counter, 0);
    sigcffi_attachments_detach(SIGTERM, counter);
    MUST(sigaction(SIGTERM, &found, NULL));
    MUST(raise(SIGTERM));
    EQUAL(atomic_load(&foreign_calls), 1);
    raise(SIGTERM);
}

static void go_on_where_it_is_ignored(void)
{
    put_on_top(SIGTERM, SIG_IGN, 0);
    int64_t counter = attach_counter(SIGTERM);
    put_on_top(SIGTERM, foreign_counter, 0);
    sigcffi_attachments_detach(SIGTERM, counter);
    MUST(sigaction(SIGTERM, &found, NULL));
    MUST(raise(SIGTERM));
}

/* As if it were not there, which it was while another handler stood on it. */
CASE(a_trampoline_that_nobody_wants_is_none)
{
    if (TSAN) skip("ThreadSanitizer ends the process by a status of its own");
    EQUAL(status_of_child(end_by_default), SIGTERM);
    for (int i = 0; i < 2; i++) {
        unwanted_flags = i ? SA_SIGINFO : 0;
        EQUAL(status_of_child(end_when_the_only_call_was_made), SIGTERM);
    }
    EQUAL(status_of_child(go_on_where_it_is_ignored), 0);
    figures("default, once, ignored");
}

/* ---- Many ---- */

enum { MANY = SIGCFFI_LEVELS + 4 };

static struct sigaction founds[MANY];
static _Atomic int called[MANY];

#define ONE_OF_MANY(number)                                                      \
    static void one_of_many_##number(int signum, siginfo_t *info, void *context) \
    {                                                                            \
        atomic_fetch_add(&called[number], 1);                                    \
        founds[number].sa_sigaction(signum, info, context);                      \
    }
ONE_OF_MANY(0)
ONE_OF_MANY(1)
ONE_OF_MANY(2)
ONE_OF_MANY(3)
ONE_OF_MANY(4)
ONE_OF_MANY(5)
ONE_OF_MANY(6)
ONE_OF_MANY(7)
ONE_OF_MANY(8)
ONE_OF_MANY(9)
ONE_OF_MANY(10)
ONE_OF_MANY(11)

static void (*const many[MANY])(int, siginfo_t *, void *) = {
    one_of_many_0, one_of_many_1, one_of_many_2, one_of_many_3, one_of_many_4,  one_of_many_5,
    one_of_many_6, one_of_many_7, one_of_many_8, one_of_many_9, one_of_many_10, one_of_many_11,
};

/* With more of them than there are levels some are passed by, but nobody comes twice, nor the
 * interpreter too short. */
CASE(with_however_many_on_top_of_each_other_the_interpreter_is_called)
{
    if (!SIGCFFI_HAS_RETURN) skip("it cannot be told whom a handler returns to");
    register_signal(QUEUED);
    int64_t counter = attach_counter(QUEUED);
    for (int n = 0; n < MANY; n++) {
        struct sigaction action = {.sa_sigaction = many[n], .sa_flags = SA_SIGINFO};
        MUST(sigaction(QUEUED, &action, &founds[n]));
        EQUAL(sigcffi_interpose(QUEUED), 0);
        for (int i = 0; i < MANY; i++) atomic_store(&called[i], 0);
        MUST(raise(QUEUED));
        UNTIL(atomic_load(&calls[QUEUED]) > n);
        EQUAL(atomic_load(&calls[QUEUED]), n + 1);
        EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, n + 1);
        EQUAL(atomic_load(&called[n]), 1);
        for (int i = 0; i < n; i++) CHECK(atomic_load(&called[i]) <= 1);
        if (n + 1 < SIGCFFI_LEVELS)
            for (int i = 0; i < n; i++) EQUAL(atomic_load(&called[i]), 1);
    }
    figures("%d on top of each other", MANY);
}

/* It was beneath the trampoline, and takes that for what it has replaced. */
CASE(a_handler_that_comes_back_on_top_is_called_once)
{
    if (!SIGCFFI_HAS_RETURN) skip("it cannot be told whom a handler returns to");
    const int rounds = 20 * SCALE;
    register_signal(QUEUED);
    int64_t counter = attach_counter(QUEUED);
    for (int i = 1; i <= rounds; i++) {
        put_on_top(QUEUED, pass_one, 0);
        EQUAL(sigcffi_interpose(QUEUED), 0);
        MUST(raise(QUEUED));
        UNTIL(atomic_load(&calls[QUEUED]) >= i);
        EQUAL(atomic_load(&calls[QUEUED]), i);
        EQUAL(atomic_load(&foreign_calls), i);
        EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, i);
    }
    figures("%d times", rounds);
}
