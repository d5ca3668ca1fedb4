#include "bytes.h"
#include "kv_store.h"
#include "support.h"

static void every_status_has_its_name_and_text(void)
{
#define X(number, name, text)                                                  \
    CHECK_INT(KV_##name, number);                                              \
    CHECK_TEXT(kv_error_name(number), #name);                                  \
    CHECK_TEXT(kv_error_text(number), text);
    KV_STATUS_MAP(X)
#undef X
}

static void an_unknown_status_is_named_so(void)
{
    static const int unknown[] = {15, 255, -8, 1000, -1000, INT32_MIN};
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        CHECK_TEXT(kv_error_name(unknown[i]), "UNKNOWN");
        CHECK(kv_error_text(unknown[i])[0] != '\0');
    }
}

static void every_request_has_its_name(void)
{
#define X(number, name)                                                        \
    CHECK_TEXT(kv_request_name(number), #name);                                \
    CHECK_TEXT(kv_request_name(number | KV_LINKED), #name);
    KV_REQUEST_MAP(X)
#undef X
    CHECK_TEXT(kv_request_name(0), "UNKNOWN");
    CHECK_TEXT(kv_request_name(17), "UNKNOWN");
    CHECK_TEXT(kv_request_name(KV_LINKED), "UNKNOWN");
    CHECK_TEXT(kv_request_name(-1), "UNKNOWN");
}

static void the_numbers_are_those_of_the_wire(void)
{
    CHECK_INT(KV_PUT, 1);
    CHECK_INT(KV_GET, 2);
    CHECK_INT(KV_DELETE, 3);
    CHECK_INT(KV_BACKUP, 16);
    CHECK_INT(KV_NOT_FOUND, 1);
    CHECK_INT(KV_NO_SPACE, 2);
    CHECK_INT(KV_END, 13);
    CHECK_INT(KV_INTERNAL, 14);
}

static void fill_pads_with_zeros(void)
{
    kv_message_t message;
    uint8_t zeros[KV_VALUE_MAX] = {0};
    memset(&message, 0xff, sizeof message);
    CHECK_INT(
        kv_message_fill(&message, KV_PUT | KV_LINKED, "key", 3, "value", 5),
        KV_SUCCESS);
    CHECK_INT(message.type, KV_PUT | KV_LINKED);
    CHECK_INT(message.status, 0);
    CHECK_INT(message.value_len, 5);
    CHECK_BYTES(message.key, "key", 3);
    CHECK_BYTES(message.key + 3, zeros, KV_KEY_SIZE - 3);
    CHECK_BYTES(message.value, "value", 5);
    CHECK_BYTES(message.value + 5, zeros, KV_VALUE_MAX - 5);
}

static void fill_takes_the_largest_and_the_smallest(void)
{
    kv_message_t message;
    uint8_t bytes[KV_VALUE_MAX];
    struct test_random random;
    test_random_init(&random);
    test_random_fill(&random, bytes, sizeof bytes);
    bytes[0] |= 1;
    CHECK_INT(kv_message_fill(
                  &message, KV_PUT, bytes, KV_KEY_SIZE, bytes, KV_VALUE_MAX),
        KV_SUCCESS);
    CHECK_BYTES(message.key, bytes, KV_KEY_SIZE);
    CHECK_BYTES(message.value, bytes, KV_VALUE_MAX);
    CHECK_INT(message.value_len, KV_VALUE_MAX);
    CHECK_INT(kv_message_fill(&message, KV_PING, NULL, 0, NULL, 0), KV_SUCCESS);
    CHECK_INT(message.type, KV_PING);
    CHECK(bytes_all_zero(message.key, KV_KEY_SIZE));
}

static void check_refused(int type, size_t key_len, size_t value_len)
{
    static const uint8_t bytes[2 * KV_VALUE_MAX] = {1};
    static const kv_message_t nothing;
    kv_message_t message;
    memset(&message, 0xff, sizeof message);
    CHECK_INT(kv_message_fill(&message, type, bytes, key_len, bytes, value_len),
        KV_ARGUMENT);
    CHECK_BYTES(&message, &nothing, sizeof message);
}

static void fill_refuses_what_does_not_fit(void)
{
    check_refused(KV_PUT, KV_KEY_SIZE + 1, 0);
    check_refused(KV_PUT, SIZE_MAX, 0);
    check_refused(KV_PUT, 1, KV_VALUE_MAX + 1);
    check_refused(KV_PUT, 1, SIZE_MAX);
    check_refused(-1, 1, 1);
    check_refused(256, 1, 1);
}

static void fill_refuses_a_key_of_zeros(void)
{
    static const uint8_t zeros[KV_KEY_SIZE];
    kv_message_t message;
    CHECK_INT(
        kv_message_fill(&message, KV_GET, zeros, 1, NULL, 0), KV_ARGUMENT);
    CHECK_INT(kv_message_fill(&message, KV_GET, zeros, KV_KEY_SIZE, NULL, 0),
        KV_ARGUMENT);
    CHECK_INT(message.type, 0);
}

const struct test_case test_error[] = {
    TEST_CASE(every_status_has_its_name_and_text),
    TEST_CASE(an_unknown_status_is_named_so),
    TEST_CASE(every_request_has_its_name),
    TEST_CASE(the_numbers_are_those_of_the_wire),
    TEST_CASE(fill_pads_with_zeros),
    TEST_CASE(fill_takes_the_largest_and_the_smallest),
    TEST_CASE(fill_refuses_what_does_not_fit),
    TEST_CASE(fill_refuses_a_key_of_zeros),
    TEST_END,
};
