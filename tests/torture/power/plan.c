#include "torture/power/plan.h"

#include <stdlib.h>

#include "bytes.h"
#include "support.h"

enum { AFTER_RECOVERY = 1000 /* events */, SEEDS_APART = 1000003 };

static int by_position(const void *left, const void *right)
{
    const struct power_planned *a = left;
    const struct power_planned *b = right;
    if (a->image.position != b->image.position) {
        return a->image.position < b->image.position ? -1 : 1;
    }
    return a->number < b->number ? -1 : 1;
}

/* The events that images are about. */
struct moments {
    uint64_t *syncs; /* at which a sync had returned */
    uint64_t sync_count;
    uint64_t *turns; /* of recoveries, what follows them, and stops */
    uint64_t turn_count;
    uint64_t last; /* event */
};

static bool is_call(enum power_kind kind)
{
    return kind == POWER_OPEN || kind == POWER_WRITE || kind == POWER_SIZE ||
           kind == POWER_CUT || kind == POWER_SYNC || kind == POWER_RENAME ||
           kind == POWER_REMOVE;
}

static void find_moments(struct power_plan *plan,
    const struct power_trace *trace, struct moments *moments)
{
    const struct power_event *events = trace->events;
    uint64_t turn_ends = 0;
    for (uint64_t i = 1; i < trace->count; i++) {
        enum power_kind kind = (enum power_kind)atomic_load(&events[i].kind);
        plan->calls += is_call(kind) ? 1 : 0;
        if (kind == POWER_SYNCED) {
            int64_t took_ns = events[i].time_ns - events[events[i].of].time_ns;
            plan->sync_ns =
                (int64_t)u64_max((uint64_t)plan->sync_ns, (uint64_t)took_ns);
            moments->syncs[moments->sync_count++] = i;
        } else if (kind == POWER_START || kind == POWER_STOP) {
            turn_ends = UINT64_MAX;
        } else if (kind == POWER_EPOCH) {
            turn_ends = i + AFTER_RECOVERY;
        }
        if (i < turn_ends && is_call(kind)) {
            moments->turns[moments->turn_count++] = i + 1;
        }
    }
}

/* The moment of image number i of so many. */
static uint64_t choose_moment(const struct moments *moments, uint64_t images,
    uint64_t i, struct test_random *random)
{
    uint64_t moment = 1 + test_random_below(random, moments->last);
    if (i % 4 == 1 && moments->turn_count > 0) {
        moment = moments->turns[test_random_below(random, moments->turn_count)];
    } else if (i % 2 == 0 && moments->sync_count > 0) {
        uint64_t sync = moments->sync_count > images / 2
                            ? test_random_below(random, moments->sync_count)
                            : i / 2 % moments->sync_count;
        moment = moments->syncs[sync] + test_random_below(random, 2);
    }
    return u64_min(moment, moments->last);
}

bool power_plan_make(struct power_plan *plan, const struct power_trace *trace,
    uint64_t images, uint64_t seed)
{
    struct moments moments = {
        .syncs = malloc(trace->count * sizeof *moments.syncs),
        .turns = malloc(trace->count * sizeof *moments.turns),
        .last = trace->count - 1,
    };
    *plan = (struct power_plan){.images = calloc(images, sizeof *plan->images)};
    bool made = moments.syncs != NULL && moments.turns != NULL &&
                plan->images != NULL && trace->count > 1;
    if (made) {
        find_moments(plan, trace, &moments);
        plan->syncs = moments.sync_count;
    }
    for (uint64_t i = 0; i < images && made; i++) {
        struct test_random random;
        test_random_init_seed(&random, seed * SEEDS_APART + i);
        struct power_planned *planned = &plan->images[i];
        planned->number = i;
        planned->image.position = choose_moment(&moments, images, i, &random);
        planned->image.kind =
            (enum power_image_kind)test_random_below(&random, IMAGE_KINDS);
        planned->image.seed = test_random_next(&random);
    }
    free(moments.syncs);
    free(moments.turns);
    if (!made) {
        power_plan_free(plan);
        return false;
    }
    qsort(plan->images, images, sizeof *plan->images, by_position);
    return true;
}

void power_plan_free(struct power_plan *plan)
{
    free(plan->images);
    plan->images = NULL;
}
