/* Messages: a line for people that says who has sent a signal, made where the signal is taken.
 *
 * Law: handler context, all of it. A line is made on the stack and written by one call. Where the
 * descriptor took a part of it, what this slot writes next begins on a line of its own. The
 * sender's command is read at once: when Python comes to it, the sender is often gone.
 *
 * The words by which a siginfo is told stand here, once: SigInfo.describe() reads them, too.
 */
#include "handler.h"

#include <fcntl.h>

/* What is in braces is replaced by what the siginfo says of it, and left out where it says nothing.
 */
static const struct {
    int signum; /* 0: any */
    int code;
    const char *words;
} how[] = {
    {0, SI_USER, " sent with kill{sender}"},
    {0, SI_TKILL, " sent with tgkill{sender}"},
    {0, SI_QUEUE, " queued{value}{sender}"},
    {0, SI_TIMER, ": timer{timer} expired{value}{overrun}"},
    {0, SI_MESGQ, ": a message came into an empty queue{sender}{value}"},
    {0, SI_ASYNCIO, ": asynchronous I/O has ended{value}"},
    {0, SI_ASYNCNL, ": asynchronous name lookup has ended{value}"},
    {0, SI_KERNEL, " sent by the kernel"},
    {0, SI_DETHREAD, " sent by execve in another thread"},
    {SIGCHLD, CLD_EXITED, ": {child} exited{status}"},
    {SIGCHLD, CLD_KILLED, ": {child} was killed{signal}"},
    {SIGCHLD, CLD_DUMPED, ": {child} dumped core{signal}"},
    {SIGCHLD, CLD_TRAPPED, ": {child} was trapped{signal}"},
    {SIGCHLD, CLD_STOPPED, ": {child} was stopped{signal}"},
    {SIGCHLD, CLD_CONTINUED, ": {child} continued"},
};

/* handler context, or outside handlers. The words for a signal with this code; null: there are
 * none. */
const char *sigcffi_message_words(int signum, int code)
{
    for (size_t i = 0; i < sizeof how / sizeof *how; i++)
        if (how[i].code == code && (how[i].signum == 0 || how[i].signum == signum))
            return how[i].words;
    return NULL;
}

/* ---- A line ---- */

struct line {
    char *text;
    size_t length, most;
};

/* handler context. What there is no room for is left out; there is always room for the end. */
static void add_char(struct line *line, char c)
{
    if (line->length < line->most - 1) line->text[line->length++] = c;
}

/* handler context */
static void add(struct line *line, const char *text)
{
    while (*text != '\0') add_char(line, *text++);
}

/* handler context. With zeros before it, so that it has at least so many digits. */
static void add_unsigned(struct line *line, uint64_t number, unsigned base, int digits)
{
    char reversed[20];
    int count = 0;
    for (; number != 0 || count < digits; number /= base)
        reversed[count++] = "0123456789abcdef"[number % base];
    while (count > 0) add_char(line, reversed[--count]);
}

/* handler context */
static void add_number(struct line *line, int64_t number)
{
    if (number < 0) add_char(line, '-');
    add_unsigned(line, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, 1);
}

/* handler context. Words, and a number behind them. */
static void add_with(struct line *line, const char *words, int64_t number)
{
    add(line, words);
    add_number(line, number);
}

/* handler context. Now, in UTC, as ISO 8601 has it. gmtime() may take a lock. */
static void add_time(struct line *line)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t seconds = (uint64_t)now.tv_sec;
    /* Days are counted from the 1st of March of the year 0: the leap day is the last of a year. */
    const uint64_t day = seconds / 86400 + 719468, of_day = seconds % 86400;
    const uint64_t era = day / 146097, of_era = day % 146097; /* of 400 years */
    const uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const uint64_t month = (5 * of_year + 2) / 153; /* 0: March */
    const struct {
        uint64_t number;
        char digits, before;
    } parts[] = {
        {era * 400 + year + (month >= 10), 4, 0},
        {month < 10 ? month + 3 : month - 9, 2, '-'},
        {of_year - (153 * month + 2) / 5 + 1, 2, '-'},
        {of_day / 3600, 2, 'T'},
        {of_day / 60 % 60, 2, ':'},
        {of_day % 60, 2, ':'},
        {(uint64_t)now.tv_nsec / 1000, 6, '.'},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].before != 0) add_char(line, parts[i].before);
        add_unsigned(line, parts[i].number, 10, parts[i].digits);
    }
    add_char(line, 'Z');
}

/* ---- What a siginfo says ---- */

#if SIGCFFI_HAS_PROC_COMM
/* handler context. What others have chosen, on a line of ours: what is not printable, and may mean
 * something to a terminal, is shown by a question mark. */
