#include "torture/collections/guests.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kv_store.h"
#include "talk.h"

enum { PARTS = 3, CLIENT_MS = 60000 };

/* A pace, so that others come to their turn. */
static void pause_for(uint32_t ms)
{
    const struct timespec time = {.tv_nsec = (long)ms * 1000000};
    if (ms > 0) {
        (void)nanosleep(&time, NULL);
    }
}

static bool is_error(const char *line)
{
    return line[0] == '-' || strstr(line, " -") != NULL;
}

/* ---- Adding -------------------------------------------------------------- */

/* Between WATCH and EXEC others add too; then nothing must happen. */
static bool add_one(struct adder *adder, struct talk *talk)
{
    const char *line = talk_ask(talk, "WATCH added added:log");
    line = line != NULL ? talk_ask(talk, "GET added") : NULL;
    if (line == NULL) {
        return false;
    }
    uint64_t number = line[0] == '$' ? strtoull(line + 1, NULL, 10) : 0;
    talk_say(talk, "MULTI");
    talk_say(talk, "SET added %" PRIu64, number + 1);
    talk_say(talk, "RPUSH added:log %" PRIu64, number + 1);
    talk_say(talk, "LTRIM added:log -%d -1", ADDED_KEPT);
    talk_say(talk, "EXEC");
    adder->unknown++;
    if (!talk_send(talk)) {
        return false;
    }
    for (int i = 0; i < 5; i++) {
        line = talk_reply(talk);
        if (line == NULL) {
            return false;
        }
    }
    adder->unknown--;
    if (is_error(line)) {
        (void)printf("EXEC: %s\n", line);
        adder->complained = true;
        return false;
    }
    adder->added += line[0] == '*' ? 1 : 0;
    adder->refused += line[0] == '*' ? 0 : 1;
    return true;
}

void adder_run(struct adder *adder)
{
    struct talk *talk = malloc(sizeof *talk);
    assert(talk != NULL);
    bool goes_on = talk_open(talk, adder->port);
    adder->complained = false;
    while (goes_on) {
        goes_on = add_one(adder, talk);
        pause_for(adder->pause_ms);
    }
    talk_close(talk);
    free(talk);
}

/* True if the line is the list of the last numbers up to total. */
static bool log_right(const char *line, uint64_t total)
{
    uint64_t count = total < ADDED_KEPT ? total : ADDED_KEPT;
    char *at;
    bool right = line[0] == '*' && strtoull(line + 1, &at, 10) == count;
    for (uint64_t i = 0; right && i < count; i++) {
        right = at[0] == ' ' && at[1] == '$' &&
                strtoull(at + 2, &at, 10) == total - count + 1 + i;
    }
    return right;
}

bool adders_check(
    struct adder *adders, uint32_t count, uint64_t *total, uint16_t port)
{
    struct talk *talk = malloc(sizeof *talk);
    assert(talk != NULL);
    const char *line =
        talk_open(talk, port) ? talk_ask(talk, "GET added") : NULL;
    uint64_t is =
        line != NULL && line[0] == '$' ? strtoull(line + 1, NULL, 10) : 0;
    uint64_t least = *total;
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        least += adders[i].added;
        most += adders[i].unknown;
        adders[i].added = 0;
        adders[i].unknown = 0;
    }
    most += least;
    bool right = line != NULL && is >= least && is <= most;
    if (!right) {
        (void)printf("added: %" PRIu64 ", not %" PRIu64 " to %" PRIu64 "\n", is,
            least, most);
    }
    line = right ? talk_ask(talk, "LRANGE added:log 0 -1") : NULL;
    if (right && (line == NULL || !log_right(line, is))) {
        (void)printf("added: %" PRIu64 ", and the list is %.200s\n", is,
            line == NULL ? "lost" : line);
        right = false;
    }
    *total = is;
    talk_close(talk);
    free(talk);
    return right;
}

/* ---- Making and ending --------------------------------------------------- */

