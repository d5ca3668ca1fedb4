#include "client_transfer/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"

enum {
    PERIOD_MS = 200,
    COLUMNS = 80, /* of a terminal that does not tell */
    BAR_MIN = 10,
    BAR_MAX = 50,
    TAIL_MAX = 120
};

void progress_begin(
    struct progress *progress, const char *name, uint64_t total, bool wanted)
{
    const char *terminal = getenv("TERM");
    bool dumb = terminal == NULL || strcmp(terminal, "dumb") == 0;
    *progress = (struct progress){.name = name,
        .total = total,
        .begin_ms = clock_steady_ms(),
        .shown = wanted && !dumb && isatty(STDERR_FILENO) == 1};
    progress->due_ms = progress->begin_ms + PERIOD_MS;
}

int64_t progress_elapsed_ms(const struct progress *progress)
{
    return clock_steady_ms() - progress->begin_ms;
}

uint64_t progress_rate(uint64_t records, int64_t elapsed_ms)
{
    return records * 1000 / (uint64_t)(elapsed_ms < 1 ? 1 : elapsed_ms);
}

static size_t terminal_columns(void)
{
    struct winsize size = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return COLUMNS;
    }
    return size.ws_col;
}

/* What follows the bar: figures. */
static void format_tail(const struct progress *progress,
    const struct progress_state *state, char tail[TAIL_MAX])
{
    char left[TAIL_MAX / 2] = "";
    char percent[8] = "";
    uint64_t rate = progress_rate(state->records, state->elapsed_ms);
    if (progress->total > 0) {
        uint64_t done = u64_min(state->done, progress->total);
        double share = (double)done / (double)progress->total;
        (void)snprintf(percent, sizeof percent, "%3d%%  ", (int)(share * 100));
        if (done > 0) {
            (void)snprintf(left, sizeof left, ", %.0f s left",
                (double)state->elapsed_ms / 1000 * (1 - share) / share);
        }
    }
    (void)snprintf(tail, TAIL_MAX, "%s%" PRIu64 " records, %" PRIu64 "/s%s",
        percent, state->records, rate, left);
}

void progress_line(const struct progress *progress,
    const struct progress_state *state, size_t columns,
    char text[PROGRESS_COLUMNS_MAX + 1])
{
    char tail[TAIL_MAX];
    char bar[BAR_MAX + 1] = "";
    assert(columns <= PROGRESS_COLUMNS_MAX);
    format_tail(progress, state, tail);
    size_t taken = strlen(progress->name) + strlen(" [] ") + strlen(tail);
    size_t room = columns > taken ? columns - taken : 0;
    if (progress->total > 0 && room >= BAR_MIN) {
        size_t length = u64_min(room, BAR_MAX);
        uint64_t done = u64_min(state->done, progress->total);
        size_t full =
            (size_t)((double)done / (double)progress->total * (double)length);
        memset(bar, ' ', length);
        memset(bar, '=', full);
        if (full < length) {
            bar[full] = '>';
        }
        (void)snprintf(
            text, columns + 1, "%s [%s] %s", progress->name, bar, tail);
        return;
    }
    (void)snprintf(text, columns + 1, "%s %s", progress->name, tail);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t records)
{
    int64_t now_ms = progress->shown ? clock_steady_ms() : 0;
    if (!progress->shown || now_ms < progress->due_ms) {
        return;
    }
    char text[PROGRESS_COLUMNS_MAX + 1];
    struct progress_state state = {
        .done = done,
        .records = records,
        .elapsed_ms = now_ms - progress->begin_ms,
    };
    /* A character in the last column would wrap on some terminals. */
    size_t columns = u64_min(terminal_columns(), PROGRESS_COLUMNS_MAX) - 1;
    progress_line(progress, &state, columns, text);
    (void)fprintf(stderr, "\r%s\033[K", text);
    (void)fflush(stderr);
    progress->due_ms = now_ms + PERIOD_MS;
    progress->drawn = true;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        progress->drawn = false;
    }
}
