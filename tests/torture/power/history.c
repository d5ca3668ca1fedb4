#include "torture/power/history.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"

enum { EPOCHS_MAX = 8 };

struct request {
    struct crash_request request;
    uint64_t sent;
    uint64_t answered; /* UINT64_MAX: never */
};

/* What one writer sent from one beginning to the next. */
struct line {
    struct request *requests;
    uint32_t count;
    uint32_t room;
    uint32_t answered;
};

struct epoch {
    uint64_t begins;
    const struct power_cells *cells; /* at its beginning; NULL: not told yet */
    struct line lines[POWER_WRITERS];
};

struct power_history {
    const struct power_trace *trace;
    struct epoch epochs[EPOCHS_MAX];
    uint32_t epoch_count;
};

static void add_request(
    struct line *line, uint64_t number, const struct power_event *event)
{
    if (line->count == line->room) {
        line->room = line->room == 0 ? 1024 : 2 * line->room;
        line->requests =
            realloc(line->requests, line->room * sizeof *line->requests);
        assert(line->requests != NULL);
    }
    line->requests[line->count++] = (struct request){
        .request = {.kind = (enum crash_kind)event->flags,
            .cell = (uint32_t)event->of,
            .number = event->number},
        .sent = number,
        .answered = UINT64_MAX,
    };
}

static void take_event(struct power_history *history, uint64_t number)
{
    const struct power_event *event = &history->trace->events[number];
    struct epoch *epoch = &history->epochs[history->epoch_count - 1];
    switch (atomic_load(&event->kind)) {
    case POWER_EPOCH:
        /* The first one holds from the beginning of the trace on. */
        if (epoch->cells != NULL) {
            assert(history->epoch_count < EPOCHS_MAX);
            epoch = &history->epochs[history->epoch_count++];
            epoch->begins = number;
        }
        epoch->cells = (const void *)(history->trace->bytes + event->bytes);
        break;
    case POWER_SENT:
        add_request(&epoch->lines[event->file], number, event);
        break;
    case POWER_ANSWERED: {
        struct line *line = &epoch->lines[event->file];
        assert(line->answered < line->count);
        line->requests[line->answered++].answered = number;
        break;
    }
    default:
        break;
    }
}

struct power_history *power_history_create(const struct power_trace *trace)
{
    struct power_history *history = calloc(1, sizeof *history);
    if (history != NULL) {
        history->trace = trace;
        history->epoch_count = 1;
        for (uint64_t i = 1; i < trace->count; i++) {
            take_event(history, i);
        }
    }
    return history;
}

void power_history_destroy(struct power_history *history)
{
    for (uint32_t i = 0; i < history->epoch_count; i++) {
        for (uint32_t j = 0; j < POWER_WRITERS; j++) {
            free(history->epochs[i].lines[j].requests);
        }
    }
    free(history);
}

/* ---- Judging ------------------------------------------------------------- */

/* How many of a line's requests are there: the cells cannot tell whether the
 * last ones are that left them as they were. */
struct prefix {
    uint32_t least;
    uint32_t most;
    bool none; /* no number of them makes these cells */
};

static uint32_t count_sent(const struct line *line, uint64_t position)
{
    uint32_t count = 0;
    while (count < line->count && line->requests[count].sent < position) {
        count++;
    }
    return count;
}

static uint32_t count_answered(const struct line *line, uint64_t position)
{
    uint32_t count = 0;
    while (count < line->count && line->requests[count].answered < position) {
        count++;
    }
    return count;
}

static uint32_t count_cells(const struct request *request)
{
    return request->request.kind == CRASH_CHAIN ? CRASH_GROUP : 1;
}

/* How many of the cells that the request is about differ. */
static uint32_t count_differences(const struct request *request,
    const int64_t cells[CRASH_CELLS], const int64_t found[CRASH_CELLS])
{
    uint32_t differences = 0;
    for (uint32_t i = 0; i < count_cells(request); i++) {
        uint32_t cell = request->request.cell + i;
        differences += cells[cell] != found[cell] ? 1 : 0;
    }
    return differences;
}

/* The least and the most n of which the first n of the sent requests make the
 * cells as found. */
static struct prefix find_prefix(const struct line *line, uint32_t sent,
    const int64_t base[CRASH_CELLS], const int64_t found[CRASH_CELLS])
{
    int64_t cells[CRASH_CELLS];
    struct prefix prefix = {.none = true};
    uint32_t differences = 0;
    memcpy(cells, base, sizeof cells);
    for (uint32_t i = 0; i < CRASH_CELLS; i++) {
        differences += cells[i] != found[i] ? 1 : 0;
    }
    for (uint32_t n = 0; n <= sent; n++) {
        if (n > 0) {
            const struct request *request = &line->requests[n - 1];
            differences -= count_differences(request, cells, found);
            crash_request_apply(&request->request, cells);
            differences += count_differences(request, cells, found);
        }
        if (differences == 0) {
            prefix.least = prefix.none ? n : prefix.least;
            prefix.most = n;
            prefix.none = false;
        }
    }
    return prefix;
}

/* Log order: whoever sent after another was answered is behind it. */
static bool in_order(const struct epoch *epoch,
    const struct prefix prefixes[POWER_WRITERS], uint32_t writer)
{
    const struct line *line = &epoch->lines[writer];
    if (prefixes[writer].least == 0) {
        return true;
    }
    uint64_t sent = line->requests[prefixes[writer].least - 1].sent;
    bool right = true;
    for (uint32_t i = 0; i < POWER_WRITERS; i++) {
        right =
            right && count_answered(&epoch->lines[i], sent) <= prefixes[i].most;
    }
    return right;
}

static int64_t age_of(const struct power_history *history,
    const struct line *line, uint32_t there, uint64_t position)
{
    const struct power_event *events = history->trace->events;
    if (there >= line->count || line->requests[there].answered >= position) {
        return 0;
    }
    return events[position - 1].time_ns -
           events[line->requests[there].answered].time_ns;
}

void power_history_judge(const struct power_history *history, uint64_t position,
    uint64_t settled, const struct power_cells *found,
    struct power_verdict *verdict)
{
    struct prefix prefixes[POWER_WRITERS];
    uint32_t number = history->epoch_count - 1;
    while (number > 0 && history->epochs[number].begins >= position) {
        number--;
    }
    const struct epoch *epoch = &history->epochs[number];
    *verdict = (struct power_verdict){0};
    for (uint32_t i = 0; i < POWER_WRITERS; i++) {
        const struct line *line = &epoch->lines[i];
        struct prefix *prefix = &prefixes[i];
        uint32_t wanted = count_answered(line, u64_min(position, settled));
        *prefix = find_prefix(line, count_sent(line, position),
            epoch->cells->of[i], found->of[i]);
        if (prefix->none) {
            verdict->strange = true;
            continue;
        }
        verdict->lost += wanted > prefix->most ? wanted - prefix->most : 0;
        int64_t age_ns = age_of(history, line, prefix->most, position);
        verdict->age_ns = age_ns > verdict->age_ns ? age_ns : verdict->age_ns;
    }
    for (uint32_t i = 0; i < POWER_WRITERS && !verdict->strange; i++) {
        verdict->disordered =
            verdict->disordered || !in_order(epoch, prefixes, i);
    }
}

uint64_t power_history_backed_up(
    const struct power_history *history, uint64_t position)
{
    uint64_t asked = 0;
    for (uint64_t i = 1; i < position; i++) {
        const struct power_event *event = &history->trace->events[i];
        if (atomic_load(&event->kind) == POWER_BACKED_UP) {
            asked = u64_max(asked, event->of);
        }
    }
    return asked;
}
