#include "client_test/test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "clock.h"
#include "file.h"

enum { POLL_MS = 5, TEXT_MAX = 600, SHOWN_MAX = 48 };

/* ---- Expectations -------------------------------------------------------- */

void test_fail(struct test *test, const char *format, ...)
{
    if (test->disappointed) {
        return;
    }
    test->disappointed = true;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(test->note, sizeof test->note, format, arguments);
    va_end(arguments);
}

kv_message_t test_message(const struct test *test, struct ask ask)
{
    char key[KV_KEY_SIZE + 1] = "";
    size_t length = 0;
    kv_message_t message;
    if (ask.name != NULL) {
        int printed = snprintf(key, sizeof key, "%s%s", test->prefix, ask.name);
        length = u64_min((uint64_t)printed, KV_KEY_SIZE);
    }
    /* The key is neither too long nor empty, and no value of a check is. */
    (void)kv_message_fill(
        &message, ask.type, key, length, ask.value, strlen(ask.value));
    return message;
}

bool test_execute(struct test *test, kv_message_t *messages, size_t count)
{
    kv_error_t error = kv_client_execute(test->client, messages, count);
    if (error != KV_SUCCESS) {
        test_fail(test, "%s", kv_client_error(test->client));
    }
    return error == KV_SUCCESS;
}

kv_message_t test_ask(struct test *test, struct ask ask)
{
    kv_message_t message = test_message(test, ask);
    (void)test_execute(test, &message, 1);
    return message;
}

static void describe(
    char text[TEXT_MAX], const char *what, const kv_message_t *reply)
{
    (void)snprintf(text, TEXT_MAX, "%s: got %s%s%.*s%s", what,
        kv_error_name(reply->status), reply->value_len > 0 ? " (" : "",
        (int)reply->value_len, (const char *)reply->value,
        reply->value_len > 0 ? ")" : "");
}

void test_wants_reply(struct test *test, const char *what,
    const kv_message_t *reply, kv_error_t wanted)
{
    if (reply->status != (uint8_t)wanted) {
        char text[TEXT_MAX];
        describe(text, what, reply);
        test_fail(test, "%s, wanted %s", text, kv_error_name(wanted));
    }
}

void test_wants_bytes(struct test *test, const char *what,
    const kv_message_t *reply, const void *wanted, size_t size)
{
    bool same = reply->status == KV_SUCCESS && reply->value_len == size &&
                memcmp(reply->value, wanted, size) == 0 &&
                (size == KV_VALUE_MAX || reply->value[size] == 0);
    if (!same) {
        char text[TEXT_MAX];
        describe(text, what, reply);
        test_fail(test, "%s in %u bytes, wanted \"%.*s\" in %zu", text,
            (unsigned)reply->value_len, (int)u64_min(size, SHOWN_MAX),
            (const char *)wanted, size);
    }
}

void test_wants_number(
    struct test *test, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted) {
        test_fail(
            test, "%s: got %" PRId64 ", wanted %" PRId64, what, got, wanted);
    }
}

/* "GET name" */
static const char *title(struct ask ask, char text[SHOWN_MAX])
{
    (void)snprintf(text, SHOWN_MAX, "%s %s", kv_request_name(ask.type),
        ask.name == NULL ? "" : ask.name);
    return text;
}

void test_wants(struct test *test, struct ask ask, kv_error_t wanted)
{
    char text[SHOWN_MAX];
    kv_message_t reply = test_ask(test, ask);
    test_wants_reply(test, title(ask, text), &reply, wanted);
}

void test_wants_text(struct test *test, struct ask ask, const char *wanted)
{
    char text[SHOWN_MAX];
    kv_message_t reply = test_ask(test, ask);
    test_wants_bytes(test, title(ask, text), &reply, wanted, strlen(wanted));
}

void test_link(kv_message_t *messages, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        messages[i].type |= KV_LINKED;
    }
}

void test_wants_chain(struct test *test, const struct step *steps, size_t count)
{
    kv_message_t messages[KV_CHAIN_MAX];
    char text[SHOWN_MAX];
    for (size_t i = 0; i < count; i++) {
        messages[i] = test_message(test, steps[i].ask);
    }
    test_link(messages, count);
    if (test_execute(test, messages, count)) {
        for (size_t i = 0; i < count; i++) {
            test_wants_reply(
                test, title(steps[i].ask, text), &messages[i], steps[i].wanted);
        }
    }
}

void test_wants_gone(struct test *test, const char *name)
{
    static const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    int64_t deadline_ms = clock_steady_ms() + TEST_WAIT_MS;
    while (!test->disappointed) {
        kv_message_t reply = test_ask(test, (struct ask){KV_GET, name, ""});
        if (reply.status == KV_NOT_FOUND) {
            return;
        }
        if (clock_steady_ms() > deadline_ms) {
            test_fail(test, "GET %s: got %s after %d ms, wanted NOT_FOUND",
                name, kv_error_name(reply.status), TEST_WAIT_MS);
        }
        (void)nanosleep(&pause, NULL);
    }
}

