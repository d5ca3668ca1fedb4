#include "faults_store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

enum {
    KEY_TEXT_MAX = 16,
    CAPACITY = 200,
    SEGMENT_BYTES = 1 << 21 /* the smallest, WAL_SEGMENT_MIN */
};

void journal_init(struct journal *journal)
{
    memset(journal, 0, sizeof *journal);
    for (uint32_t i = 0; i < CELL_COUNT; i++) {
        journal->cells[i].sure = CELL_ABSENT;
    }
    journal_begin(journal);
}

void journal_begin(struct journal *journal)
{
    history_begin(&journal->history, CELL_COUNT);
    for (uint32_t i = 0; i < CELL_COUNT; i++) {
        journal->history.base[i] = journal->cells[i].sure;
    }
}

void run_complain(struct run *run, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    (void)printf("%s", test_syncs[run->sync]);
    if (run->fault != NULL) {
        (void)printf(
            ", %s number %" PRIu32, calls_name(run->fault->call), run->nth);
    }
    (void)printf(": %s\n", text);
    (void)fflush(stdout);
    run->complained = true;
}

/* ---- Cells --------------------------------------------------------------- */

static size_t cell_key(uint32_t cell, char key[KEY_TEXT_MAX])
{
    return (size_t)snprintf(key, KEY_TEXT_MAX, "cell-%" PRIu32, cell);
}

/* The value that stands for a number: of a length of its own, so that a mixture
 * of two is noticed. */
static size_t cell_value(
    uint32_t cell, int64_t number, uint8_t value[KV_VALUE_MAX])
{
    size_t length = decimal_format(number, value);
    if (cell == CELL_SUM) {
        return length;
    }
    size_t filled = length + (size_t)(number * 37 % 200);
    memset(value + length, 'a' + (int)(number % 26), filled - length);
    return filled;
}

/* The number in a reply to GET; CELL_ABSENT if there is no record. */
static int64_t cell_number(
    struct run *run, uint32_t cell, const kv_message_t *reply)
{
    uint8_t value[KV_VALUE_MAX];
    int64_t number = 0;
    bool overflow;
    size_t digits = 0;
    if (reply->status == KV_NOT_FOUND) {
        return CELL_ABSENT;
    }
    while (digits < reply->value_len && reply->value[digits] >= '0' &&
           reply->value[digits] <= '9') {
        digits++;
    }
    if (reply->status != KV_SUCCESS ||
        !decimal_parse(reply->value, digits, &number, &overflow) ||
        cell_value(cell, number, value) != reply->value_len ||
        memcmp(value, reply->value, reply->value_len) != 0) {
        run_complain(run,
            "cell %" PRIu32 " has a value that nobody wrote: "
            "status %d, %d bytes",
            cell, reply->status, reply->value_len);
    }
    return number;
}

static void fill(kv_message_t *message, int type, uint32_t cell, int64_t number)
{
    char key[KEY_TEXT_MAX];
    uint8_t value[KV_VALUE_MAX];
    size_t value_len = 0;
    if (type == KV_ADD) {
        value_len = decimal_format(number, value);
    } else if (type == KV_PUT || type == KV_EXPECT) {
        value_len = cell_value(cell, number, value);
    }
    kv_error_t error = kv_message_fill(
        message, type, key, cell_key(cell, key), value, value_len);
    assert(error == KV_SUCCESS);
    (void)error;
}

static struct cell *ask(
    struct run *run, uint32_t number, int64_t maybe, bool linked)
{
    struct cell *cell = &run->journal.cells[number];
    assert(!cell->doubtful);
    history_ask(&run->journal.history, number, maybe, linked);
    cell->maybe = maybe;
    cell->doubtful = true;
    return cell;
}

/* ---- Answers ------------------------------------------------------------- */

bool fault_unseen(const struct fault *fault)
{
    return fault == NULL || fault->effect == EFFECT_SHORT ||
           fault->error == EINTR || fault->error == EOPNOTSUPP;
}

