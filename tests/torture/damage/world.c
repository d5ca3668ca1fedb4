#include "torture/damage/world.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "frame.h"
#include "support.h"
#include "wal/wal.h"
#include "wire.h"

enum {
    CAPACITY = 200,
    SMALL_STEPS = 60,
    SMALL_BACKUPS = SMALL_STEPS / 3,
    LARGE_BATCH = 240, /* messages; with a mark a group */
    SEGMENT_FRAMES = (WAL_SEGMENT_MIN - DISK_PAGE) / FRAME_SIZE
};

/* Steps that fill so many thirds of a segment: ten frames are eight steps. */
#define STEPS_OF(thirds) ((thirds) * (SEGMENT_FRAMES / 3) * 8 / 10)

static const struct world plans[WORLDS] = {
    [WORLD_LOG] = {.steps = SMALL_STEPS, .batch = 1},
    [WORLD_UNSYNCED] = {.steps = SMALL_STEPS, .batch = 1, .sync = KV_SYNC_NONE},
    [WORLD_BACKUPS] = {.steps = SMALL_STEPS,
        .batch = 1,
        .backups = {SMALL_BACKUPS, 2 * SMALL_BACKUPS}},
    [WORLD_SEGMENTS] = {.steps = STEPS_OF(7), .batch = LARGE_BATCH},
    [WORLD_REUSED] = {.steps = STEPS_OF(14),
        .batch = LARGE_BATCH,
        .backups = {STEPS_OF(7), STEPS_OF(10)}},
};

struct storage_options world_options(
    const struct world *world, const char *directory)
{
    return (struct storage_options){
        .directory = directory,
        .capacity = CAPACITY,
        .sync = world->sync,
        .backup_keep = 2,
        .segment_bytes = WAL_SEGMENT_MIN,
        .load_threads = 1,
    };
}

/* ---- Writing ------------------------------------------------------------- */

struct writer {
    struct world *world;
    struct storage *storage;
    const char *directory;
    struct history history;
    uint32_t step;
    sem_t answered;
    struct batch batch;
    kv_message_t messages[BATCH_OPS_MAX];
};

static void answer(struct batch *batch)
{
    struct writer *writer = batch->owner;
    sem_post(&writer->answered);
}

static void give_up(const char *what)
{
    (void)fprintf(stderr, "a store cannot be written: %s\n", what);
    _exit(EXIT_FAILURE);
}

/* Commits as many steps as make a batch, and notes their ends. */
static void write_batch(struct writer *writer, uint32_t until)
{
    struct world *world = writer->world;
    uint32_t first = writer->step;
    uint32_t counts[BATCH_OPS_MAX];
    struct batch *batch = &writer->batch;
    batch->count = 0;
    while (writer->step < until && batch->count < world->batch) {
        uint32_t count = history_step(
            &writer->history, writer->step, &writer->messages[batch->count]);
        counts[writer->step++ - first] = count;
        batch->count += count;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        wire_decode(&writer->messages[i], &batch->ops[i]);
    }
    storage_read(writer->storage, batch);
    if (!storage_commit(writer->storage, batch)) {
        sem_wait(&writer->answered);
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        if (writer->messages[i].status != KV_SUCCESS) {
            give_up(kv_error_text(writer->messages[i].status));
        }
    }
    struct stats stats = {.lsn = 0};
    storage_stats(writer->storage, &stats);
    uint64_t lsn = stats.lsn;
    for (uint32_t i = writer->step; i > first; i--) {
        world->ends[i - 1] = lsn;
        lsn -= counts[i - 1 - first];
    }
}

static void backup_done(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    (void)lsn;
    if (error != 0) {
        give_up(strerror(-error));
    }
    sem_post(request->owner);
}

static void write_until(struct writer *writer, uint32_t step)
{
    while (writer->step < step) {
        write_batch(writer, step);
    }
}

/* A disk takes longer than a millisecond, memory may not; and a backup's time
 * is what tells it from another. */
static void back_up(struct writer *writer)
{
    int64_t last_ms = clock_wall_ms();
    while (clock_wall_ms() == last_ms) {
        (void)sched_yield();
    }
    struct storage_backup_request request = {
        .done = backup_done, .owner = &writer->answered};
    if (!storage_backup(writer->storage, &request)) {
        give_up("no backup");
    }
    sem_wait(&writer->answered);
}

static void copy_files(const char *from, const char *to)
{
    struct image image;
    int source = file_open_directory(from, false);
    int target = file_open_directory(to, true);
    if (source < 0 || target < 0) {
        give_up(to);
    }
    image_take(&image, source);
    image_put(&image, target);
}

