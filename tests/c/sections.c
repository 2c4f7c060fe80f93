/* Critical sections, nested and overlapping; and what is special about some bases.
 *
 * Law: like stress.c.
 */
#include "reading.h"

#include <sched.h>
#include <sys/wait.h>

/* ---- Critical sections ---- */

CASE(a_section_ends_when_it_was_left_as_often_as_entered)
{
    uint64_t bit = sigcffi_bit(QUEUED);
    register_signal(QUEUED);
    register_signal(STANDARD);
    sigcffi_deferral_defer(bit);
    sigcffi_deferral_defer(bit | sigcffi_bit(STANDARD));
    sigcffi_deferral_defer(UINT64_MAX);
    sigcffi_deferral_defer(UINT64_MAX);
    MUST(raise(QUEUED));
    MUST(raise(QUEUED));
    MUST(raise(STANDARD));
    UNTIL(sigcffi_channel_deliveries(QUEUED) == 2 && sigcffi_channel_deliveries(STANDARD) == 1);
    EQUAL(sigcffi_deferral_lift(UINT64_MAX), 0);
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)) == UINT64_MAX, true);
    EQUAL(sigcffi_deferral_lift(bit), 0);
    EQUAL(sigcffi_deferral_lift(UINT64_MAX), 0);
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), bit | sigcffi_bit(STANDARD));
    EQUAL(atomic_load(&calls[QUEUED]) + atomic_load(&calls[STANDARD]), 0);
    CHECK(!sigcffi_deferral_defer(bit)); /* no call was made since */
    EQUAL(sigcffi_deferral_lift(bit | sigcffi_bit(STANDARD)), 1);
    EQUAL(atomic_load(&calls[STANDARD]), 1);
    EQUAL(atomic_load(&calls[QUEUED]), 0);
    EQUAL(sigcffi_deferral_lift(bit), 1);
    EQUAL(atomic_load(&calls[QUEUED]), 1); /* for both */
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), 0);
    CHECK(sigcffi_deferral_defer(bit)); /* now there were */
    CHECK(!sigcffi_deferral_defer(bit));
    figures("nested, for some signals and for all");
}

static pthread_barrier_t barrier;

static void *enter_and_leave(void *argument)
{
    uint64_t set = *(uint64_t *)argument;
    pthread_barrier_wait(&barrier);
    sigcffi_deferral_defer(set);
    pthread_barrier_wait(&barrier); /* both are in */
    pthread_barrier_wait(&barrier); /* the main thread has left */
    sigcffi_deferral_lift(set);
    return NULL;
}

CASE(a_signal_waits_for_the_last_threads_section)
{
    uint64_t sets[] = {sigcffi_bit(QUEUED), UINT64_MAX};
    register_signal(QUEUED);
    MUST(pthread_barrier_init(&barrier, NULL, 2));
    for (int i = 0; i < 4; i++) {
        pthread_t thread = start_thread(enter_and_leave, &sets[i / 2]);
        pthread_barrier_wait(&barrier);
        sigcffi_deferral_defer(sets[i % 2]);
        pthread_barrier_wait(&barrier);
        sigset_t former = block(SIGHUP); /* changes nothing; a call that lets handlers run */
        MUST(raise(QUEUED));
        restore(&former);
        UNTIL(sigcffi_channel_deliveries(QUEUED) == (uint64_t)i + 1);
        EQUAL(sigcffi_deferral_lift(sets[i % 2]), 0);
        EQUAL(atomic_load(&calls[QUEUED]), i);
        pthread_barrier_wait(&barrier);
        join(thread);
        UNTIL(atomic_load(&calls[QUEUED]) > i);
        EQUAL(atomic_load(&calls[QUEUED]), i + 1);
        EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), 0);
    }
    figures("one signal and all, 2 threads");
}

static atomic_bool stop;

static void *enter_and_leave_until_stopped(void *argument)
{
    unsigned random = (unsigned)(intptr_t)argument;
    uint64_t sets[] = {sigcffi_bit(QUEUED), UINT64_MAX, sigcffi_bit(QUEUED) | sigcffi_bit(SIGHUP)};
    while (!atomic_load(&stop)) {
        random = random * 1664525u + 1013904223u;
        uint64_t outer = sets[(random >> 16) % 3], inner = sets[(random >> 20) % 3];
        sigcffi_deferral_defer(outer);
        sigcffi_deferral_defer(inner);
        sigcffi_deferral_lift(outer);
        sigcffi_deferral_lift(inner);
        if ((random >> 24) % 16 == 0) breathe();
    }
    return NULL;
}

