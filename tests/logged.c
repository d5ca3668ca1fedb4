#include "logged.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file.h"

enum { TIME_MS = 1000000 };

void logged_make(struct logged *log, bool always)
{
    *log = (struct logged){.room = 1024};
    disk_make(&log->disk);
    log->frames = malloc(log->room * sizeof *log->frames);
    REQUIRE(log->frames != NULL);
    log->options = (struct wal_options){
        .directory = log->disk.directory,
        .segment_bytes = LOGGED_SEGMENT,
        .always = always,
    };
    memset(log->options.identity, 'i', sizeof log->options.identity);
}

void logged_remove(struct logged *log)
{
    logged_close(log);
    disk_remove(&log->disk);
    free(log->frames);
}

uint64_t logged_segment_frames(void)
{
    return (LOGGED_SEGMENT - DISK_PAGE) / FRAME_SIZE;
}

uint64_t logged_offset(uint64_t first_lsn, uint64_t lsn)
{
    return DISK_PAGE + (lsn - first_lsn) * FRAME_SIZE;
}

/* ---- Reading ------------------------------------------------------------ */

static bool is_as_appended(const struct logged *log, const struct frame *frame)
{
    const struct frame *appended = &log->frames[frame->lsn - 1];
    if (log->shared && frame_verb(appended) == VERB_MARK) {
        return frame_verb(frame) == VERB_MARK && frame->arg >= appended->arg &&
               frame->arg < (int64_t)frame->lsn;
    }
    return memcmp(frame, appended, FRAME_SIZE) == 0;
}

static int take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX]) // NOLINT(readability-non-const-parameter)
{
    struct logged *log = context;
    (void)why;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lsn = log->from + ++log->delivered;
        bool right = lsn <= log->count && frames[i].lsn == lsn &&
                     is_as_appended(log, &frames[i]);
        log->wrong += right ? 0 : 1;
    }
    log->wrong += count == 0 || frame_linked(&frames[count - 1]) ? 1 : 0;
    return 0;
}

static int check_reading(struct logged *log, int error)
{
    CHECK_U64(log->wrong, 0);
    CHECK_U64(log->end.frames, log->delivered);
    if (error == 0) {
        CHECK_U64(log->end.lsn, log->from + log->delivered);
        CHECK_TEXT(log->why, "");
    } else {
        CHECK(strlen(log->why) > 0);
    }
    return error;
}

int logged_read(struct logged *log, uint64_t from)
{
    const struct wal_sink sink = {take, log};
    log->from = from;
    log->delivered = 0;
    return check_reading(
        log, wal_read(&log->options, from, &sink, &log->end, log->why));
}

int logged_open(struct logged *log, uint64_t from)
{
    const struct wal_sink sink = {take, log};
    log->from = from;
    log->delivered = 0;
    logged_close(log);
    int error = check_reading(log,
        wal_open(&log->wal, &log->options, from, &sink, &log->end, log->why));
    CHECK((log->wal != NULL) == (error == 0));
    return error;
}

void logged_close(struct logged *log)
{
    wal_close(log->wal);
    log->wal = NULL;
}

/* ---- Appending ---------------------------------------------------------- */

static void remember(struct logged *log, const struct frame *frame)
{
    if (log->count == log->room) {
        log->room *= 2;
        log->frames = realloc(log->frames, log->room * sizeof *log->frames);
        REQUIRE(log->frames != NULL);
    }
    REQUIRE(frame->lsn == log->count + 1);
    log->frames[log->count] = *frame;
    log->frames[log->count].crc = frame_crc(frame);
    log->count++;
}

uint64_t logged_append(struct logged *log, unsigned type)
{
    uint64_t lsn = wal_next_lsn(log->wal);
    struct frame frame = {
        .lsn = lsn,
        .time_ms = (int64_t)(TIME_MS + lsn),
        .arg = -(int64_t)lsn,
        .message = sample_request((int)type, lsn, lsn * lsn),
    };
    CHECK_U64(wal_append(log->wal, &frame.message, (uint8_t)type, frame.arg,
                  frame.time_ms),
        lsn);
    remember(log, &frame);
    return lsn;
}

bool logged_mark(struct logged *log)
{
    struct wal_figures figures;
    wal_figures(log->wal, &figures);
    struct frame frame = {
        .lsn = wal_next_lsn(log->wal),
        .time_ms = TIME_MS,
        .arg = (int64_t)u64_min(figures.durable, figures.data),
        .message = {.type = VERB_MARK},
    };
    bool due = wal_mark_due(log->wal);
    bool marked = wal_mark(log->wal, frame.time_ms);
    CHECK(due == marked || (log->shared && marked));
    if (marked) {
        remember(log, &frame);
    }
    return marked;
}

void logged_close_chain(struct logged *log)
{
    struct frame *last = &log->frames[log->count - 1];
    wal_close_chain(log->wal);
    last->message.type &= (uint8_t)~KV_LINKED;
    last->crc = frame_crc(last);
}

void logged_take_back(struct logged *log, uint64_t next_lsn)
{
    wal_take_back(log->wal, next_lsn);
    CHECK_U64(wal_next_lsn(log->wal), next_lsn);
    log->count = next_lsn - 1;
}

void logged_forget(struct logged *log, uint64_t next_lsn)
{
    REQUIRE(next_lsn <= log->count + 1);
    log->count = next_lsn - 1;
}

void logged_group(struct logged *log, uint32_t frames, bool linked)
{
    unsigned type = linked && frames > 1 ? KV_PUT | KV_LINKED : KV_PUT;
    REQUIRE(wal_reserve(log->wal, frames) == 0);
    logged_mark(log);
    for (uint32_t i = 0; i < frames; i++) {
        logged_append(log, type);
    }
    if (type != KV_PUT) {
        logged_close_chain(log);
    }
}

bool logged_write(struct logged *log, uint32_t frames, bool linked)
{
    logged_group(log, frames, linked);
    return wal_write(log->wal) == 0;
}

bool logged_commit(struct logged *log, uint32_t frames, bool linked)
{
    return logged_write(log, frames, linked) && wal_sync(log->wal) == 0;
}

/* ---- Segments ----------------------------------------------------------- */

struct finding {
    uint64_t above;
    uint64_t lsn; /* the least one found, UINT64_MAX: none */
};

static int find_entry(void *context, const char *name)
{
    struct finding *finding = context;
    if (strncmp(name, "log-", 4) == 0 && name[4] >= '0' && name[4] <= '9') {
        uint64_t lsn = strtoull(name + 4, NULL, 10);
        if (lsn > finding->above && lsn < finding->lsn) {
            finding->lsn = lsn;
        }
    }
    return 0;
}

uint64_t logged_first(const struct logged *log, uint32_t index)
{
    struct finding finding = {.above = 0};
    for (uint32_t i = 0; i <= index; i++) {
        finding.lsn = UINT64_MAX;
        REQUIRE(file_list(log->disk.directory, find_entry, &finding) == 0);
        REQUIRE(finding.lsn != UINT64_MAX);
        finding.above = finding.lsn;
    }
    return finding.lsn;
}

void logged_segment(
    const struct logged *log, uint32_t index, char name[WAL_NAME_MAX])
{
    (void)snprintf(
        name, WAL_NAME_MAX, "log-%020" PRIu64, logged_first(log, index));
}
