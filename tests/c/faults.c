/* Faults: what the kernel raises for an instruction is never handled "later".
 *
 * Law: what ends the process does so in a child of the case.
 */
#include "harness.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

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

CASE(a_fault_ends_the_process_by_its_own_signal)
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

CASE(a_fault_signal_that_was_sent_is_handled_like_any_other)
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