enum { BURSTS = 100, BURST = 50 * SCALE };
static _Atomic int current_burst;

static void *send_in_bursts(void *target)
{
    for (int burst = 1; burst <= BURSTS; burst++) {
        UNTIL(atomic_load(&current_burst) >= burst);
        for (int i = 0; i < BURST; i++) queue_to(*(pthread_t *)target, QUEUED, i);
    }
    return NULL;
}

/* Calls are made in the main thread only: in none of its sections does one run. */
CASE(nothing_is_lost_where_sections_of_several_threads_overlap)
{
    register_signal(QUEUED);
    start_takers(2);
    sigset_t former = block(QUEUED);
    pthread_t busy[2], senders[2];
    for (intptr_t i = 0; i < 2; i++) {
        busy[i] = start_thread(enter_and_leave_until_stopped, (void *)(i + 1));
        senders[i] = start_thread(send_in_bursts, &takers[i]);
    }
    restore(&former);
    atomic_store(&main_thread_promised, true);
    long long sections = 0, held = 0, sent = 0;
    for (int burst = 1; burst <= BURSTS; burst++) {
        atomic_store(&current_burst, burst);
        sent += 2 * BURST;
        while (sigcffi_channel_deliveries(QUEUED) < (uint64_t)sent) {
            uint64_t set = sections % 2 ? UINT64_MAX : sigcffi_bit(QUEUED);
            sigcffi_deferral_defer(set);
            sigcffi_deferral_defer(sigcffi_bit(QUEUED));
            long long before = atomic_load(&calls[QUEUED]);
            breathe();
            sigcffi_deferral_lift(sigcffi_bit(QUEUED));
            breathe();
            if (!TSAN) EQUAL(atomic_load(&calls[QUEUED]), before);
            held += sigcffi_deferral_lift(set);
            sections++;
        }
        /* Without another signal, and without a section of this thread, to help. */
        UNTIL(atomic_load(&heard[QUEUED]) == sent);
        CHECK(atomic_load(&calls[QUEUED]) <= sent);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        join(busy[i]);
        join(senders[i]);
    }
    stop_takers();
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), 0);
    figures("%lld signals, %lld sections, %lld ends let some through", sent, sections, held);
}

static void check_sections_of_child(uint64_t set, int waiting_signal, int free_signal)
{
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), set);
    MUST(raise(free_signal));
    UNTIL(atomic_load(&calls[free_signal]) == 1);
    MUST(raise(waiting_signal));
    UNTIL(sigcffi_channel_deliveries(waiting_signal) == 1);
    EQUAL(sigcffi_deferral_lift(set), 0); /* entered twice */
    EQUAL(atomic_load(&calls[waiting_signal]), 0);
    EQUAL(sigcffi_deferral_lift(set), 1);
    EQUAL(atomic_load(&calls[waiting_signal]), 1);
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), 0);
    _exit(0);
}

static void *fork_in_its_own_section(void *argument)
{
    sigcffi_deferral_defer(sigcffi_bit(STANDARD));
    sigcffi_deferral_defer(sigcffi_bit(STANDARD));
    for (int i = 0; i < 3; i++) {
        pthread_barrier_wait(&barrier); /* the main thread is in its section, or in all */
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) check_sections_of_child(sigcffi_bit(STANDARD), STANDARD, QUEUED);
        wait_for(pid);
        pthread_barrier_wait(&barrier);
    }
    sigcffi_deferral_lift(sigcffi_bit(STANDARD));
    sigcffi_deferral_lift(sigcffi_bit(STANDARD));
    return argument;
}

