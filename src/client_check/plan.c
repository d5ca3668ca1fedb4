/* plan.c: what has to be done so that recovery opens a directory that it
 * refuses.  Changes nothing. */
#include "client_check/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "client_program.h"
#include "file.h"

#define KEY_FILE "hash.key"
#define SPARE_FILE "log-spare"

static int refuse(const struct plan *plan, const char *why)
{
    return program_fail(PROGRAM_LOCAL,
        "check: cannot repair %s: %s; nothing was changed", plan->path, why);
}

static int add(
    struct plan *plan, enum action_kind kind, const char *name, uint32_t index)
{
    if (plan->count == plan->room) {
        uint32_t room = plan->room == 0 ? 64 : 2 * plan->room;
        struct action *grown = realloc(plan->actions, room * sizeof *grown);
        if (grown == NULL) {
            return refuse(plan, "out of memory");
        }
        plan->actions = grown;
        plan->room = room;
    }
    struct action *action = &plan->actions[plan->count++];
    *action = (struct action){.kind = kind, .segment = index};
    (void)snprintf(action->name, sizeof action->name, "%s", name);
    return 0;
}

static int set_aside(struct plan *plan, const char *name)
{
    return add(plan, ACTION_ASIDE, name, 0);
}

/* ---- Whose files these are ----------------------------------------------- */

struct vote {
    const uint8_t *key; /* the identity in hash.key; NULL: there is none */
    bool for_key;       /* a file has it */
    uint8_t first[WAL_IDENTITY_SIZE];
    bool any;
    bool mixed; /* files have different ones */
};

static int count_vote(void *context, const uint8_t identity[WAL_IDENTITY_SIZE])
{
    struct vote *vote = context;
    if (!vote->any) {
        vote->any = true;
        memcpy(vote->first, identity, sizeof vote->first);
    }
    vote->mixed =
        vote->mixed || memcmp(vote->first, identity, sizeof vote->first) != 0;
    vote->for_key = vote->for_key ||
                    (vote->key != NULL &&
                        memcmp(vote->key, identity, WAL_IDENTITY_SIZE) == 0);
    return 0;
}

static int count_votes(
    struct vote *vote, int directory, const struct backup_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        char why[BACKUP_WHY_MAX];
        struct backup_reader reader;
        if (backup_open(&reader, directory, list->lsns[i], NULL, why) == 0) {
            (void)count_vote(vote, reader.head.identity);
            backup_close(&reader);
        }
    }
    return salvage_identities(directory, count_vote, vote);
}

/* hash.key is believed if a file agrees with it; else the files, if they agree
 * with each other. */
static int plan_identity(struct plan *plan, const struct look *look,
    uint8_t identity[WAL_IDENTITY_SIZE])
{
    struct vote vote = {.key = look->key == 0 ? look->identity : NULL};
    int error = count_votes(&vote, plan->directory, &look->list);
    if (error != 0) {
        return refuse(plan, strerror(-error));
    }
    memcpy(identity, look->identity, WAL_IDENTITY_SIZE);
    if (vote.for_key || !vote.any) {
        return 0;
    }
    if (vote.mixed) {
        return refuse(plan,
            "its files belong to more than one store, and no hash.key tells "
            "which of them is meant: put the others elsewhere");
    }
    memcpy(identity, vote.first, WAL_IDENTITY_SIZE);
    return vote.key == NULL ? 0 : set_aside(plan, KEY_FILE);
}

/* ---- Backups ------------------------------------------------------------- */

static int set_backup_aside(struct plan *plan, uint64_t lsn)
{
    char name[BACKUP_NAME_MAX];
    backup_name(name, lsn);
    return set_aside(plan, name);
}

/* Those that are not valid, and those from which the log does not lead to where
 * it ends.  *oldest: the LSN of the oldest one that stays. */
static int plan_backups(struct plan *plan, struct look *look, uint64_t *oldest)
{
    int status = 0;
    bool leads = false;
    const struct wal_sink sink = {look_take, look};
    *oldest = look->newest;
    for (uint32_t i = look->count; i > 0 && status == 0; i--) {
        char why[WAL_WHY_MAX];
        uint64_t last = plan->lsn;
        uint64_t lsn = look->backups[i - 1].head.lsn;
        bool valid = look->backups[i - 1].valid;
        /* If the log leads from one to the end, it does so from later ones. */
        if (valid && !leads &&
            salvage_reach(&plan->salvage, lsn, &sink, &last, why) != 0) {
            return refuse(plan, why);
        }
        if (!valid || last < plan->lsn) {
            status = set_backup_aside(plan, lsn);
        } else if (!leads) {
            leads = true;
            *oldest = lsn;
        }
    }
    return status;
}

/* ---- The log ------------------------------------------------------------- */

