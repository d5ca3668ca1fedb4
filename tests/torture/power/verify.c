/* verify.c: makes images of a recorded disk (disk.h), as a loss of
 * power may leave them, opens them, and looks whether what must be there is.
 *
 *     verify [--images N] [--seed N] [--image N] [--unsynced]
 *         [--export DIR] [--keep DIR] TRACE
 *
 * Half of the images are of the moments when a sync had returned, or was about
 * to; a quarter are of recoveries, what comes shortly after, and orderly stops;
 * the others of random moments.  --image makes that one alone; --unsynced makes
 * all of them without what was not synced.  --export leaves an image as it was
 * before it was opened, and in DIR.cells what it holds; --keep leaves the first
 * that is not right.
 *
 * What must be there: always: all that was answered.  everysec: what was
 * answered before all that was written by then was synced; and no answer is
 * lost that is older than a second, the keeper's tick, and a sync.  In each:
 * what was answered before a backup that is done was asked for; of what else
 * was sent the first requests of each connection, none of them without those
 * that were answered before it was sent.  Collections are whole, if there were
 * any.  No image is refused.
 *
 * The last line is "N passed, N failed", in images. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "bytes.h"
#include "kv_store.h"
#include "torture/power/disk.h"
#include "torture/collections/guests.h"
#include "torture/power/guests.h"
#include "torture/power/history.h"
#include "torture/power/plan.h"
#include "torture/power/trace.h"

enum {
    SHOWN_MAX = 3,
    REFUSED = 10,    /* status of a child */
    TWICE_EVERY = 8, /* images that are opened a second time */
    OPEN_S = 60,
    CAPACITY = 40000,
    SEGMENT = 2 << 20,
    WHY_MAX = 512,
    GUESTS_KEYS = CHURNER_KEYS + 2, /* at the most */
    TICK_MS = 1100 /* KV_SYNC=everysec: from one sync to the next */
};

#define NS_A_MS INT64_C(1000000)

/* What the child says that opens an image. */
struct opened {
    struct power_cells cells;
    uint64_t records;
    bool strange; /* a cell has a value that nobody wrote */
    bool torn;    /* collections are not whole: why */
    char why[WHY_MAX];
};

struct figures {
    uint64_t images;
    uint64_t failed;
    uint64_t refused;
    uint64_t lost; /* requests, the most of one image */
    uint64_t lost_images;
    int64_t age_ns;  /* KV_SYNC=everysec */
    int64_t sync_ns; /* the longest */
};

struct verifier {
    const char *path;
    const char *export;
    uint64_t images;
    uint64_t seed;
    const char *keep;
    uint64_t only; /* image; UINT64_MAX: all */
    bool unsynced;
    struct power_trace trace;
    struct power_history *history;
    struct power_disk *disk;
    struct opened *opened; /* shared with children */
    struct test_directory directory;
    struct figures figures;
};

static void complain(struct verifier *verifier,
    const struct power_planned *planned, const char *what, const char *more)
{
    static const char *const kinds[] = {
        "nothing", "all", "last", "not first", "writes", "sectors"};
    if (verifier->figures.failed++ < SHOWN_MAX) {
        (void)printf("image %" PRIu64 " (before event %" PRIu64 ", %s): %s%s\n",
            planned->number, planned->image.position,
            kinds[planned->image.kind], what, more);
    }
}

/* ---- Opening ------------------------------------------------------------- */

static void read_cells(kv_store_t *store, struct opened *opened)
{
    for (uint32_t i = 0; i < POWER_WRITERS; i++) {
        for (uint32_t j = 0; j < CRASH_CELLS; j++) {
            kv_message_t message;
            crash_get_fill(&message, i, j);
            kv_error_t error = kv_store_execute(store, &message, 1);
            int64_t *number = &opened->cells.of[i][j];
            if (error != KV_SUCCESS || !crash_get_read(&message, j, number)) {
                opened->strange = true;
            }
            opened->records -= *number != CRASH_ABSENT ? 1 : 0;
        }
    }
}

/* In the child: opens the store and tells what it holds. */
_Noreturn static void open_store(
    const struct verifier *verifier, const char *path, bool close)
{
    kv_store_t *store;
    struct opened *opened = verifier->opened;
    const kv_store_options_t options = {
        .capacity = CAPACITY,
        .sync = (kv_sync_t)verifier->trace.head->sync,
        .segment_bytes = SEGMENT,
    };
    bool guests = verifier->trace.head->guests != 0;
    memset(opened, 0, sizeof *opened);
    (void)alarm(OPEN_S);
    if (guests && !power_guests_right(path, opened->why, sizeof opened->why)) {
        opened->torn = true;
        _exit(EXIT_SUCCESS);
    }
    kv_error_t error =
        kv_store_open(&store, path, &options, opened->why, sizeof opened->why);
    if (error != KV_SUCCESS) {
        _exit(REFUSED);
    }
    opened->records = kv_store_count(store);
    read_cells(store, opened);
    opened->records -= guests ? u64_min(opened->records, GUESTS_KEYS) : 0;
    if (close) {
        kv_store_destroy(store);
    }
    _exit(EXIT_SUCCESS);
}