static bool fault_of_sync(const struct fault *fault)
{
    return fault != NULL &&
           (fault->call == CALL_fdatasync || fault->call == CALL_fsync);
}

static bool fault_of_power(const struct fault *fault)
{
    return fault != NULL && fault->effect >= EFFECT_POWER_ALL;
}

/* Of a write that failed and could not be wiped either, nobody knows. */
static bool fault_of_write(const struct fault *fault)
{
    return fault != NULL && fault->call == CALL_pwrite && fault->lasting;
}

static void judge_refusal(struct run *run, const kv_message_t *reply)
{
    const struct fault *fault = run->fault;
    if (fault_unseen(fault) || calls_struck() == 0) {
        run_complain(run, "a write was refused: %s: %.*s",
            kv_error_name(reply->status), reply->value_len,
            (const char *)reply->value);
    }
    if (reply->status != KV_ABORTED && reply->value_len == 0) {
        run_complain(run, "a refusal does not say why");
    }
    (void)snprintf(run->refusal, sizeof run->refusal, "%.*s", reply->value_len,
        (const char *)reply->value);
}

/* What the reply to a write of this cell makes of it. */
static void settle(
    struct run *run, struct cell *cell, const kv_message_t *reply)
{
    switch (reply->status) {
    case KV_SUCCESS:
        if (run->broken) {
            run_complain(run, "acknowledged after a failed sync");
        }
        cell->sure = cell->maybe;
        cell->doubtful = false;
        run->journal.history.acknowledged = run->journal.history.count;
        break;
    case KV_READ_ONLY:
    case KV_ABORTED:
        judge_refusal(run, reply);
        cell->doubtful = false;
        break;
    case KV_INTERNAL:
        judge_refusal(run, reply);
        run->broken = run->broken || fault_of_sync(run->fault);
        if (!fault_of_sync(run->fault) && !fault_of_write(run->fault)) {
            run_complain(run, "in doubt without need");
        }
        break;
    default:
        run_complain(run, "a write was answered %s: %.*s",
            kv_error_name(reply->status), reply->value_len,
            (const char *)reply->value);
        break;
    }
}

static void execute(
    struct run *run, kv_store_t *store, kv_message_t *messages, uint32_t count)
{
    kv_error_t error = kv_store_execute(store, messages, count);
    if (error != KV_SUCCESS) {
        run_complain(run, "execute: %s", kv_error_text(error));
    }
}

/* ---- Writing ------------------------------------------------------------- */

void run_put(struct run *run, kv_store_t *store, const struct span *span)
{
    kv_message_t messages[MANY_CELLS];
    struct cell *cells[MANY_CELLS];
    uint32_t count = 0;
    assert(span->count <= MANY_CELLS);
    uint32_t end = span->first + span->count;
    for (uint32_t i = span->first; i < end; i++) {
        if (run->journal.cells[i].doubtful) {
            continue;
        }
        int64_t number =
            span->chain && count > 0 ? run->journal.last : ++run->journal.last;
        cells[count] = ask(run, i, number, span->chain && i + 1 < end);
        fill(&messages[count], KV_PUT, i, number);
        messages[count].type |= span->chain ? KV_LINKED : 0;
        count++;
    }
    if (count == 0) {
        return;
    }
    messages[count - 1].type = KV_PUT;
    execute(run, store, messages, count);
    for (uint32_t i = 0; i < count; i++) {
        settle(run, cells[i], &messages[i]);
        if (span->chain && (messages[i].status == KV_SUCCESS) !=
                               (messages[0].status == KV_SUCCESS)) {
            run_complain(run, "a chain was acknowledged in part");
        }
    }
}

