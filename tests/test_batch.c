#include "batch.h"
#include "support.h"

/* A request with a full value, so that what a reply leaves behind shows. */
static void make_request(struct op *op, kv_message_t *message)
{
    memset(message, 0x55, sizeof *message);
    message->type = KV_GET;
    memset(op, 0, sizeof *op);
    op->message = message;
}

static void check_echo(const kv_message_t *message)
{
    uint8_t key[KV_KEY_SIZE];
    memset(key, 0x55, sizeof key);
    CHECK_INT(message->type, KV_GET);
    CHECK_BYTES(message->key, key, sizeof key);
}

static void reply_clears_the_value_and_echoes_the_rest(void)
{
    kv_message_t message;
    struct op op;
    make_request(&op, &message);
    op_reply(&op, KV_NOT_FOUND);
    CHECK_INT(message.status, KV_NOT_FOUND);
    CHECK_INT(message.value_len, 0);
    CHECK(bytes_all_zero(message.value, KV_VALUE_MAX));
    check_echo(&message);
}

static void reply_number_is_decimal(void)
{
    kv_message_t message;
    struct op op;
    make_request(&op, &message);
    op_reply_number(&op, INT64_MIN);
    CHECK_INT(message.status, KV_SUCCESS);
    CHECK_INT(message.value_len, 20);
    CHECK_TEXT((const char *)message.value, "-9223372036854775808");
    check_echo(&message);
}

static void refuse_writes_its_sentence(void)
{
    kv_message_t message;
    struct op op;
    make_request(&op, &message);
    op_refuse(&op, KV_NO_SPACE, "%d of %s", 7, "KV_CAPACITY");
    CHECK_INT(message.status, KV_NO_SPACE);
    CHECK_TEXT((const char *)message.value, "7 of KV_CAPACITY");
    CHECK_INT(message.value_len, strlen("7 of KV_CAPACITY"));
    check_echo(&message);
}

static void refuse_cuts_at_the_value_size(void)
{
    for (int length = KV_VALUE_MAX - 1; length <= KV_VALUE_MAX + 2; length++) {
        kv_message_t message;
        uint8_t expected[KV_VALUE_MAX];
        struct op op;
        make_request(&op, &message);
        op_refuse(&op, KV_INVALID, "%0*d", length, 0);
        memset(expected, '0', sizeof expected);
        CHECK_INT(
            message.value_len, length < KV_VALUE_MAX ? length : KV_VALUE_MAX);
        CHECK_BYTES(message.value, expected, message.value_len);
    }
}

static void refuse_may_quote_its_own_message(void)
{
    kv_message_t message;
    struct op op;
    make_request(&op, &message);
    memset(message.value, 0, sizeof message.value);
    memcpy(message.value, "twelve", strlen("twelve"));
    op_refuse(&op, KV_NOT_A_NUMBER, "\"%s\" is no number",
        (const char *)message.value);
    CHECK_TEXT((const char *)message.value, "\"twelve\" is no number");
}

static void flags_are_those_of_the_verbs(void)
{
    CHECK_INT(verb_flags(KV_PUT), VERB_KEY | VERB_VALUE | VERB_WRITE);
    CHECK_INT(verb_flags(KV_GET), VERB_KEY);
    CHECK_INT(verb_flags(KV_COUNT), 0);
    CHECK_INT(verb_flags(VERB_NONE), 0);
    CHECK_INT(verb_flags(VERB_COUNT), 0);
    CHECK_INT(verb_flags(UINT32_MAX), 0);
}

static void no_internal_verb_is_a_request(void)
{
#define X(number, name) CHECK(number < VERB_SWEEP);
    KV_REQUEST_MAP(X)
#undef X
    CHECK_TEXT(kv_request_name(VERB_SWEEP), "UNKNOWN");
    CHECK_TEXT(kv_request_name(VERB_MARK), "UNKNOWN");
}

const struct test_case test_batch[] = {
    TEST_CASE(reply_clears_the_value_and_echoes_the_rest),
    TEST_CASE(reply_number_is_decimal),
    TEST_CASE(refuse_writes_its_sentence),
    TEST_CASE(refuse_cuts_at_the_value_size),
    TEST_CASE(refuse_may_quote_its_own_message),
    TEST_CASE(flags_are_those_of_the_verbs),
    TEST_CASE(no_internal_verb_is_a_request),
    TEST_END,
};