/* In a process of its own, which ends as if it had been killed. */
_Noreturn static void write_all(struct writer *writer, const char *early)
{
    struct world *world = writer->world;
    const uint32_t *backups = world->backups;
    char why[STORAGE_WHY_MAX];
    const struct storage_options options =
        world_options(world, writer->directory);
    if (storage_open(&writer->storage, &options, why) != 0) {
        give_up(why);
    }
    write_until(writer, 1);
    /* From its first end on, hash.key tells that there is a log. */
    if (storage_close(writer->storage, false) != 0 ||
        storage_open(&writer->storage, &options, why) != 0) {
        give_up("it cannot be opened again");
    }
    if (backups[0] != 0) {
        write_until(writer, backups[0]);
        back_up(writer);
    }
    write_until(writer,
        backups[0] != 0 ? (backups[0] + backups[1]) / 2 : world->steps / 2);
    copy_files(writer->directory, early);
    if (backups[1] != 0) {
        write_until(writer, backups[1]);
        back_up(writer);
    }
    write_until(writer, world->steps);
    _exit(EXIT_SUCCESS);
}

/* With a spare segment, so that nobody who opens it has to make one. */
static void take_files(struct image *image, const char *directory)
{
    int fd = file_open_directory(directory, false);
    int spare = fd < 0 ? fd : file_open_write(fd, "log-spare");
    if (spare == -ENOENT) {
        spare = file_create(fd, "log-spare");
    }
    if (spare < 0 || file_truncate(spare, WAL_SEGMENT_MIN) != 0) {
        image_fail("cannot read", directory, errno);
    }
    file_close(spare);
    image_take(image, fd);
    file_close(fd);
}

static void write_store(
    struct world *world, const char *directory, const char *early)
{
    struct writer *writer = calloc(1, sizeof *writer);
    int status = 0;
    assert(writer != NULL);
    writer->world = world;
    writer->directory = directory;
    writer->batch.done = answer;
    writer->batch.owner = writer;
    sem_init(&writer->answered, 0, 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        write_all(writer, early);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        image_fail("cannot write", directory, errno);
    }
    free(writer);
    take_files(&world->image, directory);
    take_files(&world->early, early);
}

/* ---- The world ----------------------------------------------------------- */

void world_make(struct world *world, enum world_name name, const char *parent)
{
    static const char *const names[] = {
        "other", "other-early", "whole", "early"};
    char directories[ARRAY_SIZE(names)][TEST_PATH_MAX];
    *world = plans[name];
    world->name = name;
    size_t bytes = world->steps * sizeof *world->ends;
    world->ends = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world->ends == MAP_FAILED) {
        image_fail("no memory for", parent, errno);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int length = snprintf(directories[i], TEST_PATH_MAX, "%s/%d-%s", parent,
            (int)name, names[i]);
        if (length < 0 || length >= TEST_PATH_MAX) {
            image_fail("too long:", parent, ENAMETOOLONG);
        }
    }
    write_store(world, directories[0], directories[1]);
    world->other = world->image;
    image_free(&world->early);
    write_store(world, directories[2], directories[3]);
    world->last = world->ends[world->steps - 1];
    int fd = file_open_directory(directories[2], false);
    world->marked = world_marked(fd);
    file_close(fd);
}

void world_free(struct world *world)
{
    munmap(world->ends, world->steps * sizeof *world->ends);
    image_free(&world->image);
    image_free(&world->early);
    image_free(&world->other);
}

/* ---- Looking ------------------------------------------------------------- */

bool world_at(const struct world *world, uint64_t lsn, struct history *history)
{
    kv_message_t messages[HISTORY_STEP_MAX];
    *history = (struct history){0};
    uint32_t step = 0;
    for (; step < world->steps && world->ends[step] <= lsn; step++) {
        (void)history_step(history, step, messages);
    }
    if (step == world->steps) {
        return true;
    }
    struct history next = *history;
    return world->ends[step] - history_step(&next, step, messages) >= lsn;
}

bool world_name_lsn(const char *name, const char *prefix, uint64_t *lsn)
{
    enum { DIGITS = 20 };
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0 || strlen(name) != length + DIGITS ||
        strspn(name + length, "0123456789") != DIGITS) {
        return false;
    }
    *lsn = strtoull(name + length, NULL, 10);
    return true;
}

struct marking {
    int directory;
    uint64_t marked;
};

static int look_for_marks(void *context, const char *name)
{
    struct marking *marking = context;
    static const struct frame none;
    struct frame frames[64];
    uint64_t lsn;
    if (!world_name_lsn(name, "log-", &lsn)) {
        return 0;
    }
    int fd = file_open_read(marking->directory, name);
    uint64_t at = DISK_PAGE;
    int64_t got;
    while (fd >= 0 &&
           (got = file_read_at(fd, frames, sizeof frames, at)) >= FRAME_SIZE) {
        for (int64_t i = 0; i < got / FRAME_SIZE; i++, lsn++) {
            const struct frame *frame = &frames[i];
            if (frame->lsn == lsn && frame_verb(frame) == VERB_MARK &&
                memcmp(frame, &none, sizeof none) != 0 &&
                frame_valid(frame, lsn)) {
                marking->marked =
                    u64_max(marking->marked, (uint64_t)frame->arg);
            }
        }
        at += (uint64_t)got / FRAME_SIZE * FRAME_SIZE;
    }
    file_close(fd < 0 ? -1 : fd);
    return 0;
}

uint64_t world_marked(int directory)
{
    struct marking marking = {.directory = directory};
    int error = file_list(directory, look_for_marks, &marking);
    if (error != 0) {
        image_fail("cannot read", "the directory of a store", -error);
    }
    return marking.marked;
}
