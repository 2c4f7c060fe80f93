/* Foreign handlers beneath the trampoline: they are called as the kernel would call them.
 *
 * Law: like stress.c.
 */
#include "foreign.h"

/* ---- A foreign handler, and what it saw ---- */

_Atomic long long foreign_calls;
_Atomic int foreign_turn;
siginfo_t foreign_info;
pthread_t foreign_thread;
void *foreign_context;

/* Installed with and without SA_SIGINFO: sigcffi always passes three arguments. */
void foreign_handler(int signum, siginfo_t *info, void *context)
{
    EQUAL(info->si_signo, signum);
    (void)atomic_load(&foreign_turn);
    foreign_info = *info;
    foreign_context = context;
    foreign_thread = pthread_self();
    errno = EBADMSG;
    atomic_fetch_add(&foreign_calls, 1);
}

void foreign_counter(int signum)
{
    (void)signum;
    atomic_fetch_add(&foreign_calls, 1);
}

void install_foreign(int signum, int flags)
{
    install(signum, (void (*)(int))(void *)foreign_handler, flags);
}

bool is_action(int signum, const struct sigaction *expected)
{
    struct sigaction now;
    MUST(sigaction(signum, NULL, &now));
    /* The kernel fills in one word of the mask; what is behind it means nothing. */
    return now.sa_handler == expected->sa_handler && now.sa_flags == expected->sa_flags &&
           sigcffi_word_of(&now.sa_mask) == sigcffi_word_of(&expected->sa_mask);
}

/* ---- It is called as the kernel would ---- */

CASE(a_foreign_base_gets_everything_on_the_thread_the_kernel_chose)
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

CASE(errno_survives_the_trampoline)
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
