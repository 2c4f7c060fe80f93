/* Messages: lines that are written in full or not at all, and say what is true.
 *
 * Law: like stress.c.
 */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

extern _Atomic int64_t time_shown; /* records.c: what the clock shows from now on, in seconds */

static int64_t attach_message(int signum, int fd, const char *text)
{
    int64_t handle = sigcffi_attachments_attach_message(signum, fd, "NAME", text, true);
    CHECK(handle > 0);
    return handle;
}

/* The line that this process's own signal brings, without its end. */
static const char *line_of(int reading, int signum)
{
    static char line[SIGCFFI_LINE + 1];
    send_to_self(signum);
    ssize_t got = read(reading, line, sizeof line - 1);
    CHECK(got > 0 && line[got - 1] == '\n');
    line[got - 1] = '\0';
    CHECK(strchr(line, '\n') == NULL);
    return line;
}

/* Every day of 500 years, at any time of it. */
CASE(a_message_tells_the_day_as_the_calendar_has_it)
{
    enum { DAYS = 182500 };
    int ends[2];
    unsigned seed = 1;
    open_pipe(ends);
    int64_t handle = attach_message(STANDARD, ends[1], "");
    const int step = TSAN || ASAN ? 97 : 7;
    int days = 0;
    for (int day = 0; day < DAYS; day += 1 + random_below(&seed, step), days++) {
        time_t now = (time_t)day * 86400 + random_below(&seed, 86400);
        if (now == 0 || (int64_t)now != (int64_t)day * 86400 + now % 86400) continue;
        struct tm parts;
        char expected[64];
        CHECK(gmtime_r(&now, &parts) != NULL);
        size_t length = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000007Z ", &parts);
        atomic_store(&time_shown, now);
        const char *line = line_of(ends[0], STANDARD);
        atomic_store(&time_shown, 0);
        EQUAL(strncmp(line, expected, length), 0);
    }
    EQUAL(sigcffi_attachments_detach(STANDARD, handle).missed, 0);
    figures("%d days", days);
}

CASE(a_message_is_cut_off_where_its_room_ends)
{
    int ends[2];
    char text[2 * SIGCFFI_LINE];
    memset(text, '~', sizeof text - 1); /* which no program's name has */
    text[sizeof text - 1] = '\0';
    open_pipe(ends);
    int64_t handle = attach_message(STANDARD, ends[1], text);
    const char *line = line_of(ends[0], STANDARD);
    const char *found = strchr(line, '~');
    CHECK(found != NULL);
    EQUAL(strlen(found), SIGCFFI_TEXT);
    EQUAL(sigcffi_attachments_attach_message(STANDARD, ends[0], "NAME", "", true), -EBADF);
    EQUAL(sigcffi_attachments_attach_message(STANDARD, -1, "NAME", "", true), -EBADF);
    EQUAL(sigcffi_attachments_attach_message(0, ends[1], "NAME", "", true), -EINVAL);
    EQUAL(sigcffi_attachments_detach(STANDARD, handle).count, 1);
    figures("%d bytes of text", SIGCFFI_TEXT);
}

/* A pipe that blocks, and has seldom room. */
static atomic_bool no_more;
static int reading_end;

static void *count_lines(void *nothing)
{
    static char bytes[8 * SIGCFFI_LINE];
    long long lines = 0;
    size_t kept = 0;
    for (bool last = false; !last;) {
        last = atomic_load(&no_more);
        for (ssize_t got;
             (got = read(reading_end, bytes + kept, sizeof bytes - 1 - kept)) > 0 || kept > 0;) {
            if (got > 0) kept += (size_t)got;
            bytes[kept] = '\0';
            char *end = strchr(bytes, '\n');
            CHECK(end != NULL);
            *end = '\0';
            CHECK(strncmp(bytes, "20", 2) == 0 && strchr(bytes, 'Z') == bytes + 26);
            CHECK(strstr(bytes, ": NAME queued with value ") != NULL);
            CHECK(end - bytes > 6 && strcmp(end - 6, ": text") == 0);
            kept -= (size_t)(end + 1 - bytes);
            memmove(bytes, end + 1, kept);
            lines++;
            if (lines % 16 == 0) breathe();
        }
        breathe();
    }
    (void)nothing;
    return (void *)(intptr_t)lines;
}

CASE(a_message_is_written_once_and_in_full_or_is_counted)
{
    const int each = 2000 * SCALE;
    int ends[2];
    install(SIGPIPE, SIG_DFL, 0);
    open_pipe(ends);
    reading_end = ends[0];
    MUST(fcntl(ends[1], F_SETFL, 0));
#if defined(F_SETPIPE_SZ)
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
#endif
    register_signal(QUEUED);
    int64_t handle = attach_message(QUEUED, ends[1], "text");
    pthread_t reader = start_thread(count_lines, NULL);
    start_takers(2);
    struct flood flood = {takers, 2, {QUEUED}, 1, each};
    start_senders(2, &flood);
    join_senders();
    UNTIL(sigcffi_attachments_tally(QUEUED, handle).count == 2LL * each);
    sigcffi_tally tally = sigcffi_attachments_detach(QUEUED, handle);
    atomic_store(&no_more, true);
    long long lines = (intptr_t)join(reader);
    stop_takers();
    EQUAL(tally.count, 2LL * each);
    EQUAL(lines, tally.count - tally.missed);
    EQUAL(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* the program's is as it was */
    /* Nobody reads: SIGPIPE would end this. */
    handle = attach_message(STANDARD, ends[1], "");
    MUST(close(ends[0]));
    send_to_self(STANDARD);
    EQUAL(sigcffi_masks_sigpending(), 0);
    EQUAL(sigcffi_attachments_detach(STANDARD, handle).missed, 1);
    figures("%lld lines, %lld missed", lines, (long long)tally.missed);
}

/* A file that may not grow, and then may: by how much is left of a line. */
CASE(a_line_behind_one_that_was_cut_off_begins_anew)
{
    const struct rlimit whole = {RLIM_INFINITY, RLIM_INFINITY};
    int cut_at[] = {1, 30, 0}, lines = 0;
    for (size_t i = 0; i < sizeof cut_at / sizeof *cut_at; i++) {
        char text[8 * SIGCFFI_LINE];
        FILE *file = tmpfile();
        CHECK(file != NULL);
        int fd = fileno(file);
        int64_t handle = attach_message(STANDARD, fd, "text");
        send_to_self(STANDARD);
        const off_t length = lseek(fd, 0, SEEK_END);
        /* Of the next line so much, or all but its end; then nothing. */
        rlim_t most = (rlim_t)(cut_at[i] != 0 ? length + cut_at[i] : 2 * length - 1);
        MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, RLIM_INFINITY}));
        send_to_self(STANDARD);
        send_to_self(STANDARD);
        EQUAL(lseek(fd, 0, SEEK_END), (long long)most);
        MUST(setrlimit(RLIMIT_FSIZE, &whole));
        send_to_self(STANDARD);
        send_to_self(STANDARD);
        ssize_t got = pread(fd, text, sizeof text - 1, 0);
        EQUAL(got, (long long)most + 1 + 2 * length);
        EQUAL(text[most], '\n');
        for (off_t at = (off_t)most + 1; at < got; at += length, lines++) {
            CHECK(strncmp(text + at, "20", 2) == 0);
            EQUAL(text[at + length - 1], '\n');
        }
        EQUAL(sigcffi_attachments_detach(STANDARD, handle).missed, 2);
        fclose(file);
    }
    figures("%d lines", lines);
}