/* ---- Sweeping up --------------------------------------------------------- */

struct sweep {
    kv_message_t messages[KV_SCAN_MAX];
    size_t count;
};

static bool note_key(void *context, const kv_message_t *record)
{
    struct sweep *sweep = context;
    kv_message_t *message = &sweep->messages[sweep->count++];
    (void)kv_message_fill(
        message, KV_DELETE, record->key, KV_KEY_SIZE, NULL, 0);
    return sweep->count < KV_SCAN_MAX;
}

/* One way through the whole store.  How many records of this run were found,
 * and deleted; -1 on failure. */
static int64_t sweep_once(struct test *test)
{
    static const size_t bound = (size_t)1 << 30; /* calls of SCAN */
    kv_message_t request = test_message(test, (struct ask){KV_SCAN, "", ""});
    int64_t found = 0;
    for (size_t i = 0; i < bound; i++) {
        struct sweep sweep = {.count = 0};
        kv_message_t end;
        if (kv_client_stream(test->client, &request, note_key, &sweep, &end) !=
                KV_SUCCESS ||
            (sweep.count > 0 && kv_client_execute(test->client, sweep.messages,
                                    sweep.count) != KV_SUCCESS)) {
            return -1;
        }
        found += (int64_t)sweep.count;
        if (end.value_len == 0) {
            return found;
        }
        request.value_len = end.value_len;
        memcpy(request.value, end.value, sizeof request.value);
    }
    return -1;
}

static void sweep_up(struct test *test)
{
    int64_t left = sweep_once(test) < 0 ? -1 : sweep_once(test);
    if (left < 0) {
        test_fail(test, "%s; keys that begin with %s may be left",
            kv_client_error(test->client), test->prefix);
    }
    test_wants_number(test, "keys left behind", left, 0);
}

static const struct check last_checks[] = {
    {"end: no key of this run is left", sweep_up}, {NULL, NULL}};

/* ---- The run ------------------------------------------------------------- */

/* The signals that end a program; they are looked for between checks, so that
 * the keys of the run can be deleted after all. */
static void name_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGTERM);
}

static bool is_interrupted(void)
{
    static const struct timespec at_once = {0};
    sigset_t signals;
    name_signals(&signals);
    return sigtimedwait(&signals, NULL, &at_once) > 0;
}

static void run_checks(struct test *test, const struct check *check)
{
    for (; check->name != NULL && !test->lost; check++) {
        test->check = check->name;
        test->disappointed = false;
        test->note[0] = '\0';
        check->run(test);
        (void)printf("%s %s%s%s\n", test->disappointed ? "FAIL" : "ok  ",
            check->name, test->note[0] == '\0' ? "" : ": ", test->note);
        if (test->disappointed) {
            test->failed++;
            test->lost = kv_client_connect(test->client) != KV_SUCCESS;
        } else {
            test->passed++;
        }
        if (is_interrupted()) {
            test->interrupted = true;
            return;
        }
    }
}

static int conclude(const struct test *test)
{
    (void)printf("%u passed, %u failed\n", test->passed, test->failed);
    if (test->lost) {
        return program_fail(PROGRAM_LOST,
            "%s; keys that begin with %s may be left",
            kv_client_error(test->client), test->prefix);
    }
    if (test->interrupted) {
        return program_fail(
            PROGRAM_LOCAL, "interrupted; the other checks were not run");
    }
    return test->failed == 0 ? PROGRAM_YES : PROGRAM_REFUSED;
}

static int run_test(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)arguments;
    (void)settings;
    static const struct check *const tables[] = {
        test_requests, test_chains, test_raw, test_load};
    struct test test = {.program = program, .client = program->client};
    uint32_t random;
    sigset_t signals;
    if (file_random(&random, sizeof random) != 0) {
        return program_fail(PROGRAM_LOCAL, "no random numbers for the keys");
    }
    (void)snprintf(
        test.prefix, sizeof test.prefix, "test-%07" PRIx32 "-", random >> 4);
    kv_error_t error = kv_client_ping(program->client);
    if (error != KV_SUCCESS) {
        return program_fail(
            program_exit_of(error), "%s", kv_client_error(program->client));
    }
    name_signals(&signals);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(tables) && !test.interrupted; i++) {
        run_checks(&test, tables[i]);
    }
    run_checks(&test, last_checks);
    return conclude(&test);
}

const struct subcommand test_family[] = {
    {"test", "", "checks a running server end to end", 0, 0, NULL,
        "All its keys begin with a random prefix and are deleted at the end.  "
        "There must be\nroom for 4,000 records.",
        run_test},
    {0}};