CASE(a_forked_child_is_in_the_forking_threads_sections_only)
{
    register_signal(QUEUED);
    register_signal(STANDARD);
    MUST(pthread_barrier_init(&barrier, NULL, 2));
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    sigcffi_deferral_defer(sigcffi_bit(QUEUED));
    pthread_t thread = start_thread(fork_in_its_own_section, NULL);
    for (int i = 0; i < 3; i++) {
        if (i == 1) sigcffi_deferral_defer(UINT64_MAX);
        pthread_barrier_wait(&barrier); /* the other forks, and perhaps at the same time */
        if (i != 1) {
            UNTIL(atomic_load(word(SIGCFFI_WORD_DEFERRED)) ==
                  (sigcffi_bit(QUEUED) | sigcffi_bit(STANDARD)));
            pid_t pid = fork();
            CHECK(pid >= 0);
            if (pid == 0) check_sections_of_child(sigcffi_bit(QUEUED), QUEUED, STANDARD);
            wait_for(pid);
        }
        pthread_barrier_wait(&barrier);
        if (i == 1) sigcffi_deferral_lift(UINT64_MAX);
    }
    join(thread);
    sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    sigcffi_deferral_lift(sigcffi_bit(QUEUED));
    EQUAL(atomic_load(word(SIGCFFI_WORD_DEFERRED)), 0);
    figures("2 threads");
}

/* ---- Special bases ---- */

static _Atomic long long foreign_calls;

static void foreign_counter(int signum, siginfo_t *info, void *context)
{
    EQUAL(info->si_signo, signum);
    CHECK(context != NULL);
    atomic_fetch_add(&foreign_calls, 1);
}

static void install_foreign(int signum, void (*handler)(int, siginfo_t *, void *), int flags)
{
    install(signum, (void (*)(int))(void *)handler, SA_SIGINFO | flags);
}

CASE(a_base_with_resethand_is_called_once)
{
    const int rounds = 300 * SCALE;
    start_takers(2);
    for (int i = 0; i < rounds; i++) {
        uint64_t before = sigcffi_channel_deliveries(QUEUED);
        install_foreign(QUEUED, foreign_counter, SA_RESETHAND);
        EQUAL(sigcffi_interpose(QUEUED), 0);
        EQUAL(sigcffi_dispositions_query(QUEUED), SIGCFFI_FOREIGN);
        for (int n = 0; n < 4; n++) queue_to(takers[n % 2], QUEUED, n);
        UNTIL(sigcffi_channel_deliveries(QUEUED) == before + 4);
        UNTIL(atomic_load(&foreign_calls) > i);
        EQUAL(atomic_load(&foreign_calls), i + 1);
        EQUAL(sigcffi_dispositions_query(QUEUED), SIGCFFI_DEFAULT);
        struct sigaction now;
        EQUAL(sigcffi_interpose_withdraw(QUEUED), 0);
        MUST(sigaction(QUEUED, NULL, &now));
        CHECK(now.sa_handler == SIG_DFL);
        install(QUEUED, SIG_IGN, 0); /* what may still come kills nobody */
    }
    stop_takers();
    EQUAL(atomic_load(&foreign_calls), rounds);
    figures("%d times, 2 threads", rounds);
}

/* How a handler returns, not the C library's way. */
#if defined(__x86_64__)
#define OWN_RETURN "movl $15, %eax\n    syscall\n"
#elif defined(__i386__)
#define OWN_RETURN "movl $173, %eax\n    int $0x80\n"
#elif defined(__aarch64__)
#define OWN_RETURN "mov x8, #139\n    svc #0\n"
#endif

#if defined(OWN_RETURN)
void own_restorer(void);
__asm__(".text\n.type own_restorer, %function\nown_restorer:\n    " OWN_RETURN
        ".size own_restorer, . - own_restorer\n");

static struct sigcffi_kernel_sigaction kernel_action(int signum)
{
    struct sigcffi_kernel_sigaction now;
    memset(&now, 0, sizeof now);
    MUST(syscall(SYS_rt_sigaction, signum, NULL, &now, sizeof now.mask));
    return now;
}

static void check_put_back(int signum, const struct sigcffi_kernel_sigaction *before, bool covered)
{
    struct sigaction saved;
    long long former = atomic_load(&foreign_calls);
    int64_t counter = covered ? attach_counter(signum) : 0; /* which needs the trampoline */
    EQUAL(sigcffi_dispositions_save(signum, &saved),
          SIGCFFI_FOREIGN | (covered ? SIGCFFI_INTERPOSED : 0));
    /* Something else stands there for a while. */
    register_signal(signum);
    EQUAL(sigcffi_dispositions_save(signum, NULL),
          SIGCFFI_PYTHON | SIGCFFI_INTERPOSED | SIGCFFI_USUAL);
    EQUAL(sigcffi_dispositions_put_back(signum, &saved, covered), 0);
    EQUAL(sigcffi_dispositions_query(signum), SIGCFFI_FOREIGN);
    MUST(raise(signum));
    EQUAL(atomic_load(&foreign_calls), former + 1);
    if (covered) {
        CHECK(kernel_action(signum).handler != before->handler);
        EQUAL(sigcffi_attachments_detach(signum, counter).count, 1);
    }
    struct sigcffi_kernel_sigaction now = kernel_action(signum);
    MUST(memcmp(&now, before, sizeof now));
    MUST(raise(signum)); /* and returns by its own way */
    EQUAL(atomic_load(&foreign_calls), former + 2);
}
#endif

