#include "tabled.h"

struct table *tabled_create(uint64_t capacity, uint32_t spare)
{
    struct test_random random;
    uint8_t secret[SIPHASH_SECRET_SIZE];
    struct table *table;
    test_random_init(&random);
    test_random_fill(&random, secret, sizeof secret);
    int error = table_create(&table, capacity, spare, secret);
    REQUIRE(error == 0);
    return table;
}

uint64_t tabled_hash(const struct table *table, uint64_t number)
{
    uint8_t key[KV_KEY_SIZE];
    sample_key(number, key);
    return table_hash(table, key);
}

bool tabled_put(
    struct table *table, uint64_t number, uint64_t version, int64_t expire_ms)
{
    struct record *record = table_take(table);
    if (record == NULL) {
        abort();
    }
    sample_key(number, record->key);
    record->hash = table_hash(table, record->key);
    record->expire_ms = expire_ms;
    record->value_len = sample_value(number, version, record->value);
    return table_publish(table, record);
}

bool tabled_remove(struct table *table, uint64_t number)
{
    uint8_t key[KV_KEY_SIZE];
    sample_key(number, key);
    return table_remove(table, table_hash(table, key), key);
}

static enum tabled_state judge(
    const struct record *record, uint64_t number, uint64_t *version)
{
    uint8_t key[KV_KEY_SIZE];
    *version = 0;
    if (record == NULL) {
        return TABLED_ABSENT;
    }
    sample_key(number, key);
    bool right =
        memcmp(record->key, key, KV_KEY_SIZE) == 0 &&
        sample_check(number, record->value, record->value_len, version);
    return right ? TABLED_PRESENT : TABLED_WRONG;
}

enum tabled_state tabled_get(
    struct table *table, uint64_t number, uint64_t *version)
{
    uint8_t key[KV_KEY_SIZE];
    struct bucket *held;
    sample_key(number, key);
    uint64_t hash = table_hash(table, key);
    table_prefetch_bucket(table, hash);
    table_prefetch_record(table, hash);
    const struct record *record = table_acquire(table, hash, key, &held);
    enum tabled_state state = judge(record, number, version);
    table_release(held);
    return state;
}

enum tabled_state tabled_find(
    struct table *table, uint64_t number, uint64_t *version)
{
    uint8_t key[KV_KEY_SIZE];
    sample_key(number, key);
    return judge(
        table_find(table, table_hash(table, key), key), number, version);
}

void tabled_choose(const struct table *table, struct tabled_ending *ending,
    uint64_t *numbers, uint32_t count)
{
    for (uint32_t found = 0; found < count; ending->next++) {
        if ((tabled_hash(table, ending->next) & ending->mask) == ending->bits) {
            numbers[found++] = ending->next;
        }
    }
}
