/* stats.c: what STATS_MAP tells of each figure, as a table to walk through. */
#include "stats.h"

#include <assert.h>
#include <string.h>

static const struct figure {
    const char *name;
    const char *text;
    size_t offset;
} figures[] = {
#define X(field, text) {#field, text, offsetof(struct stats, field)},
    STATS_MAP(X)
#undef X
};

_Static_assert(sizeof figures / sizeof figures[0] == STATS_COUNT,
    "every figure is 64 bits, without gaps");

void stats_add(struct stats *sum, const struct stats *part)
{
#define X(field, text) sum->field += part->field;
    STATS_MAP(X)
#undef X
}

const char *stats_name(size_t index)
{
    assert(index < STATS_COUNT);
    return figures[index].name;
}

const char *stats_text(size_t index)
{
    assert(index < STATS_COUNT);
    return figures[index].text;
}

uint64_t stats_value(const struct stats *stats, size_t index)
{
    uint64_t value;
    assert(index < STATS_COUNT);
    memcpy(&value, (const char *)stats + figures[index].offset, sizeof value);
    return value;
}