void run_delete(struct run *run, kv_store_t *store, uint32_t number)
{
    kv_message_t message;
    struct cell *cell = &run->journal.cells[number];
    if (cell->doubtful || cell->sure == CELL_ABSENT) {
        return;
    }
    ask(run, number, CELL_ABSENT, false);
    fill(&message, KV_DELETE, number, 0);
    execute(run, store, &message, 1);
    settle(run, cell, &message);
}

void run_add(struct run *run, kv_store_t *store)
{
    kv_message_t message;
    struct cell *cell = &run->journal.cells[CELL_SUM];
    int64_t before = cell->sure == CELL_ABSENT ? 0 : cell->sure;
    if (cell->doubtful) {
        return;
    }
    ask(run, CELL_SUM, before + 3, false);
    fill(&message, KV_ADD, CELL_SUM, 3);
    execute(run, store, &message, 1);
    settle(run, cell, &message);
}

void run_fail_chain(struct run *run, kv_store_t *store)
{
    kv_message_t messages[2];
    if (run->journal.cells[CELL_PUT].doubtful) {
        return;
    }
    fill(&messages[0], KV_PUT, CELL_PUT, ++run->journal.last);
    fill(&messages[1], KV_EXPECT, CELL_PUT, ++run->journal.last);
    messages[0].type |= KV_LINKED;
    execute(run, store, messages, 2);
    if (messages[0].status == KV_READ_ONLY) {
        judge_refusal(run, &messages[0]);
    } else if (messages[0].status != KV_ABORTED ||
               messages[1].status != KV_MISMATCH) {
        run_complain(run, "a chain that cannot be: %s, %s",
            kv_error_name(messages[0].status),
            kv_error_name(messages[1].status));
    }
}

void run_backup(struct run *run, kv_store_t *store, uint64_t *lsn)
{
    kv_error_t error = kv_store_backup(store, lsn);
    if (error == KV_SUCCESS) {
        run->journal.history.durable = run->journal.history.acknowledged;
    } else if (fault_unseen(run->fault) || calls_struck() == 0) {
        run_complain(run, "a backup failed: %s", kv_error_text(error));
    }
}

/* ---- Reading ------------------------------------------------------------- */

static int64_t read_cell(struct run *run, kv_store_t *store, uint32_t cell)
{
    kv_message_t message;
    fill(&message, KV_GET, cell, 0);
    execute(run, store, &message, 1);
    return cell_number(run, cell, &message);
}

static uint64_t scan_all(struct run *run, kv_store_t *store)
{
    static kv_message_t records[KV_SCAN_MAX];
    uint64_t cursor = 0;
    uint64_t sum = 0;
    do {
        size_t count;
        kv_error_t error =
            kv_store_scan(store, NULL, 0, &cursor, records, &count);
        if (error != KV_SUCCESS) {
            run_complain(run, "scan: %s", kv_error_text(error));
        }
        sum += count;
    } while (cursor != 0);
    return sum;
}

void run_compare(struct run *run, kv_store_t *store)
{
    uint64_t present = 0;
    for (uint32_t i = 0; i < CELL_COUNT; i++) {
        const struct cell *cell = &run->journal.cells[i];
        int64_t found = read_cell(run, store, i);
        present += cell->sure == CELL_ABSENT ? 0 : 1;
        if (found != cell->sure) {
            run_complain(run,
                "cell %" PRIu32 " is %" PRId64 ", acknowledged was %" PRId64, i,
                found, cell->sure);
        }
    }
    uint64_t scanned = scan_all(run, store);
    if (kv_store_count(store) != present || scanned != present) {
        run_complain(run,
            "%" PRIu64 " records, %" PRIu64 " in a scan, and there are %" PRIu64
            " in all",
            kv_store_count(store), scanned, present);
    }
}