/* Opens the image in a child; false after a complaint. */
static bool open_image(struct verifier *verifier,
    const struct power_planned *planned, const char *path, bool close)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        open_store(verifier, path, close);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        complain(verifier, planned, "no process: ", strerror(errno));
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED) {
        verifier->figures.refused++;
        complain(verifier, planned, "refused: ", verifier->opened->why);
        return false;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
        complain(verifier, planned, "the process that opened it ended", "");
        return false;
    }
    if (verifier->opened->torn) {
        complain(verifier, planned, "collections: ", verifier->opened->why);
        return false;
    }
    if (verifier->opened->strange || verifier->opened->records != 0) {
        complain(verifier, planned, "it has what nobody wrote", "");
        return false;
    }
    return true;
}

/* True if a name in the directory says that a backup was damaged. */
static bool has_damage(const char *path)
{
    DIR *list = opendir(path);
    const struct dirent *entry;
    bool damaged = list == NULL;
    while (!damaged && (entry = readdir(list)) != NULL) {
        damaged = strstr(entry->d_name, ".damaged") != NULL;
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return damaged;
}

/* ---- Judging ------------------------------------------------------------- */

static void judge(
    struct verifier *verifier, const struct power_planned *planned)
{
    uint64_t position = planned->image.position;
    struct figures *figures = &verifier->figures;
    struct power_verdict verdict;
    uint64_t settled = power_history_backed_up(verifier->history, position);
    uint32_t sync = verifier->trace.head->sync;
    if (sync == KV_SYNC_ALWAYS) {
        settled = position;
    } else if (sync == KV_SYNC_EVERYSEC) {
        settled = u64_max(settled, power_disk_settled(verifier->disk));
    }
    power_history_judge(verifier->history, position, settled,
        &verifier->opened->cells, &verdict);
    if (verdict.strange) {
        complain(verifier, planned, "no first requests make these cells", "");
    } else if (verdict.lost > 0) {
        char number[DECIMAL_MAX + 1] = "";
        (void)decimal_format((int64_t)verdict.lost, (uint8_t *)number);
        complain(verifier, planned, "answered requests are lost: ", number);
    } else if (verdict.disordered) {
        complain(
            verifier, planned, "a request is there without an older one", "");
    }
    figures->lost = u64_max(figures->lost, verdict.lost);
    figures->lost_images += verdict.lost > 0 ? 1 : 0;
    if (sync == KV_SYNC_EVERYSEC && verdict.age_ns > figures->age_ns) {
        figures->age_ns = verdict.age_ns;
    }
}

/* Opened once more, it holds the same. */
static void open_again(struct verifier *verifier,
    const struct power_planned *planned, const char *path)
{
    struct power_cells *before = malloc(sizeof *before);
    assert(before != NULL);
    *before = verifier->opened->cells;
    if (open_image(verifier, planned, path, false) &&
        memcmp(before, &verifier->opened->cells, sizeof *before) != 0) {
        complain(
            verifier, planned, "opened again, it holds something else", "");
    }
    free(before);
}

/* Writes the image as it was before it was opened; what it held, if it was,
 * beside it. */
static void leave_image(const struct verifier *verifier,
    const struct power_planned *planned, const char *directory)
{
    char path[TEST_PATH_MAX];
    int length = snprintf(path, sizeof path, "%s.cells", directory);
    assert(length > 0 && (size_t)length < sizeof path);
    bool made = mkdir(directory, 0700) == 0 || errno == EEXIST;
    int error = power_disk_write(verifier->disk, &planned->image, directory);
    FILE *file = made && error == 0 ? fopen(path, "we") : NULL;
    assert(file != NULL);
    size_t written =
        fwrite(&verifier->opened->cells, sizeof(struct power_cells), 1, file);
    int closed = fclose(file);
    assert(written == 1 && closed == 0);
}

static void check_image(
    struct verifier *verifier, const struct power_planned *planned)
{
    uint64_t failed = verifier->figures.failed;
    struct test_directory directory;
    char *path = directory.path;
    int length = snprintf(path, sizeof directory.path, "%s/%" PRIu64,
        verifier->directory.path, planned->number);
    assert(length > 0 && (size_t)length < sizeof directory.path);
    const char *why =
        power_disk_advance(verifier->disk, planned->image.position);
    int error = why == NULL && mkdir(path, 0700) != 0 ? -errno : 0;
    if (why == NULL && error == 0) {
        error = power_disk_write(verifier->disk, &planned->image, path);
    }
    verifier->figures.images++;
    if (why != NULL || error != 0) {
        complain(verifier, planned,
            "no image: ", why != NULL ? why : strerror(-error));
        return;
    }
    bool twice = planned->number % TWICE_EVERY == 0;
    if (open_image(verifier, planned, path, twice)) {
        judge(verifier, planned);
        if (has_damage(path)) {
            complain(verifier, planned, "a backup is damaged", "");
        }
        if (verifier->export != NULL) {
            leave_image(verifier, planned, verifier->export);
        }
        if (twice) {
            open_again(verifier, planned, path);
        }
    }
    if (verifier->figures.failed > failed) {
        verifier->figures.failed = failed + 1;
        if (failed == 0 && verifier->keep != NULL) {
            leave_image(verifier, planned, verifier->keep);
            (void)printf("kept: %s\n", verifier->keep);
        }
    }
    if (!test_directory_remove(&directory)) {
        complain(verifier, planned, "cannot be removed: ", path);
    }
}

/* The oldest answer that KV_SYNC=everysec may lose: from the beginning of one
 * sync to the next, and until that is done; twice what the machine made threads
 * wait, since the keeper and its sync may wait for another's. */
static void check_age(struct verifier *verifier)
{
    struct figures *figures = &verifier->figures;
    int64_t most_ns = TICK_MS * NS_A_MS + 2 * figures->sync_ns +
                      2 * verifier->trace.head->late_ns;
    if (figures->age_ns > most_ns) {
        (void)printf("an answer is lost that is %" PRId64
                     " ms old; at most %" PRId64 " are right\n",
            figures->age_ns / NS_A_MS, most_ns / NS_A_MS);
        figures->failed++;
    }
}

/* ---- The program --------------------------------------------------------- */

static void run(struct verifier *verifier)
{
    struct power_plan plan;
    if (!power_plan_make(
            &plan, &verifier->trace, verifier->images, verifier->seed)) {
        (void)printf("out of memory\n");
        verifier->figures.failed++;
        return;
    }
    verifier->figures.sync_ns = plan.sync_ns;
    const struct figures *figures = &verifier->figures;
    for (uint64_t i = 0; i < verifier->images; i++) {
        if (verifier->unsynced) {
            plan.images[i].image.kind = IMAGE_NOTHING;
        }
        if (verifier->only == UINT64_MAX ||
            plan.images[i].number == verifier->only) {
            check_image(verifier, &plan.images[i]);
        }
    }
    power_plan_free(&plan);
    check_age(verifier);
    (void)printf("calls %" PRIu64 " syncs %" PRIu64 " images %" PRIu64
                 " refused %" PRIu64 " lost %" PRIu64 " in %" PRIu64
                 " age_ms %" PRId64 " sync_ms %" PRId64 " late_ms %" PRId64
                 "\n",
        plan.calls, plan.syncs, figures->images, figures->refused,
        figures->lost, figures->lost_images, figures->age_ns / NS_A_MS,
        figures->sync_ns / NS_A_MS, verifier->trace.head->late_ns / NS_A_MS);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n",
        figures->images - u64_min(figures->images, figures->failed),
        figures->failed);
}

