/* diag.c: see diag.h.  A line is put together in a buffer and handed over in
 * one call, so that the lines of several threads do not mix.  Whatever is cut
 * at the end of the buffer ends in dots.  Control characters come from keys
 * and values of clients; they could forge a line or steer a terminal, and are
 * printed as question marks. */
#include "diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

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

__attribute__((format(printf, 2, 0))) static void print_line(
    const struct diag *diag, const char *format, va_list arguments)
{
    static const char dots[] = {'.', '.', '.'};
    char line[LINE_MAX_BYTES];
    if (diag == NULL || diag->stream == NULL) {
        return;
    }
    size_t head = write_head(diag, line);
    size_t room = sizeof line - head;
    int wanted = vsnprintf(line + head, room, format, arguments);
    size_t size = head + (wanted > 0 ? (size_t)wanted : 0);
    if (size > sizeof line - 1) {
        size = sizeof line - 1;
        memcpy(line + size - sizeof dots, dots, sizeof dots);
    }
    for (size_t i = head; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == '\x7f') {
            line[i] = '?';
        }
    }
    line[size] = '\n';
    /* There is nobody to tell that a diagnostic could not be printed. */
    (void)fwrite(line, 1, size + 1, diag->stream);
    (void)fflush(diag->stream);
}

void diag_init(struct diag *diag, int verbose)
{
    diag->verbose = verbose;
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
    va_list arguments;
    va_start(arguments, format);
    print_line(diag, format, arguments);
    va_end(arguments);
    /* Not exit: other threads are running, and may be here too. */
    _exit(EXIT_FAILURE);
}
