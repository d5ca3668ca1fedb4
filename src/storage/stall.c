/* stall.c: a disk that does not answer: since when, and what those are told who
 * would have to wait for it.
 *
 * Not the committer's queue, and not who waits how long: that is the server's.
 * With none nobody waits for a sync, so the disk is never silent here. */
#include "storage/state.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_A_MS = 1000000 };

#define NOTHING_WRITTEN "nothing was written; try again later"

void stall_begin(struct storage *storage)
{
    lock(&storage->figures_lock);
    storage->figures.silent_since_ns = clock_steady_ns();
    unlock(&storage->figures_lock);
}

void stall_end(struct storage *storage)
{
    lock(&storage->figures_lock);
    storage->figures.silent_since_ns = 0;
    bool stalled = storage->figures.stalled;
    storage->figures.stalled = false;
    unlock(&storage->figures_lock);
    if (stalled) {
        diag_line(storage->options.diag,
            "storage: the disk answers again: writes are taken again");
    }
}

int64_t storage_silent_ms(struct storage *storage)
{
    lock(&storage->figures_lock);
    int64_t since_ns = storage->figures.silent_since_ns;
    unlock(&storage->figures_lock);
    return since_ns == 0 ? 0 : (clock_steady_ns() - since_ns) / NS_A_MS;
}

int64_t storage_stall_ms(const struct storage *storage)
{
    return storage->options.stall_ms;
}

/* Counts the writes of a batch that are told BUSY; says so once a stall. */
static void note(
    struct storage *storage, const struct batch *batch, int64_t silent_ms)
{
    lock(&storage->figures_lock);
    struct figures *figures = &storage->figures;
    bool first = !figures->stalled;
    figures->stalled = true;
    figures->stalls += first ? 1 : 0;
    figures->writes_busy += batch->commits;
    unlock(&storage->figures_lock);
    if (first) {
        diag_line(storage->options.diag,
            "storage: the disk has not answered for %" PRId64
            " ms: writes are told BUSY until it does",
            silent_ms);
    }
}

static void refuse(
    struct storage *storage, struct batch *batch, const char *why)
{
    lock(&storage->commit);
    struct view view = commit_shared_view(storage);
    view.still = true;
    commit_refuse(&view, batch, KV_BUSY, why);
    unlock(&storage->commit);
}

bool stall_refuses(struct storage *storage, struct batch *batch)
{
    if (storage_silent_ms(storage) < storage->options.stall_ms) {
        return false;
    }
    storage_refuse(storage, batch, 0);
    return true;
}

void storage_refuse(
    struct storage *storage, struct batch *batch, unsigned waiting)
{
    char why[STORAGE_WHY_MAX];
    int64_t silent_ms = storage_silent_ms(storage);
    if (waiting == 0) {
        snprintf(why, sizeof why,
            "the disk has not answered for %" PRId64 " ms; " NOTHING_WRITTEN,
            silent_ms);
    } else {
        snprintf(why, sizeof why,
            "the disk has not answered for %" PRId64
            " ms, and %u batches wait for it, as many as may; " NOTHING_WRITTEN,
            silent_ms, waiting);
    }
    note(storage, batch, silent_ms);
    refuse(storage, batch, why);
}

bool storage_withdraw(struct storage *storage, struct batch *batch,
    int64_t waited_ms, char why[STORAGE_WHY_MAX])
{
    int64_t silent_ms = storage_silent_ms(storage);
    bool withdrawn = committer_withdraw(storage, batch);
    const char *then = withdrawn ? NOTHING_WRITTEN
                                 : "what was to be written may yet be: read it "
                                   "later to know";
    if (silent_ms > 0) {
        snprintf(why, STORAGE_WHY_MAX,
            "this has waited %" PRId64
            " ms for the disk, which has not answered for %" PRId64 " ms; %s",
            waited_ms, silent_ms, then);
    } else {
        snprintf(why, STORAGE_WHY_MAX,
            "this has waited %" PRId64
            " ms behind what others have asked for; %s",
            waited_ms, then);
    }
    note(storage, batch, silent_ms);
    if (withdrawn) {
        refuse(storage, batch, why);
    }
    return withdrawn;
}
