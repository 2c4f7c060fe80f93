/* Last words: what is printed before the process ends because it shows no sign of life.
 *
 * Law: handler context, and outside handlers. Whatever becomes of the words, the process ends.
 */
#include "handler.h"

/* Seconds that they may take: nobody may be reading them. */
enum { SECONDS = 2 };

/* handler context, or outside handlers. The process ends by SIGALRM if by nothing else. Not by its
 * default action alone, which the first process of a namespace is spared. */
void sigcffi_last_words_begin(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = sigcffi_defaults_take;
    sigaction(SIGALRM, &action, NULL);
    sigset_t alarm_alone = sigcffi_set_of(sigcffi_bit(SIGALRM));
    pthread_sigmask(SIG_UNBLOCK, &alarm_alone, NULL);
    alarm(SECONDS);
}

/* handler context, or outside handlers. The caller is going to end the process. A C library that
 * handles SIGABRT, faulthandler say, prints its traceback: its handler is called as a function,
 * with SIGABRT blocked, so that the process does not end by the SIGABRT that the handler then
 * raises. `context` is that of the caller's signal, or null. */
void sigcffi_last_words_speak(void *context)
{
    static ucontext_t none;
    struct sigaction aborts;
    siginfo_t info;
    if (sigaction(SIGABRT, NULL, &aborts) != 0) return;
    uintptr_t handler = sigcffi_handler_of(&aborts);
    if (!sigcffi_is_function(handler) || sigcffi_levels_find(handler) >= 0 ||
        handler == atomic_load(&state.dispositions.interpreter))
        return;
    sigset_t abort_alone = sigcffi_set_of(sigcffi_bit(SIGABRT));
    pthread_sigmask(SIG_BLOCK, &abort_alone, NULL);
    memset(&info, 0, sizeof info);
    info.si_signo = SIGABRT;
    ((void (*)(int, siginfo_t *, void *))handler)(SIGABRT, &info, context ? context : &none);
}
