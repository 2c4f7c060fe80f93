/* What is pending is whoever handles it by the time it is let through, and the process's own.
 *
 * Law: like stress.c.
 */
#include "foreign.h"
#include "pokes.h"

#include <setjmp.h>
#include <sys/wait.h>

static const struct sigaction by_default; /* all zeros */

/* ---- Whose it is when it is let through ---- */

static void wait_in_a_section(int signum)
{
    register_signal(signum);
    sigcffi_deferral_defer(sigcffi_bit(signum));
    send_to_self(signum);
}

static void wait_elsewhere_in_a_section(int signum)
{
    register_signal(signum);
    sigcffi_deferral_defer(sigcffi_bit(signum));
    taken_by_another_thread(signum);
}

static void lift_onto_the_default_action(void)
{
    wait_in_a_section(STANDARD);
    EQUAL(sigcffi_dispositions_put_back(STANDARD, &by_default, 0), 0);
    sigcffi_deferral_lift(sigcffi_bit(STANDARD));
}

/* Which does what it would have done had they been blocked: several of a signal that queues come
 * as several. */
CASE(what_has_waited_is_whoever_handles_it_by_then)
{
    struct sigaction theirs;
    memset(&theirs, 0, sizeof theirs);
    theirs.sa_handler = foreign_counter;
    EQUAL(sigcffi_interpose(QUEUED_TOO), 0);
    start_takers(1);
    for (int i = 1; i <= 6; i++) {
        long long before = atomic_load(&foreign_calls), called = atomic_load(&calls[QUEUED]);
        (i % 2 ? wait_elsewhere_in_a_section : wait_in_a_section)(QUEUED);
        if (i > 2)
            sigcffi_deferral_pend_again(QUEUED, (unsigned)i); /* the dispatcher has had these */
        int all = i > 2 ? i : 1;
        EQUAL(sigcffi_dispositions_put_back(QUEUED, &theirs, 0), 0);
        EQUAL(atomic_load(&foreign_calls), before);
        EQUAL(sigcffi_deferral_lift(sigcffi_bit(QUEUED)), 1);
        UNTIL(atomic_load(&foreign_calls) >= before + all);
        EQUAL(atomic_load(&foreign_calls), before + all);
        EQUAL(atomic_load(&calls[QUEUED]), called);
        EQUAL((long long)pending(), 0);
        /* And with the trampoline in place it is one call. */
        wait_in_a_section(QUEUED);
        sigcffi_deferral_pend_again(QUEUED, (unsigned)i);
        EQUAL(sigcffi_deferral_lift(sigcffi_bit(QUEUED)), 1);
        EQUAL(atomic_load(&calls[QUEUED]), called + 1);
        EQUAL(sigcffi_deferral_settle(), 0);
    }
    stop_takers();
    /* Also where the dispatcher has had them all. */
    long long before = atomic_load(&foreign_calls);
    register_signal(QUEUED);
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    sigcffi_deferral_pend_again(QUEUED, 2);
    EQUAL(sigcffi_dispositions_put_back(QUEUED, &theirs, 0), 0);
    EQUAL(sigcffi_deferral_lift(sigcffi_bit(QUEUED)), 1);
    UNTIL(atomic_load(&foreign_calls) >= before + 2);
    EQUAL(atomic_load(&foreign_calls), before + 2);
    int status = status_of_child(lift_onto_the_default_action);
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), STANDARD);
    figures("a handler, the default action");
}

/* By the dispatcher, which then knows of so many deliveries that were not recorded. */
CASE(what_is_taken_on_is_taken_once)
{
    EQUAL(sigcffi_deferral_take_pending(QUEUED), 0);
    EQUAL(sigcffi_deferral_take_pending(0), 0);
    EQUAL(sigcffi_deferral_take_pending(NSIG), 0);
    for (unsigned times = 1; times < 4; times++) {
        wait_in_a_section(QUEUED);
        sigcffi_deferral_pend_again(QUEUED, times);
        EQUAL(sigcffi_deferral_take_pending(QUEUED), times);
        EQUAL((long long)atomic_load(&state.wake.delayed), 0);
        EQUAL(sigcffi_deferral_take_pending(QUEUED), 0);
        EQUAL(sigcffi_deferral_lift(sigcffi_bit(QUEUED)), 0);
    }
    sigcffi_deferral_pend_again(QUEUED, 0);
    sigcffi_deferral_pend_again(NSIG, 1);
    EQUAL((long long)pending(), 0);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    /* What nothing forbids is called at once. */
    sigcffi_deferral_pend_again(QUEUED, 2);
    EQUAL(atomic_load(&calls[QUEUED]), 1);
    figures("3 times");
}

static sigjmp_buf way_out;

static void jump_out(int signum)
{
    siglongjmp(way_out, signum);
}

static void *change_something(void *nothing)
{
    EQUAL(sigcffi_interpose(STANDARD_TOO), 0);
    EQUAL(sigcffi_interpose_withdraw(STANDARD_TOO), 0);
    return nothing;
}

/* Such handlers need not return, and nothing of ours stays as it was in the midst. */
CASE(a_handler_that_jumps_out_of_a_lifting_holds_nothing_up)
{
    if (TSAN) skip("ThreadSanitizer runs handlers later than they jump");
    struct sigaction theirs;
    memset(&theirs, 0, sizeof theirs);
    theirs.sa_handler = jump_out;
    for (volatile int i = 0; i < 20; i++) {
        wait_in_a_section(STANDARD);
        EQUAL(sigcffi_dispositions_put_back(STANDARD, &theirs, 0), 0);
        if (sigsetjmp(way_out, 1) == 0) {
            sigcffi_deferral_lift(sigcffi_bit(STANDARD));
            fail(__FILE__, __LINE__, "it has returned", 0, 0);
        }
        join(start_thread(change_something, NULL));
        EQUAL((long long)pending(), 0);
        EQUAL((long long)atomic_load(word(SIGCFFI_WORD_DEFERRED)), 0);
    }
    figures("20 times");
}

/* ---- fork ---- */

static long long calls_before_fork;

static void check_child(void)
{
    EQUAL((long long)pending(), 0);
    EQUAL((long long)atomic_load(&state.wake.delayed), 0);
    EQUAL((long long)atomic_load(word(SIGCFFI_WORD_CALLS + QUEUED)), calls_before_fork);
    EQUAL(sigcffi_deferral_lift(sigcffi_bit(QUEUED)), 0);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    wait_in_a_section(QUEUED);
    EQUAL(sigcffi_deferral_take_pending(QUEUED), 1);
    _exit(0);
}

/* And no more than one of what comes to it. */
CASE(nothing_is_pending_in_a_forked_child)
{
    const int rounds = 10 * SCALE;
    _Atomic uint64_t *called = word(SIGCFFI_WORD_CALLS + QUEUED);
    for (int i = 1; i <= rounds; i++) {
        wait_in_a_section(QUEUED);
        sigcffi_deferral_pend_again(QUEUED, 5);
        calls_before_fork = (long long)atomic_load(called);
        atomic_fetch_add(called, SIGCFFI_ON_ITS_WAY); /* a thread is just calling */
        EQUAL(status_of_child(check_child), 0);
        atomic_fetch_sub(called, SIGCFFI_ON_ITS_WAY);
        EQUAL(sigcffi_deferral_take_pending(QUEUED), 5);
        sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    }
    figures("%d forks", rounds);
}