static bool parse_arguments(char **argv, struct verifier *verifier)
{
    const struct argument known[] = {
        {.name = "--images", .number = &verifier->images},
        {.name = "--seed", .number = &verifier->seed},
        {.name = "--keep", .text = &verifier->keep},
        {.name = "--unsynced", .flag = &verifier->unsynced},
        {.name = "--export", .text = &verifier->export},
        {.name = "--image", .number = &verifier->only},
        {.name = "", .text = &verifier->path},
        {.name = NULL},
    };
    return arguments_take(argv, known) && verifier->path != NULL &&
           verifier->images > 0;
}

int main(int argc, char **argv)
{
    struct verifier verifier = {.images = 100, .seed = 1, .only = UINT64_MAX};
    assert(argc > 0);
    if (!parse_arguments(argv, &verifier)) {
        (void)fprintf(stderr,
            "usage: verify [--images N] [--seed N] [--image N] "
            "[--unsynced] [--export DIR] [--keep DIR] TRACE\n");
        return EXIT_USAGE;
    }
    /* It does not outlive the script. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int error = power_trace_open(&verifier.trace, verifier.path, false);
    if (error != 0 || !test_directory_make(&verifier.directory)) {
        (void)fprintf(stderr, "%s: %s\n", verifier.path, strerror(-error));
        return EXIT_FAILURE;
    }
    verifier.history = power_history_create(&verifier.trace);
    verifier.disk = power_disk_create(&verifier.trace);
    verifier.opened = mmap(NULL, sizeof *verifier.opened,
        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(verifier.history != NULL && verifier.disk != NULL &&
           verifier.opened != MAP_FAILED);
    run(&verifier);
    power_disk_destroy(verifier.disk);
    power_history_destroy(verifier.history);
    power_trace_close(&verifier.trace);
    bool removed = test_directory_remove(&verifier.directory);
    return removed && verifier.figures.failed == 0 ? EXIT_SUCCESS
                                                   : EXIT_FAILURE;
}