CASE(a_saved_handler_is_put_back_to_the_byte)
{
#if defined(OWN_RETURN)
    if (TSAN) skip("ThreadSanitizer keeps handlers in a table of its own");
    static const unsigned long flags[] = {0, SA_RESTART, SA_NODEFER, SA_ONSTACK, SA_NOCLDSTOP};
    int times = 0;
    for (int i = 0; i < 5; i++)
        for (int covered = 0; covered < 2; covered++, times++) {
            int signum = i % 2 ? QUEUED : STANDARD;
            const uint64_t mask = sigcffi_bit(SIGTERM) | sigcffi_bit(SIGRTMAX);
            struct sigcffi_kernel_sigaction raw = {
                .handler = (void (*)(int))(void *)foreign_counter,
                .flags = SA_SIGINFO | SA_RESTORER | flags[i],
                .restorer = own_restorer};
            memcpy(raw.mask, &mask, sizeof mask);
            MUST(syscall(SYS_rt_sigaction, signum, &raw, NULL, sizeof raw.mask));
            struct sigcffi_kernel_sigaction before = kernel_action(signum);
            CHECK(before.restorer == own_restorer);
            check_put_back(signum, &before, covered);
            /* And with the C library's, so to say the usual, way. */
            install_foreign(signum, foreign_counter, (int)flags[i]);
            before = kernel_action(signum);
            CHECK(before.restorer != own_restorer);
            check_put_back(signum, &before, covered);
        }
    /* What has no function to call, too. */
    struct sigaction saved;
    install(STANDARD, SIG_IGN, 0);
    EQUAL(sigcffi_dispositions_save(STANDARD, &saved), SIGCFFI_IGNORED | SIGCFFI_USUAL);
    register_signal(STANDARD);
    EQUAL(sigcffi_dispositions_put_back(STANDARD, &saved, 0), 0);
    EQUAL(sigcffi_dispositions_query(STANDARD), SIGCFFI_IGNORED);
    install(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    EQUAL(sigcffi_dispositions_save(SIGCHLD, &saved), SIGCFFI_DEFAULT);
    register_signal(SIGCHLD);
    EQUAL(sigcffi_dispositions_put_back(SIGCHLD, &saved, 0), 0);
    EQUAL((long long)kernel_action(SIGCHLD).flags & SA_NOCLDWAIT, SA_NOCLDWAIT);
    figures("%d handlers", 2 * times);
#else
    skip("how a handler returns on this processor is not written down here");
#endif
}

CASE(children_of_who_ignores_sigchld_leave_no_zombies)
{
    const int rounds = 20 * SCALE;
    install(SIGCHLD, SIG_IGN, 0);
    EQUAL(sigcffi_interpose(SIGCHLD), 0);
    EQUAL(sigcffi_dispositions_query(SIGCHLD), SIGCFFI_IGNORED);
    int64_t counter = attach_counter(SIGCHLD);
    for (int i = 0; i < rounds; i++) {
        int64_t before = sigcffi_attachments_tally(SIGCHLD, counter).count;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) _exit(0);
        int result;
        while ((result = waitpid(pid, NULL, 0)) == -1 && errno == EINTR) {
        }
        EQUAL(result, -1); /* it has ended, and left nothing to wait for */
        EQUAL(errno, ECHILD);
        UNTIL(sigcffi_attachments_tally(SIGCHLD, counter).count > before);
    }
    EQUAL(sigcffi_interpose_withdraw(SIGCHLD), 0);
    struct sigaction now;
    MUST(sigaction(SIGCHLD, NULL, &now));
    CHECK(now.sa_handler == SIG_IGN && !(now.sa_flags & SA_NOCLDWAIT));
    figures("%d children", rounds);
}
