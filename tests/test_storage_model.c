/* test_storage_model.c: random batches go through the engine and through a
 * plain model that knows nothing of logs and threads; every reply, and what is
 * there after every restart, must be what the model says.
 *
 * Time: expiries are either hours away or a few milliseconds; before the next
 * batch the model waits until the short ones are over, so that it always knows
 * which records live. */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "stored.h"

enum {
    BATCHES = 250, /* of each mode */
    BATCH_MAX = 24,
    HOURS_MS = 36000000
};

struct run {
    struct test_random random;
    struct stored stored;
    struct model model;
    struct model_request requests[BATCH_MAX];
    struct model_reply replies[BATCH_MAX];
    kv_message_t messages[BATCH_MAX];
    uint32_t count;
};

static uint64_t draw(struct run *run, uint64_t limit)
{
    return test_random_below(&run->random, limit);
}

/* ---- Requests ------------------------------------------------------------ */

static void set_text(struct model_request *request, const char *text)
{
    request->message.value_len = (uint16_t)strlen(text);
    memcpy(request->message.value, text, strlen(text));
}

static void set_number(struct model_request *request, int64_t number)
{
    request->argument = number;
    request->message.value_len =
        (uint16_t)decimal_format(number, request->message.value);
}

static void draw_value(struct run *run, struct model_request *request)
{
    kv_message_t *message = &request->message;
    switch (draw(run, 5)) {
    case 0:
        set_number(request, (int64_t)draw(run, 2000) - 1000);
        break;
    case 1:
        set_number(request, draw(run, 2) == 0
                                ? INT64_MAX - (int64_t)draw(run, 3)
                                : INT64_MIN + (int64_t)draw(run, 3));
        break;
    case 2: /* a C string, whose length the engine finds */
        set_text(request, "as it was filled by strcpy");
        message->value_len = 0;
        break;
    case 3:
        message->value_len = (uint16_t)draw(run, KV_VALUE_MAX + 1);
        test_random_fill(&run->random, message->value, message->value_len);
        if (message->value_len > 0) {
            message->value[0] |= 0x80; /* no number */
        }
        break;
    default:
        break;
    }
}

static void draw_expiry(struct run *run, struct model_request *request)
{
    if (draw(run, 10) == 0) {
        static const char *const wrong[] = {
            "0", "-1", "soon", "", "1000000000000001", "99999999999999999999"};
        set_text(request, wrong[draw(run, ARRAY_SIZE(wrong))]);
        request->refused = KV_INVALID;
    } else if (!run->model.swept && draw(run, 2) == 0) {
        set_number(request, 1 + (int64_t)draw(run, 3));
    } else {
        set_number(request, HOURS_MS + (int64_t)draw(run, 1000));
    }
}

static void draw_delta(struct run *run, struct model_request *request)
{
    switch (draw(run, 8)) {
    case 0:
        set_text(request, "one");
        request->refused = KV_NOT_A_NUMBER;
        break;
    case 1:
        set_text(request, "9223372036854775808");
        request->refused = KV_OVERFLOW;
        break;
    case 2:
        set_number(request, draw(run, 2) == 0 ? INT64_MAX : INT64_MIN);
        break;
    default:
        set_number(request, (int64_t)draw(run, 200) - 100);
        break;
    }
}

/* Mostly the value that the record has. */
static void draw_expected(struct run *run, struct model_request *request)
{
    const struct model_entry *entry = &run->model.entries[request->number];
    if (entry->there && draw(run, 4) > 0) {
        request->message.value_len = entry->value_len;
        memcpy(request->message.value, entry->value, KV_VALUE_MAX);
    } else {
        draw_value(run, request);
    }
}

static void spoil(struct run *run, struct model_request *request)
{
    kv_message_t *message = &request->message;
    request->refused = KV_INVALID;
    switch (draw(run, 5)) {
    case 0:
        memset(message->key, 0, sizeof message->key);
        message->type = (uint8_t)((message->type & KV_LINKED) | KV_GET);
        break;
    case 1:
        message->status = 1;
        break;
    case 2:
        message->value_len = KV_VALUE_MAX + 1;
        break;
    case 3:
        message->value_len = 1;
        message->value[KV_VALUE_MAX - 1] = 1;
        break;
    default:
        message->type = (uint8_t)((message->type & KV_LINKED) | 99);
        break;
    }
}

