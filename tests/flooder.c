/* Sends many values, as fast as the receiver's queue takes them.
 *
 * flooder PID TID SIGNUM SENDER COUNT: COUNT signals to a process, or to one of its threads if TID
 * is not 0. Value number i of sender s is s << 24 | i. Waits for the end of its input first, so
 * that many can start together. Prints how often the queue was full.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    pid_t pid = atoi(argv[1]), tid = atoi(argv[2]);
    int signum = atoi(argv[3]), sender = atoi(argv[4]), count = atoi(argv[5]);
    long full = 0;
    char nothing;
    while (read(0, &nothing, 1) > 0) continue;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signum;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    for (int i = 0; i < count;) {
        info.si_value.sival_int = sender << 24 | i;
        long result = tid != 0 ? syscall(SYS_rt_tgsigqueueinfo, pid, tid, signum, &info)
                               : syscall(SYS_rt_sigqueueinfo, pid, signum, &info);
        if (result == 0) {
            i++;
        } else if (errno == EAGAIN) {
            full++;
            sched_yield();
        } else {
            perror("flooder");
            return 1;
        }
    }
    printf("%ld\n", full);
    return 0;
}
