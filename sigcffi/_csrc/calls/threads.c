/* Threads: what is kept for each thread, and no handler reads; and those of our own.
 *
 * Law: ordinary calls, made outside handlers. The memory comes with a thread's first block and goes
 * with the thread.
 *
 * Rejected: variables of the thread. One that handlers read has to be in the static part of
 * thread-local storage, and draws the whole module in there; all libraries of a process share some
 * 1,600 bytes of it.
 */
#include "threads.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_key_t key;
static pthread_once_t made = PTHREAD_ONCE_INIT;
static bool is_made;

static void make_key(void)
{
    is_made = pthread_key_create(&key, free) == 0;
}

int sigcffi_threads_start(void *function(void *), void *argument)
{
    sigset_t all, former;
    pthread_t thread;
    sigfillset(&all); /* a thread has blocked from its beginning what its creator has */
    pthread_sigmask(SIG_SETMASK, &all, &former);
    int error = pthread_create(&thread, NULL, function, argument);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (error == 0) pthread_detach(thread);
    return -error;
}

struct thread *sigcffi_threads_current(void)
{
    pthread_once(&made, make_key);
    if (!is_made) return NULL;
    struct thread *thread = pthread_getspecific(key);
    if (thread != NULL) return thread;
    thread = calloc(1, sizeof *thread);
    if (thread != NULL && pthread_setspecific(key, thread) != 0) {
        free(thread);
        thread = NULL;
    }
    return thread;
}