static void draw_request(
    struct run *run, struct model_request *request, bool linked)
{
    static const uint8_t verbs[] = {KV_PUT, KV_PUT, KV_PUT, KV_GET, KV_GET,
        KV_DELETE, KV_EXISTS, KV_EXPIRE, KV_TTL, KV_PERSIST, KV_ADD, KV_ADD,
        KV_EXPECT, KV_EXPECT_ABSENT, KV_PING, KV_COUNT};
    *request = (struct model_request){
        .verb = verbs[draw(run, ARRAY_SIZE(verbs))],
        .linked = linked,
        .number = draw(run, MODEL_KEYS),
    };
    request->message.type = (uint8_t)(request->verb | (linked ? KV_LINKED : 0));
    sample_key(request->number, request->message.key);
    if (request->verb == KV_EXPIRE) {
        draw_expiry(run, request);
    } else if (request->verb == KV_ADD) {
        draw_delta(run, request);
    } else if (request->verb == KV_EXPECT) {
        draw_expected(run, request);
    } else if (request->verb == KV_PUT || request->verb == KV_PING) {
        draw_value(run, request);
    }
    if (draw(run, 60) == 0) {
        spoil(run, request);
    }
}

static void draw_batch(struct run *run)
{
    uint64_t chain_left = 0;
    run->count = 1 + (uint32_t)draw(run, BATCH_MAX);
    for (uint32_t i = 0; i < run->count; i++) {
        if (chain_left == 0 && draw(run, 4) == 0) {
            chain_left = 1 + draw(run, draw(run, 4) == 0 ? 20 : 4);
        }
        bool linked = chain_left > 0 && i + 1 < run->count;
        chain_left -= chain_left > 0 ? 1 : 0;
        draw_request(run, &run->requests[i], linked);
        run->messages[i] = run->requests[i].message;
    }
}

/* ---- Comparing ---------------------------------------------------------- */

static void check_reply(
    struct run *run, uint32_t i, const struct model_reply *expected)
{
    const kv_message_t *reply = &run->messages[i];
    const struct model_request *request = &run->requests[i];
    int64_t number = 0;
    bool overflow;
    CHECK_INT(reply->type, request->message.type);
    CHECK_BYTES(reply->key, request->message.key, KV_KEY_SIZE);
    if (!CHECK_INT(reply->status, expected->status)) {
        printf("request %s, key %" PRIu64 ": %.256s\n",
            kv_request_name(request->message.type), request->number,
            (const char *)reply->value);
        return;
    }
    if (expected->number) {
        CHECK(
            decimal_parse(reply->value, reply->value_len, &number, &overflow));
        CHECK(number >= expected->least && number <= expected->most);
    } else if (reply->status == KV_SUCCESS) {
        CHECK_INT(reply->value_len, expected->value_len);
        CHECK_BYTES(reply->value, expected->value, KV_VALUE_MAX);
    } else if (reply->status == KV_NO_SPACE) {
        CHECK(strstr((const char *)reply->value, "KV_CAPACITY") != NULL);
    } else if (request->refused != KV_SUCCESS) {
        CHECK(reply->value_len > 0);
    }
}

static bool find_record(const kv_message_t *records, uint32_t count,
    uint64_t number, const struct model_entry *entry)
{
    uint8_t key[KV_KEY_SIZE];
    sample_key(number, key);
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(records[i].key, key, sizeof key) == 0) {
            return records[i].value_len == entry->value_len &&
                   memcmp(records[i].value, entry->value, KV_VALUE_MAX) == 0;
        }
    }
    return false;
}

