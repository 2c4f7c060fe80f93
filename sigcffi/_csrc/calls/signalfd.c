/* signalfd: a descriptor of one's own from which blocked signals are read.
 *
 * Law: ordinary calls, made outside handlers. What is read becomes a record, as from a handler.
 */
#include "ring.h"

#if SIGCFFI_HAS_SIGNALFD
#include <sys/signalfd.h>

_Static_assert(sizeof(struct signalfd_siginfo) == SIGCFFI_SIGNALFD_SIZE, "the kernel's interface");

/* A descriptor for the signals in `word`. */
int sigcffi_signalfd(uint64_t word, bool nonblock, bool cloexec)
{
    sigset_t set = sigcffi_set_of(word);
    int fd = signalfd(-1, &set, (nonblock ? SFD_NONBLOCK : 0) | (cloexec ? SFD_CLOEXEC : 0));
    return fd >= 0 ? fd : -errno;
}

/* Fill in all but the sequence and the time. */
static void describe(struct sigcffi_record *record, const struct signalfd_siginfo *info)
{
    int signum = (int)info->ssi_signo;
    record->signo = signum;
    record->code = info->ssi_code;
    record->error = info->ssi_errno;
    record->fields = sigcffi_ring_fields_of(signum, info->ssi_code, (int)info->ssi_pid);
    /* Each has a place of its own here, which is zero where it means nothing. */
    record->pid = (int)info->ssi_pid;
    record->uid = info->ssi_uid;
    record->status = info->ssi_status;
    record->fd = info->ssi_fd;
    record->timerid = (int)info->ssi_tid;
    record->overrun = (int)info->ssi_overrun;
    record->value = info->ssi_int;
    record->addr = info->ssi_addr;
    record->band = info->ssi_band;
}

/* `count` structures that were read from such a descriptor, as records. */
void sigcffi_signalfd_decode(const void *read, struct sigcffi_record *records, size_t count)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (size_t i = 0; i < count; i++) {
        struct signalfd_siginfo info; /* which what was read need not be aligned for */
        memcpy(&info, (const char *)read + i * sizeof info, sizeof info);
        describe(&records[i], &info);
        records[i].time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
}
#else
int sigcffi_signalfd(uint64_t word, bool nonblock, bool cloexec)
{
    (void)word;
    (void)nonblock;
    (void)cloexec;
    return -ENOSYS;
}

void sigcffi_signalfd_decode(const void *read, struct sigcffi_record *records, size_t count)
{
    (void)read;
    (void)records;
    (void)count;
}
#endif
