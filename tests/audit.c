#include "audit.h"

#include "command/collection.h"
#include "command/set.h"
#include "storage/state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL = KV_KEY_SIZE - OWNER_SIZE };

struct auditor {
    struct audit *audit;
    struct table *table;
    struct owner *owners;
    size_t owner_count;
    size_t owner_max;
};

struct owner {
    uint8_t bytes[OWNER_SIZE];
};

static void fault(struct auditor *auditor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fault(struct auditor *auditor, const char *format, ...)
{
    if (auditor->audit->faults++ == 0) {
        va_list list;
        va_start(list, format);
        (void)vsnprintf(
            auditor->audit->why, sizeof auditor->audit->why, format, list);
        va_end(list);
    }
}

/* ---- One collection ------------------------------------------------------ */

/* The inner record of that owner and tail, of that kind; counts it. */
static const struct record *find_part(struct auditor *auditor,
    const struct collection *head, const uint8_t tail[TAIL], unsigned kind)
{
    uint8_t key[KV_KEY_SIZE];
    memcpy(key, head->owner, OWNER_SIZE);
    memcpy(key + OWNER_SIZE, tail, TAIL);
    const struct record *record =
        table_find(auditor->table, table_hash_inner(auditor->table, key), key);
    if (record == NULL || record->kind != kind) {
        return NULL;
    }
    auditor->audit->owned++;
    return record;
}

static void audit_list(struct auditor *auditor, const struct collection *head)
{
    int64_t first;
    memcpy(&first, head->rest, sizeof first);
    for (uint64_t i = 0; i < head->count; i++) {
        uint8_t tail[TAIL] = {0};
        int64_t position = first + (int64_t)i;
        memcpy(tail, &position, sizeof position);
        const struct record *record =
            find_part(auditor, head, tail, KIND_ELEMENT);
        if (record == NULL) {
            fault(auditor,
                "a list of %" PRIu64 " has no element number %" PRIu64,
                head->count, i);
            return;
        }
        if (record->expire_ms != 0) {
            fault(auditor, "an element has a number of its own");
        }
    }
}

/* The hashes of the block of that number; NULL if there is none. */
static const uint8_t *find_block(
    struct auditor *auditor, const struct collection *head, uint64_t block)
{
    uint8_t tail[TAIL];
    if (block == (head->count - 1) / SET_BLOCK) {
        return head->rest;
    }
    memset(tail, 0xff, sizeof tail);
    memcpy(tail, &block, sizeof block);
    const struct record *record = find_part(auditor, head, tail, KIND_BLOCK);
    return record == NULL || record->value_len != SET_BLOCK_SIZE
               ? NULL
               : record->value;
}

/* Member number i, whose hash stands in its block. */
static void audit_member(struct auditor *auditor, const struct set *set,
    uint64_t i, const uint8_t hash[SET_HASH_SIZE])
{
    uint8_t right[SET_HASH_SIZE];
    const struct record *record =
        find_part(auditor, &set->head, hash, KIND_MEMBER);
    if (record == NULL) {
        fault(auditor, "a set of %" PRIu64 " has no member number %" PRIu64,
            set->head.count, i);
        return;
    }
    const struct member member = {record->value, record->value_len};
    set_hash(set, &member, right);
    if (memcmp(hash, right, sizeof right) != 0) {
        fault(auditor, "member number %" PRIu64 " has another's hash", i);
    }
    if (record->expire_ms != -1 - (int64_t)i) {
        fault(auditor, "member number %" PRIu64 " says that it is %" PRId64, i,
            -1 - record->expire_ms);
    }
}

static void audit_set(struct auditor *auditor, const struct collection *head)
{
    const struct set set = {.head = *head};
    const uint8_t *block = NULL;
    for (uint64_t i = 0; i < head->count; i++) {
        if (i % SET_BLOCK == 0) {
            block = find_block(auditor, head, i / SET_BLOCK);
        }
        if (block == NULL) {
            fault(auditor,
                "a set of %" PRIu64 " has no block for member %" PRIu64,
                head->count, i);
            return;
        }
        audit_member(auditor, &set, i, block + i % SET_BLOCK * SET_HASH_SIZE);
    }
}

/* ---- All ----------------------------------------------------------------- */

static void note_owner(struct auditor *auditor, const struct collection *head)
{
    if (auditor->owner_count == auditor->owner_max) {
        auditor->owner_max = 2 * auditor->owner_max + 64;
        auditor->owners = realloc(
            auditor->owners, auditor->owner_max * sizeof *auditor->owners);
        assert(auditor->owners != NULL);
    }
    memcpy(
        auditor->owners[auditor->owner_count++].bytes, head->owner, OWNER_SIZE);
}

static int compare_owners(const void *a, const void *b)
{
    return memcmp(a, b, OWNER_SIZE);
}

/* With one owner each, no record is accounted for twice. */
static void check_owners(struct auditor *auditor)
{
    if (auditor->owner_count > 0) {
        qsort(auditor->owners, auditor->owner_count, sizeof *auditor->owners,
            compare_owners);
    }
    for (size_t i = 1; i < auditor->owner_count; i++) {
        if (compare_owners(&auditor->owners[i - 1], &auditor->owners[i]) == 0) {
            fault(auditor, "two collections have one owner");
        }
    }
}

static void audit_head(struct auditor *auditor, const struct record *record)
{
    struct collection head;
    if (record->value_len != sizeof head) {
        fault(auditor, "a head has %d bytes", record->value_len);
        return;
    }
    memcpy(&head, record->value, sizeof head);
    if (head.count == 0) {
        fault(auditor, "a collection has no members");
    }
    if (record->kind != KIND_REMAINS && head.kind != record->kind) {
        fault(auditor, "a head of kind %d says %d", record->kind, head.kind);
    }
    note_owner(auditor, &head);
    if (head.kind == KIND_LIST) {
        audit_list(auditor, &head);
    } else if (head.kind == KIND_SET) {
        audit_set(auditor, &head);
    } else {
        fault(auditor, "a collection of kind %d", head.kind);
    }
}

/* Remains stand under their owner's last inner key, and have expired. */
static void audit_remains(struct auditor *auditor, const struct record *record)
{
    uint8_t tail[TAIL];
    memset(tail, 0xff, sizeof tail);
    auditor->audit->remains++;
    auditor->audit->owned++;
    if (memcmp(record->key, record->value, OWNER_SIZE) != 0 ||
        memcmp(record->key + OWNER_SIZE, tail, sizeof tail) != 0) {
        fault(auditor, "remains stand under another key");
    }
    if (record->expire_ms <= 0) {
        fault(auditor, "remains have not expired: nobody takes them away");
    }
    audit_head(auditor, record);
}

static void see(void *context, const struct record *record)
{
    struct auditor *auditor = context;
    struct audit *audit = auditor->audit;
    bool inner = (record->hash & TABLE_INNER) != 0;
    audit->inner += inner ? 1 : 0;
    if (inner != kind_inner(record->kind)) {
        fault(auditor, "a record of kind %d has another's name", record->kind);
    }
    switch (record->kind) {
    case KIND_STRING:
        audit->strings++;
        break;
    case KIND_LIST:
        audit->lists++;
        audit_head(auditor, record);
        break;
    case KIND_SET:
        audit->sets++;
        audit_head(auditor, record);
        break;
    case KIND_REMAINS:
        audit_remains(auditor, record);
        break;
    default:
        break;
    }
}

bool audit_storage(struct storage *storage, struct audit *audit)
{
    struct auditor auditor = {.audit = audit, .table = storage->table};
    uint64_t position = 0;
    *audit = (struct audit){0};
    do {
        table_visit(storage->table, &position, see, &auditor);
    } while (position != 0);
    check_owners(&auditor);
    free(auditor.owners);
    uint64_t keys = audit->strings + audit->lists + audit->sets;
    if (audit->inner != audit->owned) {
        fault(&auditor,
            "%" PRIu64 " inner records, of which %" PRIu64 " have an owner",
            audit->inner, audit->owned);
    }
    if (table_records(storage->table) != keys + audit->inner ||
        table_inner(storage->table) != audit->inner) {
        fault(&auditor,
            "%" PRIu64 " keys and %" PRIu64 " inner records, counted %" PRIu64
            " and %" PRIu64,
            keys, audit->inner,
            table_records(storage->table) - table_inner(storage->table),
            table_inner(storage->table));
    }
    return audit->faults == 0;
}

bool audit_directory(const char *path, struct audit *audit)
{
    struct diag diag = {0};
    struct storage *storage;
    char why[STORAGE_WHY_MAX];
    const struct storage_options options = {
        .directory = path,
        .load_threads = 1,
        .diag = &diag,
    };
    const struct storage_moment newest = STORAGE_NEWEST;
    *audit = (struct audit){0};
    int error = storage_open_at(&storage, &options, &newest, why);
    if (error != 0) {
        audit->faults = 1;
        (void)snprintf(audit->why, sizeof audit->why, "%.250s", why);
        return false;
    }
    bool right = audit_storage(storage, audit);
    (void)storage_close(storage, false);
    return right;
}