/* A list or a set of up to PARTS times many, as a whole. */
static void say_new(struct churner *churner, struct talk *talk, uint32_t key)
{
    bool list = test_random_once_in(&churner->random, 2);
    uint32_t parts = 1 + (uint32_t)test_random_below(&churner->random, PARTS);
    talk_say(talk, "MULTI");
    talk_say(talk, "DEL big%" PRIu32 ":%" PRIu32, churner->number, key);
    for (uint32_t i = 0; i < parts; i++) {
        talk_command(talk, 2 + churner->many);
        talk_word(talk, "%s", list ? "RPUSH" : "SADD");
        talk_word(talk, "big%" PRIu32 ":%" PRIu32, churner->number, key);
        for (uint32_t j = 0; j < churner->many; j++) {
            talk_word(talk, "%" PRIu32, i * churner->many + j);
        }
    }
    talk_say(talk, "EXEC");
}

static bool make(struct churner *churner, struct talk *talk, uint32_t key)
{
    say_new(churner, talk, key);
    const char *line = talk_send(talk) ? "" : NULL;
    while (line != NULL && line[0] != '*') {
        line = talk_reply(talk);
        if (line != NULL && is_error(line)) {
            (void)printf("making a collection: %.200s\n", line);
            churner->complained = true;
            return false;
        }
    }
    return line != NULL;
}

static const char *const ends[][2] = {
    {"DEL", ""},
    {"UNLINK", ""},
    {"PEXPIRE", " 5"},
    {"PEXPIRE", " 40"},
    {"SET", " x"},
    {"SET", " x PX 20"},
    {"LTRIM", " 1 0"},
};
enum { ENDS = sizeof ends / sizeof ends[0] };

/* The key's collection ends by the native protocol. */
static bool end_natively(
    struct churner *churner, kv_client_t *client, uint32_t number)
{
    char key[KV_KEY_SIZE + 1];
    int length = snprintf(
        key, sizeof key, "big%" PRIu32 ":%" PRIu32, churner->number, number);
    kv_message_t message;
    bool put = test_random_once_in(&churner->random, 2);
    kv_error_t error = kv_message_fill(&message, put ? KV_PUT : KV_DELETE, key,
        (size_t)length, put ? "native" : NULL, put ? 6 : 0);
    assert(error == KV_SUCCESS);
    return kv_client_execute(client, &message, 1) == KV_SUCCESS;
}

static bool end_one(
    struct churner *churner, struct talk *talk, kv_client_t *client)
{
    unsigned from = churner->number;
    unsigned key = (unsigned)test_random_below(&churner->random, CHURNER_KEYS);
    unsigned other = (key + 1) % CHURNER_KEYS;
    uint64_t way = test_random_below(&churner->random, ENDS + 4);
    churner->ended++;
    if (way < ENDS) {
        return talk_ask(talk, "%s big%u:%u%s", ends[way][0], from, key,
                   ends[way][1]) != NULL;
    }
    if (way == ENDS) {
        return talk_ask(talk, "RENAME big%u:%u big%u:%u", from, key, from,
                   other) != NULL;
    }
    if (way == ENDS + 1) {
        return talk_ask(talk, "COPY big%u:%u big%u:%u REPLACE", from, key, from,
                   other) != NULL;
    }
    if (way == ENDS + 2) {
        return talk_ask(talk, "SUNIONSTORE big%u:%u big%u:%u", from, key, from,
                   other) != NULL;
    }
    return end_natively(churner, client, key);
}

void churner_run(struct churner *churner)
{
    struct talk *talk = malloc(sizeof *talk);
    kv_client_t *client = kv_client_create("127.0.0.1", churner->port);
    assert(talk != NULL && client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    bool goes_on = talk_open(talk, churner->port);
    churner->complained = false;
    while (goes_on) {
        pause_for(churner->pause_ms);
        goes_on =
            make(churner, talk,
                (uint32_t)test_random_below(&churner->random, CHURNER_KEYS)) &&
            end_one(churner, talk, client);
    }
    kv_client_destroy(client);
    talk_close(talk);
    free(talk);
}

/* ---- Backups ------------------------------------------------------------- */

void backups_run(struct saver *saver)
{
    kv_client_t *client = kv_client_create("127.0.0.1", saver->port);
    assert(client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    while (kv_client_backup(client, NULL) == KV_SUCCESS) {
        saver->backups++;
    }
    kv_client_destroy(client);
}