static void add_foreign(struct line *line, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && bytes[i] != '\n'; i++)
        add_char(line, bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?');
}

/* handler context. The command of a process, as the kernel has it; nothing where that is not to be
 * had: the process was reaped, or there is no /proc to look at. */
static void add_command(struct line *line, int pid)
{
    char name[sizeof "/proc/-2147483648/comm"], command[32];
    struct line path = {name, 0, sizeof name};
    add_with(&path, "/proc/", pid);
    add(&path, "/comm");
    name[path.length] = '\0';
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    long got = syscall(SYS_read, fd, command, sizeof command);
    syscall(SYS_close, fd);
    if (got <= 0) return;
    add(line, " (");
    add_foreign(line, command, (size_t)got);
    add(line, ")");
}
#else
/* handler context */
static void add_command(struct line *line, int pid)
{
    (void)line;
    (void)pid;
}
#endif

/* handler context */
static void add_sender(struct line *line, const struct sigcffi_record *record)
{
    if (!(record->fields & SIGCFFI_FIELD_PID)) return;
    if (record->pid == 0) {
        add(line, " by a process out of sight");
        return;
    }
    add_with(line, " by process ", record->pid);
    if (record->fields & SIGCFFI_FIELD_UID) add_with(line, " of user ", record->uid);
    add_command(line, record->pid);
}

/* handler context. Whether `name` is what a pair of braces holds. */
static bool is_called(const char *braces, const char *name)
{
    while (*name != '\0' && *braces == *name) braces++, name++;
    return *name == '\0' && *braces == '}';
}

/* handler context. What stands for braces. */
static void add_part(struct line *line, const char *braces, const struct sigcffi_record *record)
{
    const uint32_t fields = record->fields;
    if (is_called(braces, "sender")) add_sender(line, record);
    if (is_called(braces, "value") && (fields & SIGCFFI_FIELD_VALUE))
        add_with(line, " with value ", record->value);
    if (is_called(braces, "timer") && (fields & SIGCFFI_FIELD_TIMERID))
        add_with(line, " ", record->timerid);
    if (is_called(braces, "overrun") && (fields & SIGCFFI_FIELD_OVERRUN) && record->overrun != 0) {
        add_with(line, ", ", record->overrun);
        add(line, record->overrun == 1 ? " overrun" : " overruns");
    }
    if (is_called(braces, "child")) add_with(line, "child ", record->pid);
    if (is_called(braces, "status")) add_with(line, " with status ", record->status);
    /* ptrace(2) adds what happened above the signal's number. */
    if (is_called(braces, "signal")) add_with(line, " by signal ", record->status & 0x7f);
}

/* handler context. A code without words. */
static void add_code(struct line *line, const struct sigcffi_record *record)
{
    if (record->fields & SIGCFFI_FIELD_ADDR) {
        add(line, " at address 0x");
        add_unsigned(line, record->addr, 16, 1);
    }
    if (record->fields & SIGCFFI_FIELD_FD) add_with(line, ": fd ", record->fd);
    add_with(line, " (code ", record->code);
    add(line, ")");
    add_sender(line, record);
}

/* handler context */
static void add_siginfo(struct line *line, int signum, const siginfo_t *info)
{
    struct sigcffi_record record;
    sigcffi_ring_describe(&record, signum, info);
    if (record.fields & SIGCFFI_FIELD_NOTHING) {
        add(line, ", nothing known about its sender");
        return;
    }
    const char *words = sigcffi_message_words(signum, record.code);
    if (words == NULL) {
        add_code(line, &record);
        return;
    }
    for (; *words != '\0'; words++) {
        if (*words != '{') {
            add_char(line, *words);
            continue;
        }
        add_part(line, words + 1, &record);
        while (*words != '}') words++;
    }
}

/* handler context. Write the line that a slot asks for; whether all of it was taken. */
bool sigcffi_message_write(struct slot *slot, int signum, const siginfo_t *info)
{
    char text[SIGCFFI_LINE];
    struct line line = {text, 0, sizeof text};
    /* Relaxed: two threads that write at once may not see each other's rest, and nothing else
     * depends on it. */
    if (atomic_load_explicit(&slot->cut_off, memory_order_relaxed)) add_char(&line, '\n');
    add_time(&line);
    add_with(&line, " process ", getpid());
    add(&line, ": ");
    add(&line, slot->name);
    add_siginfo(&line, signum, info);
    if (slot->text[0] != '\0') {
        add(&line, ": ");
        add(&line, slot->text);
    }
    text[line.length++] = '\n';
    long written = sigcffi_writing_write(slot, text, line.length, true);
    if (written > 0)
        atomic_store_explicit(&slot->cut_off, text[written - 1] != '\n', memory_order_relaxed);
    return written == (long)line.length;
}
