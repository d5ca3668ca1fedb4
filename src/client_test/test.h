/* test.h: the frame of `client test`, which checks a running server end to end.
 *
 *     test.c         the run, the expectations, the sweeping up
 *     requests.c     each request by itself
 *     chains.c       all or none
 *     raw.c          what only bytes on a socket can say
 *     load.c         many records, many requests, many connections
 *
 * 1. Every key begins with a prefix that was drawn for this run, so other
 *    users of the server are neither disturbed nor in the way.
 * 2. All of them are deleted at the end, also after a failure.
 * 3. A check prints one line: its first disappointment, or ok. */
#ifndef TEST_H
#define TEST_H

#include "client_program.h"

enum {
    TEST_PREFIX_SIZE = 13, /* "test-1a2b3c4-" */
    TEST_NOTE_MAX = 800,
    TEST_WAIT_MS = 5000 /* for what must happen soon */
};

struct test {
    struct program *program;
    kv_client_t *client;
    unsigned passed;
    unsigned failed;
    bool lost;                /* the server is not there any more */
    bool interrupted;         /* by a signal */
    const char *check;        /* its name */
    bool disappointed;        /* this check has failed */
    char note[TEST_NOTE_MAX]; /* printed behind its name */
    char prefix[TEST_PREFIX_SIZE + 1];
};

struct check {
    const char *name; /* NULL closes a table */
    void (*run)(struct test *test);
};

extern const struct check test_requests[];
extern const struct check test_chains[];
extern const struct check test_raw[];
extern const struct check test_load[];

/* A request of this run: name follows the prefix in the key, value is text. */
struct ask {
    int type;
    const char *name;
    const char *value;
};

/* An expectation that did not come true.  Only a check's first is kept. */
void test_fail(struct test *test, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The message of a request.  name NULL: without a key. */
kv_message_t test_message(const struct test *test, struct ask ask);

/* Asks and returns the reply.  If there is none the check has failed, and the
 * status is KV_UNAVAILABLE. */
kv_message_t test_ask(struct test *test, struct ask ask);
/* kv_client_execute; false: the check has failed. */
bool test_execute(struct test *test, kv_message_t *messages, size_t count);

/* Expect a status; SUCCESS and these bytes; SUCCESS and this text. */
void test_wants(struct test *test, struct ask ask, kv_error_t wanted);
void test_wants_text(struct test *test, struct ask ask, const char *wanted);
void test_wants_reply(struct test *test, const char *what,
    const kv_message_t *reply, kv_error_t wanted);
void test_wants_bytes(struct test *test, const char *what,
    const kv_message_t *reply, const void *wanted, size_t size);
void test_wants_number(
    struct test *test, const char *what, int64_t got, int64_t wanted);

/* Expect a chain to be answered like this. */
struct step {
    struct ask ask;
    kv_error_t wanted;
};
void test_wants_chain(
    struct test *test, const struct step *steps, size_t count);
void test_link(kv_message_t *messages, size_t count);

/* Polls until a GET of name is answered by NOT_FOUND, for TEST_WAIT_MS. */
void test_wants_gone(struct test *test, const char *name);

#endif
