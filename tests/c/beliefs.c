/* What is believed of a call, and handlers that never return.
 *
 * Law: like stress.c. Nothing is invented where the kernel has not told, and nothing of a handler
 * that has gone is left behind.
 */
#include "chaining.h"

#include <setjmp.h>

/* ---- What is believed ---- */

static struct sigcffi_record raise_one(void)
{
    MUST(raise(QUEUED));
    struct sigcffi_record record = next_record();
    EQUAL(record.signo, QUEUED);
    EQUAL(waiting_records(), 0);
    return record;
}

static void is_known(const struct sigcffi_record *record)
{
    EQUAL(record->fields, SIGCFFI_FIELD_PID | SIGCFFI_FIELD_UID);
    EQUAL(record->code, SI_TKILL);
    EQUAL(record->pid, getpid());
}

/* By a handler with one argument, whatever the others are: also what an earlier signal has left in
 * that place. */
CASE(nothing_is_invented_where_the_kernel_has_not_told)
{
    if (TSAN) skip("ThreadSanitizer calls every handler with three arguments that are right");
    const int rounds = 10 * SCALE;
    for (int i = 0; i < rounds; i++)
        for (int n = 0; n < CHAINING; n++) {
            dispatch(QUEUED);
            struct sigcffi_record record = raise_one();
            is_known(&record);
            put_on_top(QUEUED, chaining[n].handler, chaining[n].flags);
            record = raise_one();
            if (n == 0 && SIGCFFI_HAS_RETURN)
                is_known(&record); /* they lie as the kernel has put them */
            else
                EQUAL(record.fields, SIGCFFI_FIELD_NOTHING);
            /* Put back whole, and as signal(2) does, without SA_SIGINFO. */
            MUST(sigaction(QUEUED, &found, NULL));
            record = raise_one();
            is_known(&record);
            CHECK(signal(QUEUED, found.sa_handler) == found.sa_handler);
            record = raise_one();
            EQUAL(record.fields, SIGCFFI_FIELD_NOTHING);
            /* A program calls it itself, as a function. */
            MUST(sigaction(QUEUED, &found, NULL));
            pass_garbage(QUEUED);
            record = next_record();
            if (SIGCFFI_HAS_RETURN) EQUAL(record.fields, SIGCFFI_FIELD_NOTHING);
        }
    figures("%d rounds, %d handlers", rounds, CHAINING);
}

static void wait_for_ever(void)
{
    for (;;) pause();
}

CASE(actions_do_without_what_is_not_known)
{
    int ends[2];
    unsigned char byte = 0;
    open_pipe(ends);
    pid_t child = start_child(wait_for_ever);
    register_signal(STANDARD);
    CHECK(sigcffi_attachments_attach(STANDARD, SIGCFFI_SLOT_WRITE, ends[1], -1, 0, true) > 0);
    CHECK(sigcffi_attachments_attach(STANDARD, SIGCFFI_SLOT_FORWARD, child, -1, 0, true) > 0);
    put_on_top(STANDARD, pass_garbage, 0);
    MUST(raise(STANDARD));
    UNTIL(read(ends[0], &byte, 1) == 1);
    EQUAL(byte, STANDARD);
    EQUAL(status_of(child), STANDARD);
    UNTIL(atomic_load(&calls[STANDARD]) == 1);
    figures("write, forward");
}

/* ---- Handlers that do not return ---- */

static sigjmp_buf place;
static volatile sig_atomic_t jumps;

static void jump_out(int signum, siginfo_t *info, void *context)
{
    atomic_fetch_add(&foreign_calls, 1);
    if (jumps) siglongjmp(place, 1);
    found.sa_sigaction(signum, info, context);
}

static void jump_out_first(int signum)
{
    atomic_fetch_add(&foreign_calls, 1);
    if (jumps) siglongjmp(place, 1);
    found.sa_handler(signum);
}

static void leave_by_jumping(int times, int64_t counter)
{
    for (volatile int i = 0; i < times; i++) {
        long long before = atomic_load(&foreign_calls);
        long long counted = sigcffi_attachments_tally(QUEUED, counter).count;
        jumps = 1;
        if (sigsetjmp(place, 1) == 0) {
            MUST(raise(QUEUED));
            UNTIL(false);
        }
        jumps = 0;
        EQUAL(atomic_load(&foreign_calls), before + 1);
        EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, counted + 1);
    }
}

CASE(a_base_that_jumps_out_leaves_nothing_behind)
{
    if (TSAN) skip("ThreadSanitizer cannot leave the handler that it has called");
    const int rounds = 20 * SCALE;
    for (int one = 0; one < 2; one++) {
        void (*handler)(int) = one ? jump_out_first : (void (*)(int))(void *)jump_out;
        const int flags = one ? 0 : SA_SIGINFO;
        register_signal(QUEUED);
        put_on_top(QUEUED, handler, flags);
        int64_t counter = attach_counter(QUEUED);
        for (int i = 0; i < rounds; i++) {
            leave_by_jumping(3, counter);
            /* Without the jump it goes on down to the interpreter, and what is attached counts. */
            long long before = atomic_load(&calls[QUEUED]);
            long long counted = sigcffi_attachments_tally(QUEUED, counter).count;
            MUST(raise(QUEUED));
            UNTIL(atomic_load(&calls[QUEUED]) > before);
            EQUAL(atomic_load(&calls[QUEUED]), before + 1);
            EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, counted + 1);
            leave_by_jumping(1, counter);
            /* Nor where the handler has put itself in the trampoline's place since. */
            struct sigaction top, under = found;
            MUST(sigaction(QUEUED, NULL, &top));
            put_on_top(QUEUED, handler, flags);
            found = under;
            MUST(raise(QUEUED));
            UNTIL(atomic_load(&calls[QUEUED]) > before + 1);
            EQUAL(atomic_load(&calls[QUEUED]), before + 2);
            EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, counted + 3);
            EQUAL(sigcffi_interpose(QUEUED), 0);
        }
        sigcffi_attachments_detach(QUEUED, counter); /* no handler is still believed to see it */
    }
    figures("%d rounds", 2 * rounds);
}

static void end_thread(int signum)
{
    (void)signum;
    atomic_fetch_add(&foreign_calls, 1);
    pthread_exit(NULL);
}

static void *signal_itself(void *nothing)
{
    MUST(raise(QUEUED));
    UNTIL(false);
    return nothing;
}

CASE(a_base_that_ends_its_thread_leaves_nothing_behind)
{
    if (TSAN) skip("ThreadSanitizer cannot leave the handler that it has called");
    const int rounds = 20 * SCALE;
    put_on_top(QUEUED, end_thread, 0);
    for (int i = 1; i <= rounds; i++) {
        int64_t counter = attach_counter(QUEUED);
        join(start_thread(signal_itself, NULL));
        EQUAL(sigcffi_attachments_tally(QUEUED, counter).count, 1);
        sigcffi_attachments_detach(QUEUED, counter);
        EQUAL(atomic_load(&foreign_calls), i);
    }
    figures("%d threads", rounds);
}
