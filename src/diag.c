/* diag.c: see diag.h.  A line is put together in a buffer and handed over in
 * one call, so that the lines of several threads do not mix.  Whatever is cut
 * at the end of the buffer ends in dots.  Control characters come from keys
 * and values of clients; they could forge a line or steer a terminal, and are
 * printed as question marks. */
#include "diag.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 2048,
    FATAL_WAIT_MS = 1000 /* for the last line to be taken */
};

_Static_assert(LINE_MAX_BYTES <= PIPE_BUF, "a line is written whole");

/* The head of the line; returns its length, well below LINE_MAX_BYTES. */
static size_t write_head(const struct diag *diag, char line[LINE_MAX_BYTES])
{
    struct timespec now;
    struct tm parts;
    char second[64];
    int length = 0;
    if (diag->name != NULL) {
        if (diag->name[0] != '\0') {
            length = snprintf(line, LINE_MAX_BYTES, "%.64s: ", diag->name);
        }
        return length > 0 ? (size_t)length : 0;
    }
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        localtime_r(&now.tv_sec, &parts) == NULL ||
        strftime(second, sizeof second, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        return 0;
    }
    length = snprintf(
        line, LINE_MAX_BYTES, "%s.%03ld ", second, now.tv_nsec / 1000000);
    return length > 0 ? (size_t)length : 0;
}

/* Puts a line together, with its end; returns its size. */
__attribute__((format(printf, 3, 0))) static size_t format_line(
    const struct diag *diag, char line[LINE_MAX_BYTES], const char *format,
    va_list arguments)
{
    static const char dots[] = {'.', '.', '.'};
    size_t head = write_head(diag, line);
    size_t room = LINE_MAX_BYTES - head;
    int wanted = vsnprintf(line + head, room, format, arguments);
    size_t size = head + (wanted > 0 ? (size_t)wanted : 0);
    if (size > LINE_MAX_BYTES - 1) {
        size = LINE_MAX_BYTES - 1;
        memcpy(line + size - sizeof dots, dots, sizeof dots);
    }
    for (size_t i = head; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == '\x7f') {
            line[i] = '?';
        }
    }
    line[size] = '\n';
    return size + 1;
}

/* True if the stream takes a line without waiting: a pipe that takes anything
 * takes PIPE_BUF bytes, pipe(7). */
static bool takes_line(const struct diag *diag, int patience_ms)
{
    struct pollfd stream = {.fd = fileno(diag->stream), .events = POLLOUT};
    if (!diag->drops || stream.fd < 0) {
        return true;
    }
    int count;
    do {
        count = poll(&stream, 1, patience_ms);
    } while (count < 0 && errno == EINTR);
    return count == 1 && (stream.revents & POLLOUT) != 0;
}

static void put_line(struct diag *diag, const char *line, size_t size)
{
    /* There is nobody to tell that a diagnostic could not be printed. */
    (void)fwrite(line, 1, size, diag->stream);
    (void)fflush(diag->stream);
}

__attribute__((format(printf, 2, 3))) static void print_own(
    struct diag *diag, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t size = format_line(diag, line, format, arguments);
    va_end(arguments);
    put_line(diag, line, size);
}

__attribute__((format(printf, 2, 0))) static void print_line(
    struct diag *diag, const char *format, va_list arguments)
{
    char line[LINE_MAX_BYTES];
    if (diag == NULL || diag->stream == NULL) {
        return;
    }
    size_t size = format_line(diag, line, format, arguments);
    flockfile(diag->stream);
    bool takes = takes_line(diag, 0);
    uint64_t dropped = diag->dropped;
    if (takes && dropped > 0) {
        print_own(diag,
            "%" PRIu64 " lines were dropped before this one: nobody took them",
            dropped);
        diag->dropped = 0;
        takes = takes_line(diag, 0);
    }
    if (takes) {
        put_line(diag, line, size);
    } else {
        diag->dropped++;
    }
    funlockfile(diag->stream);
}

void diag_init(struct diag *diag, int verbose)
{
    *diag = (struct diag){.verbose = verbose};
    diag->stream = stderr;
    diag->name = getenv("JOURNAL_STREAM") != NULL ? "" : NULL;
}

void diag_line(struct diag *diag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(diag, format, arguments);
    va_end(arguments);
}

void diag_verbose(struct diag *diag, int level, const char *format, ...)
{
    va_list arguments;
    if (diag == NULL || diag->verbose < level) {
        return;
    }
    va_start(arguments, format);
    print_line(diag, format, arguments);
    va_end(arguments);
}

void diag_fatal(struct diag *diag, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    if (diag != NULL && diag->stream != NULL) {
        va_start(arguments, format);
        size_t size = format_line(diag, line, format, arguments);
        va_end(arguments);
        /* Past the stream and its lock, which a thread may hold that waits. */
        if (takes_line(diag, FATAL_WAIT_MS)) {
            (void)dprintf(fileno(diag->stream), "%.*s", (int)size, line);
        }
    }
    /* Not exit: other threads are running, and may be here too. */
    _exit(EXIT_FAILURE);
}
