#include "support.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

/* ---- Helpers ------------------------------------------------------------- */

static kv_message_t request(int type, const char *key, const char *value)
{
    kv_message_t message;
    kv_error_t error =
        kv_message_fill(&message, type, key, strlen(key), value, strlen(value));
    CHECK_INT(error, KV_SUCCESS);
    return message;
}

/* Decodes a copy, which must be refused with this status and a sentence that
 * has this word, and leave type and key alone. */
static void check_refused(
    const kv_message_t *message, kv_error_t status, const char *word)
{
    kv_message_t copy = *message;
    struct op op;
    char sentence[KV_VALUE_MAX + 1] = "";
    wire_decode(&copy, &op);
    CHECK_INT(op.state, OP_REFUSED);
    CHECK(op.message == &copy);
    CHECK_INT(copy.status, status);
    CHECK_INT(copy.type, message->type);
    CHECK_BYTES(copy.key, message->key, KV_KEY_SIZE);
    REQUIRE(copy.value_len <= KV_VALUE_MAX);
    memcpy(sentence, copy.value, copy.value_len);
    if (strstr(sentence, word) == NULL) {
        CHECK_TEXT(sentence, word);
    }
}

/* Decodes in place what must be taken. */
static struct op check_taken(kv_message_t *message)
{
    struct op op;
    uint8_t type = message->type;
    wire_decode(message, &op);
    if (op.state == OP_REFUSED) {
        CHECK_TEXT((const char *)message->value, "(taken)");
    }
    CHECK(op.message == message);
    CHECK_INT(message->type, type);
    CHECK_INT(message->status, 0);
    CHECK_INT(op.linked, type >> 7);
    CHECK_INT(op.verb, type & 0x7f);
    return op;
}

/* ---- Protocols ----------------------------------------------------------- */

static void the_first_byte_tells_the_protocol(void)
{
    for (int first = 0; first < 256; first++) {
        enum wire_protocol expected = WIRE_UNKNOWN;
        int number = first & 0x7f;
        if (first == 0x16) {
            expected = WIRE_TLS;
        } else if (number >= 1 && number <= 31) {
            expected = WIRE_NATIVE;
        } else if (first == '*' || (first >= 'A' && first <= 'Z') ||
                   (first >= 'a' && first <= 'z')) {
            expected = WIRE_RESP;
        }
        CHECK_INT(wire_protocol((uint8_t)first), expected);
    }
}

/* ---- The form of a message ----------------------------------------------- */

static void each_request_is_taken_and_has_its_state(void)
{
#define X(number, name)                                                        \
    if (number != KV_AUTH) {                                                   \
        kv_message_t message = request(number, "key", "12");                   \
        struct op op = check_taken(&message);                                  \
        bool write = (verb_flags(number) & VERB_WRITE) != 0;                   \
        CHECK_INT(op.state, write ? OP_COMMIT : OP_READ);                      \
    }
    KV_REQUEST_MAP(X)
#undef X
}

static void what_is_linked_is_committed(void)
{
    kv_message_t message = request(KV_GET | KV_LINKED, "key", "");
    struct op op = check_taken(&message);
    CHECK_INT(op.state, OP_COMMIT);
    CHECK(op.linked);
}

static void unknown_numbers_are_refused(void)
{
    for (int type = 0; type < 256; type++) {
        int number = type & 0x7f;
        if (number == 0 || number > KV_BACKUP) {
            kv_message_t message = request(KV_GET, "key", "");
            message.type = (uint8_t)type;
            check_refused(&message, KV_INVALID, "unknown");
        }
    }
}

static void a_refused_message_keeps_its_place_in_the_chain(void)
{
    kv_message_t message = request(KV_GET, "key", "");
    struct op op;
    message.type = 31 | KV_LINKED;
    wire_decode(&message, &op);
    CHECK_INT(op.state, OP_REFUSED);
    CHECK(op.linked);
    CHECK_INT(op.verb, VERB_NONE);
}

static void a_status_is_refused(void)
{
    kv_message_t message = request(KV_GET, "key", "");
    message.status = 3;
    check_refused(&message, KV_INVALID, "not 3");
}

static void a_length_over_the_limit_is_refused(void)
{
    const unsigned lengths[] = {KV_VALUE_MAX + 1, 300, UINT16_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        kv_message_t put = request(KV_PUT, "key", "");
        kv_message_t get = request(KV_GET, "key", "");
        put.value_len = (uint16_t)lengths[i];
        get.value_len = (uint16_t)lengths[i];
        check_refused(&put, KV_INVALID, "256");
        check_refused(&get, KV_INVALID, "256");
    }
}