/* Recovery would not go on from this segment to the one that follows it. */
static bool misleads(const struct salvage *salvage, uint32_t index)
{
    const struct salvage_segment *segment = &salvage->segments[index];
    return segment->headless ||
           (segment->next_lsn != 0 && index + 1 < salvage->count &&
               segment->next_lsn != segment[1].first_lsn);
}

/* The segment number index goes on with the next LSN: the frame before stands
 * in it, or it begins there.  Of a backup's last LSN the frame may be gone. */
static bool holds_end(struct plan *plan, struct look *look, uint32_t index)
{
    char why[WAL_WHY_MAX];
    uint64_t last = 0;
    struct salvage *salvage = &plan->salvage;
    const struct wal_sink sink = {look_take, look};
    if (index == salvage->count ||
        salvage->segments[index].first_lsn > plan->lsn) {
        return index < salvage->count;
    }
    return salvage_reach(salvage, plan->lsn - 1, &sink, &last, why) == 0 &&
           last >= plan->lsn;
}

/* The log ends behind plan->lsn, which stands in the segment number index if in
 * any. */
static int plan_cut(struct plan *plan, struct look *look, uint32_t index)
{
    int status = 0;
    const struct salvage *salvage = &plan->salvage;
    uint32_t left = index < salvage->count ? index + 1 : 0;
    for (uint32_t i = salvage->count; i > left && status == 0; i--) {
        status = set_aside(plan, salvage->segments[i - 1].name);
    }
    /* Its old frames might be of LSNs that come again now. */
    int spare = file_open_read(plan->directory, SPARE_FILE);
    if (spare >= 0 && status == 0) {
        status = set_aside(plan, SPARE_FILE);
    }
    file_close(spare < 0 ? -1 : spare);
    plan->open_ended = salvage->count == 0 || index == salvage->count ||
                       salvage->segments[salvage->count - 1].next_lsn != 0;
    if (status == 0 && holds_end(plan, look, index)) {
        status =
            add(plan, ACTION_REPLACE, salvage->segments[index].name, index);
    } else if (status == 0) {
        char name[WAL_NAME_MAX];
        salvage_name(name, plan->lsn + 1);
        status = add(plan, ACTION_BEGIN, name, 0);
    }
    return status;
}

static int plan_log(struct plan *plan, struct look *look, uint64_t oldest)
{
    const struct salvage *salvage = &plan->salvage;
    uint32_t index = salvage_find(salvage, plan->lsn + 1);
    uint32_t from = salvage_find(salvage, oldest + 1);
    int status = 0;
    for (uint32_t i = 0; i < salvage->strange_count && status == 0; i++) {
        status = set_aside(plan, salvage->strange[i].name);
    }
    for (uint32_t i = from; i < index && status == 0; i++) {
        if (misleads(salvage, i)) {
            status = add(plan, ACTION_REPLACE, salvage->segments[i].name, i);
        }
    }
    return status == 0 && plan->cut ? plan_cut(plan, look, index) : status;
}

/* ---- The whole ----------------------------------------------------------- */

/* Where the sound run ends that begins with the newest backup. */
static int find_end(struct plan *plan, struct look *look)
{
    char why[WAL_WHY_MAX];
    const struct wal_sink sink = {look_take, look};
    struct wal_options options = {.directory = plan->directory};
    memcpy(options.identity, look->identity, sizeof options.identity);
    if (salvage_open(&plan->salvage, &options, why) != 0 ||
        salvage_reach(&plan->salvage, look->newest, &sink, &plan->lsn, why) !=
            0) {
        return refuse(plan, why);
    }
    if (plan->lsn > 0 || look->valid > 0) {
        return 0;
    }
    return refuse(plan,
        look->count == 0
            ? "there is no backup, and the log has no sound frame to begin "
              "with: only a copy of the directory can help"
            : "no backup is valid, and the log does not lead from the first "
              "frame to a state that ever was: only a copy of a backup or of "
              "the directory can help");
}

int plan_make(struct plan *plan, struct look *look)
{
    uint64_t oldest;
    uint8_t identity[WAL_IDENTITY_SIZE];
    int status = plan_identity(plan, look, identity);
    if (status != 0) {
        return status;
    }
    int error = look_as(look, plan->directory, identity);
    if (error != 0) {
        return refuse(plan, strerror(-error));
    }
    plan->cut = look->broken;
    plan->named = look->named;
    status = find_end(plan, look);
    if (status == 0) {
        status = plan_backups(plan, look, &oldest);
    }
    if (status == 0) {
        status = plan_log(plan, look, oldest);
    }
    if (status == 0 && plan->count == 0) {
        status = refuse(plan,
            "its files are whole, but contradict each other, and nothing tells "
            "which are right");
    }
    return status;
}

void plan_free(struct plan *plan)
{
    salvage_close(&plan->salvage);
    free(plan->actions);
}
