#include "torture/transfers/sum.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

#define KEY_ACCOUNT "account-"

kv_message_t sum_request(int type, uint64_t account, int64_t argument)
{
    kv_message_t message;
    char key[KV_KEY_SIZE + 1];
    uint8_t value[DECIMAL_MAX];
    int verb = type & ~KV_LINKED;
    size_t value_len = verb == KV_GET ? 0 : decimal_format(argument, value);
    int key_len = snprintf(key, sizeof key, KEY_ACCOUNT "%" PRIu64, account);
    kv_error_t error =
        kv_message_fill(&message, type, key, (size_t)key_len, value, value_len);
    assert(error == KV_SUCCESS);
    (void)error;
    return message;
}

bool sum_number(const kv_message_t *message, int64_t *number)
{
    bool overflow;
    return decimal_parse(message->value, message->value_len, number, &overflow);
}

/* The account that a key names; BANK_ACCOUNTS if none. */
static uint64_t account_of(const uint8_t key[KV_KEY_SIZE])
{
    char text[KV_KEY_SIZE + 1] = "";
    size_t prefix = strlen(KEY_ACCOUNT);
    int64_t account;
    bool overflow;
    memcpy(text, key, KV_KEY_SIZE);
    if (strncmp(text, KEY_ACCOUNT, prefix) != 0 ||
        !decimal_parse(
            text + prefix, strlen(text + prefix), &account, &overflow) ||
        account < 0 || account >= BANK_ACCOUNTS) {
        return BANK_ACCOUNTS;
    }
    return (uint64_t)account;
}

void sum_add(struct sum *sum, const kv_message_t *record)
{
    uint64_t account = account_of(record->key);
    int64_t number;
    if (account == BANK_ACCOUNTS) {
        return;
    }
    if ((sum->seen >> account & 1) != 0 || !sum_number(record, &number)) {
        sum->strange++;
        return;
    }
    sum->seen |= UINT64_C(1) << account;
    sum->accounts++;
    sum->total += number;
}

bool sum_right(const struct sum *sum, const char *what)
{
    const int64_t expected = (int64_t)BANK_ACCOUNTS * BANK_BALANCE;
    bool right = sum->accounts == BANK_ACCOUNTS && sum->strange == 0 &&
                 sum->total == expected;
    if (!right) {
        (void)printf("%s: %" PRIu64 " accounts with the sum %" PRId64
                     " and %" PRIu64 " strange ones; %d with the sum %" PRId64
                     " were expected\n",
            what, sum->accounts, sum->total, sum->strange, BANK_ACCOUNTS,
            expected);
    }
    return right;
}