static void an_empty_key_is_refused_where_one_is_needed(void)
{
#define X(number, name)                                                        \
    {                                                                          \
        kv_message_t message = request(number, "", "1");                       \
        if ((verb_flags(number) & VERB_KEY) != 0) {                            \
            check_refused(&message, KV_INVALID, #name);                        \
        } else if (number != KV_AUTH) {                                        \
            (void)check_taken(&message);                                       \
        }                                                                      \
    }
    KV_REQUEST_MAP(X)
#undef X
}

static void a_key_needs_one_byte_anywhere(void)
{
    for (size_t i = 0; i < KV_KEY_SIZE; i++) {
        kv_message_t message = request(KV_GET, "", "");
        message.key[i] = 0x80;
        (void)check_taken(&message);
    }
}

/* ---- Values -------------------------------------------------------------- */

static void a_value_of_each_length_is_taken_as_it_is(void)
{
    for (unsigned length = 1; length <= KV_VALUE_MAX; length++) {
        kv_message_t message = request(KV_PUT, "key", "");
        message.value_len = (uint16_t)length;
        memset(message.value, 0xee, length);
        message.value[length / 2] = 0;
        kv_message_t before = message;
        (void)check_taken(&message);
        CHECK_BYTES(&message, &before, sizeof message);
    }
}

static void dirt_behind_the_value_is_refused(void)
{
    for (unsigned length = 1; length < KV_VALUE_MAX; length++) {
        const unsigned places[] = {length, (length + KV_VALUE_MAX) / 2, 255};
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            char word[32];
            kv_message_t put = request(KV_PUT, "key", "");
            put.value_len = (uint16_t)length;
            put.value[places[i]] = 1;
            (void)snprintf(word, sizeof word, "byte %u of", places[i]);
            check_refused(&put, KV_INVALID, word);
            put.type = KV_GET;
            check_refused(&put, KV_INVALID, word);
        }
    }
}

static void a_string_is_measured_and_cut(void)
{
    for (unsigned length = 0; length <= KV_VALUE_MAX; length++) {
        kv_message_t message = request(KV_PUT, "key", "");
        uint8_t expected[KV_VALUE_MAX] = {0};
        memset(message.value, 'x', KV_VALUE_MAX);
        memset(expected, 'x', length);
        if (length < KV_VALUE_MAX) {
            message.value[length] = 0;
        }
        (void)check_taken(&message);
        CHECK_INT(message.value_len, length);
        CHECK_BYTES(message.value, expected, KV_VALUE_MAX);
    }
}

static void no_value_is_an_empty_value(void)
{
    kv_message_t message = request(KV_PUT, "key", "");
    (void)check_taken(&message);
    CHECK_INT(message.value_len, 0);
}

/* What lies in the unused value of a plain struct does not matter. */
static void a_verb_without_a_value_ignores_the_block(void)
{
    const int types[] = {KV_GET, KV_DELETE, KV_EXISTS, KV_TTL, KV_PERSIST,
        KV_EXPECT_ABSENT, KV_STATS, KV_COUNT, KV_BACKUP};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        kv_message_t message = request(types[i], "key", "");
        memset(message.value, 0xaa, KV_VALUE_MAX);
        (void)check_taken(&message);
        CHECK_INT(message.value_len, 0);
    }
}

static void a_plain_struct_is_a_request(void)
{
    struct {
        uint32_t type;
        char key[KV_KEY_SIZE];
        char value[KV_VALUE_MAX];
    } plain;
    kv_message_t message;
    memset(&plain, 0x77, sizeof plain);
    memset(plain.key, 0, sizeof plain.key);
    plain.type = KV_PUT;
    strcpy(plain.key, "name");
    strcpy(plain.value, "John Doe");
    memcpy(&message, &plain, sizeof message);
    (void)check_taken(&message);
    CHECK_INT(message.value_len, strlen("John Doe"));
    CHECK_TEXT((const char *)message.value, "John Doe");
}

/* ---- Numbers ------------------------------------------------------------- */

static void an_expiry_is_within_its_range(void)
{
    const char *const wrong[] = {"", "0", "-1", "01", "1s", "+1", "1.5",
        "1000000000000001", "9223372036854775808"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        kv_message_t message = request(KV_EXPIRE, "key", wrong[i]);
        check_refused(&message, KV_INVALID, "1 to 1000000000000000");
    }
    kv_message_t least = request(KV_EXPIRE, "key", "1");
    kv_message_t most = request(KV_EXPIRE, "key", "1000000000000000");
    CHECK_INT(check_taken(&least).number, 1);
    CHECK_INT(check_taken(&most).number, WIRE_EXPIRE_MAX_MS);
}