/* Cells of one chain have the same number: all have it, or none. */
static void judge_chain(struct run *run, uint32_t cell, int64_t found)
{
    const struct cell *cells = run->journal.cells;
    for (uint32_t i = 0; i < cell; i++) {
        if (cells[i].maybe == cells[cell].maybe && !cells[i].doubtful &&
            (cells[i].sure == cells[i].maybe) != (found == cells[i].maybe)) {
            run_complain(run,
                "half a chain is there: cells %" PRIu32 " and %" PRIu32, i,
                cell);
        }
    }
}

/* After a loss of power: all that was promised to be durable, in its order, and
 * of what was asked after that a beginning. */
static void resolve_loss(struct run *run, kv_store_t *store)
{
    struct history *history = &run->journal.history;
    int64_t found[CELL_COUNT];
    for (uint32_t i = 0; i < CELL_COUNT; i++) {
        found[i] = read_cell(run, store, i);
        run->journal.cells[i].sure = found[i];
        run->journal.cells[i].doubtful = false;
    }
    uint32_t least =
        run->sync == KV_SYNC_ALWAYS ? history->acknowledged : history->durable;
    if (!history_matches(history, found, least)) {
        run_complain(run,
            "is not as after %" PRIu32 " to %" PRIu32 " of what was asked",
            least, history->count);
    }
    journal_begin(&run->journal);
    run_compare(run, store);
}

/* What the store shows becomes sure, if it may be so. */
static void resolve(struct run *run, kv_store_t *store)
{
    if (run->struck && fault_of_power(run->fault)) {
        resolve_loss(run, store);
        return;
    }
    for (uint32_t i = 0; i < CELL_COUNT; i++) {
        struct cell *cell = &run->journal.cells[i];
        if (!cell->doubtful) {
            continue;
        }
        int64_t found = read_cell(run, store, i);
        if (found != cell->sure && found != cell->maybe) {
            run_complain(run,
                "cell %" PRIu32 " is %" PRId64 ", neither %" PRId64
                " nor %" PRId64,
                i, found, cell->sure, cell->maybe);
        }
        if (i != CELL_SUM && cell->maybe != CELL_ABSENT) {
            judge_chain(run, i, found);
        }
        cell->sure = found;
        cell->doubtful = false;
    }
    run_compare(run, store);
}

/* ---- Opening ------------------------------------------------------------- */

static kv_store_t *try_open(struct run *run, char *why, size_t why_size)
{
    const kv_store_options_t options = {
        .capacity = CAPACITY,
        .sync = run->sync,
        .segment_bytes = SEGMENT_BYTES,
    };
    kv_store_t *store;
    kv_error_t error =
        kv_store_open(&store, run->directory, &options, why, why_size);
    if ((error == KV_SUCCESS) != (store != NULL) ||
        (error != KV_SUCCESS && why[0] == '\0')) {
        run_complain(
            run, "open does not say what is: %s", kv_error_text(error));
    }
    return store;
}

kv_store_t *run_open_plainly(struct run *run)
{
    char why[512] = "";
    kv_store_t *store = try_open(run, why, sizeof why);
    if (store == NULL) {
        run_complain(run, "cannot be opened: %s", why);
    } else {
        run->broken = false;
        resolve(run, store);
    }
    return store;
}

kv_store_t *run_open(struct run *run)
{
    char why[512] = "";
    kv_store_t *store = try_open(run, why, sizeof why);
    if (store != NULL) {
        run->broken = false;
        resolve(run, store);
        return store;
    }
    if (fault_unseen(run->fault) || calls_struck() == 0) {
        run_complain(run, "does not open: %s", why);
    }
    if (run->fault != NULL && run->fault->lasting) {
        calls_disarm();
    }
    return run_open_plainly(run);
}

void run_check_files(struct run *run)
{
    DIR *list = opendir(run->directory);
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;
        size_t length = strlen(name);
        if (length > 4 && strcmp(name + length - 4, "-new") == 0) {
            run_complain(run, "%s is left", name);
        }
    }
    if (list == NULL || closedir(list) != 0) {
        run_complain(run, "%s: %s", run->directory, strerror(errno));
    }
}