/* What the engine holds, by a scan and by the times that are left. */
static void check_contents(struct run *run)
{
    static const uint8_t all[KV_KEY_SIZE];
    kv_message_t *records = malloc(KV_SCAN_MAX * sizeof *records);
    uint64_t cursor = 0;
    REQUIRE(records != NULL);
    uint32_t count = storage_scan(run->stored.storage, all, &cursor, records);
    CHECK_U64(cursor, 0);
    CHECK_U64(count, model_count(&run->model));
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        const struct model_entry *entry = &run->model.entries[i];
        if (entry->there && !find_record(records, count, i, entry)) {
            CHECK_INT(i, -1);
        }
        kv_message_t request = sample_request(KV_TTL, i, 0);
        int64_t left = 0;
        bool overflow;
        int64_t before_ms = storage_now(run->stored.storage);
        stored_execute(&run->stored, &request, 1);
        int64_t after_ms = storage_now(run->stored.storage);
        CHECK_INT(request.status, entry->there ? KV_SUCCESS : KV_NOT_FOUND);
        if (!entry->there || request.status != KV_SUCCESS) {
            continue;
        }
        CHECK(
            decimal_parse(request.value, request.value_len, &left, &overflow));
        if (entry->expire_min_ms == 0) {
            CHECK_INT(left, -1);
        } else {
            CHECK(left >= entry->expire_min_ms - after_ms &&
                  left <= entry->expire_max_ms - before_ms);
        }
    }
    free(records);
}

/* ---- The run ------------------------------------------------------------ */

/* Waits for the expiries of milliseconds, and forgets what they end. */
static void let_expire(struct run *run)
{
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        struct model_entry *entry = &run->model.entries[i];
        int64_t now_ms = storage_now(run->stored.storage);
        if (!entry->there || entry->expire_max_ms == 0 ||
            entry->expire_max_ms > now_ms + HOURS_MS / 2) {
            continue;
        }
        while (storage_now(run->stored.storage) < entry->expire_max_ms) {
            (void)sched_yield();
        }
        entry->there = false;
    }
}

static void execute_batch(struct run *run)
{
    run->model.now_ms = storage_now(run->stored.storage);
    model_apply(&run->model, run->requests, run->replies, run->count);
    stored_execute(&run->stored, run->messages, run->count);
    model_settle(
        &run->model, storage_now(run->stored.storage) - run->model.now_ms);
    for (uint32_t i = 0; i < run->count; i++) {
        check_reply(run, i, &run->replies[i]);
    }
}

static void restart(struct run *run)
{
    struct stored image;
    switch (draw(run, 4)) {
    case 0:
        CHECK_OK(stored_close(&run->stored, true));
        break;
    case 1:
        CHECK_OK(stored_close(&run->stored, false));
        break;
    default:
        stored_crash(&run->stored, &image);
        stored_remove(&run->stored);
        run->stored = image;
        break;
    }
    if (stored_open(&run->stored) != 0) {
        printf("%s\n", run->stored.why);
        REQUIRE(false);
    }
}

static void go_through(kv_sync_t sync, uint64_t capacity, bool brief)
{
    struct run *run = calloc(1, sizeof *run);
    REQUIRE(run != NULL);
    test_random_init(&run->random);
    stored_make(&run->stored, sync);
    run->stored.options.capacity = capacity;
    run->model.capacity = capacity;
    run->model.swept = !brief;
    REQUIRE(stored_open(&run->stored) == 0);
    for (int i = 0; i < BATCHES; i++) {
        let_expire(run);
        draw_batch(run);
        execute_batch(run);
        if (draw(run, 20) == 0) {
            uint64_t lsn;
            CHECK_OK(stored_backup(&run->stored, &lsn));
        }
        if (draw(run, 15) == 0) {
            let_expire(run);
            restart(run);
            let_expire(run);
            check_contents(run);
        }
    }
    stored_remove(&run->stored);
    free(run);
}

static void with_always(void)
{
    go_through(KV_SYNC_ALWAYS, MODEL_KEYS + 1, true);
}

static void with_everysec(void)
{
    go_through(KV_SYNC_EVERYSEC, MODEL_KEYS + 1, true);
}

static void with_none(void)
{
    go_through(KV_SYNC_NONE, MODEL_KEYS + 1, true);
}

static void in_a_table_that_is_full_with_always(void)
{
    go_through(KV_SYNC_ALWAYS, MODEL_KEYS / 2, false);
}

static void in_a_table_that_is_full_with_none(void)
{
    go_through(KV_SYNC_NONE, MODEL_KEYS / 2, false);
}

const struct test_case test_storage_model[] = {
    TEST_CASE(with_always),
    TEST_CASE(with_everysec),
    TEST_CASE(with_none),
    TEST_CASE(in_a_table_that_is_full_with_always),
    TEST_CASE(in_a_table_that_is_full_with_none),
    TEST_END,
};