static void a_delta_is_a_number_of_64_bits(void)
{
    kv_message_t word = request(KV_ADD, "key", "twelve");
    kv_message_t none = request(KV_ADD, "key", "");
    kv_message_t large = request(KV_ADD, "key", "9223372036854775808");
    kv_message_t least = request(KV_ADD, "key", "-9223372036854775808");
    kv_message_t string = request(KV_ADD, "key", "-12");
    check_refused(&word, KV_NOT_A_NUMBER, "decimal");
    check_refused(&none, KV_NOT_A_NUMBER, "decimal");
    check_refused(&large, KV_OVERFLOW, "64 bits");
    CHECK_INT(check_taken(&least).number, INT64_MIN);
    string.value_len = 0;
    CHECK_INT(check_taken(&string).number, -12);
    CHECK_INT(string.value_len, 3);
}

static void authentication_is_refused(void)
{
    kv_message_t message = request(KV_AUTH, "", "secret");
    check_refused(&message, KV_INVALID, "not available");
}

/* ---- Cursors ------------------------------------------------------------- */

static void a_cursor_comes_back(void)
{
    const uint64_t cursors[] = {0, 1, 0x0123456789abcdef, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(cursors); i++) {
        kv_message_t message = request(KV_SCAN, "", "old");
        uint64_t cursor = 7;
        wire_cursor_format(&message, cursors[i]);
        CHECK_INT(message.value_len, cursors[i] == 0 ? 0 : WIRE_CURSOR_SIZE);
        (void)check_taken(&message);
        CHECK(wire_cursor_parse(&message, &cursor));
        CHECK_U64(cursor, cursors[i]);
    }
}

static void what_is_no_cursor_is_refused(void)
{
    const char *const wrong[] = {"1", "0123456789abcde", "0123456789abcdef0",
        "0123456789abcdeg", "-123456789abcdef", "0x23456789abcdef"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        kv_message_t message = request(KV_SCAN, "", wrong[i]);
        uint64_t cursor = 7;
        CHECK(!wire_cursor_parse(&message, &cursor));
        CHECK_U64(cursor, 0);
    }
}

/* ---- Anything ------------------------------------------------------------ */

/* Bytes that get as far as the checks of the value. */
static kv_message_t random_message(struct test_random *random)
{
    kv_message_t message = {0};
    test_random_fill(random, &message, 4);
    if (!test_random_once_in(random, 4)) {
        message.type &= 0x9f;
        message.status = 0;
        message.value_len %= KV_VALUE_MAX + 2;
    }
    message.key[test_random_below(random, KV_KEY_SIZE)] = 'k';
    test_random_fill(
        random, message.value, test_random_below(random, KV_VALUE_MAX + 1));
    return message;
}

static bool is_padded(const kv_message_t *message)
{
    for (size_t at = message->value_len; at < KV_VALUE_MAX; at++) {
        if (message->value[at] != 0) {
            return false;
        }
    }
    return message->value_len <= KV_VALUE_MAX;
}

/* Whatever comes: the echo is left alone, and the message is a reply, or a
 * request whose value is in its normal form. */
static void any_bytes_give_an_operation(void)
{
    struct test_random random;
    test_random_init(&random);
    for (int i = 0; i < 100000; i++) {
        kv_message_t message = random_message(&random);
        kv_message_t before = message;
        struct op op;
        wire_decode(&message, &op);
        CHECK_INT(message.type, before.type);
        CHECK_BYTES(message.key, before.key, KV_KEY_SIZE);
        CHECK((message.status != 0) == (op.state == OP_REFUSED));
        bool takes = (verb_flags(op.verb) & VERB_VALUE) != 0;
        CHECK(is_padded(&message) || (op.state != OP_REFUSED && !takes));
    }
}

const struct test_case test_wire[] = {
    TEST_CASE(the_first_byte_tells_the_protocol),
    TEST_CASE(each_request_is_taken_and_has_its_state),
    TEST_CASE(what_is_linked_is_committed),
    TEST_CASE(unknown_numbers_are_refused),
    TEST_CASE(a_refused_message_keeps_its_place_in_the_chain),
    TEST_CASE(a_status_is_refused),
    TEST_CASE(a_length_over_the_limit_is_refused),
    TEST_CASE(an_empty_key_is_refused_where_one_is_needed),
    TEST_CASE(a_key_needs_one_byte_anywhere),
    TEST_CASE(a_value_of_each_length_is_taken_as_it_is),
    TEST_CASE(dirt_behind_the_value_is_refused),
    TEST_CASE(a_string_is_measured_and_cut),
    TEST_CASE(no_value_is_an_empty_value),
    TEST_CASE(a_verb_without_a_value_ignores_the_block),
    TEST_CASE(a_plain_struct_is_a_request),
    TEST_CASE(an_expiry_is_within_its_range),
    TEST_CASE(a_delta_is_a_number_of_64_bits),
    TEST_CASE(authentication_is_refused),
    TEST_CASE(a_cursor_comes_back),
    TEST_CASE(what_is_no_cursor_is_refused),
    TEST_CASE(any_bytes_give_an_operation),
    TEST_END,
};
