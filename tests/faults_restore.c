/* faults_restore.c: a store is made of a moment while one call after the other
 * fails: it is there whole, or nothing is. */
#include "faults.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "file.h"
#include "storage/storage.h"

enum { POINTS_MAX = 1000 };

static const struct fault faults[] = {
    {CALL_openat, EFFECT_FAIL, EMFILE, false},
    {CALL_fstat, EFFECT_FAIL, EIO, false},
    {CALL_fdopendir, EFFECT_FAIL, ENOMEM, false},
    {CALL_pread, EFFECT_FAIL, EIO, false},
    {CALL_pread, EFFECT_FAIL, EIO, true},
    {CALL_pwrite, EFFECT_FAIL, EIO, false},
    {CALL_pwrite, EFFECT_FAIL, ENOSPC, true},
    {CALL_fallocate, EFFECT_FAIL, ENOSPC, false},
    {CALL_fdatasync, EFFECT_FAIL, EIO, false},
    {CALL_fsync, EFFECT_FAIL, EIO, false},
    {CALL_renameat, EFFECT_FAIL, EIO, false},
    {CALL_getrandom, EFFECT_FAIL, ENOSYS, false},
    {CALL_mmap, EFFECT_FAIL, ENOMEM, false},
    {CALL_malloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_calloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_realloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_aligned_alloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_pthread_create, EFFECT_FAIL, EAGAIN, false},
};

/* How many names begin with the path. */
static size_t names_of(const char *path)
{
    glob_t found;
    char pattern[TEST_PATH_MAX + 1];
    (void)snprintf(pattern, sizeof pattern, "%.*s*", TEST_PATH_MAX - 1, path);
    int result = glob(pattern, 0, NULL, &found);
    size_t count = result == 0 ? found.gl_pathc : 0;
    if (result == 0) {
        globfree(&found);
    }
    return count;
}

/* Opens the store at path as it is now.  0 or -errno. */
static int look(
    struct storage **storage, const char *path, char why[STORAGE_WHY_MAX])
{
    const struct storage_options options = {
        .directory = path,
        .load_threads = 2,
    };
    return storage_open_at(storage, &options, &STORAGE_NEWEST, why);
}

static int restore(
    const char *from, const char *path, char why[STORAGE_WHY_MAX])
{
    struct storage *storage;
    int error = look(&storage, from, why);
    if (error == 0) {
        error = storage_restore(storage, path, why);
        (void)storage_close(storage, false);
    }
    return error;
}

/* The records there; UINT64_MAX if it does not open. */
static uint64_t records_of(struct run *run, const char *path)
{
    char why[STORAGE_WHY_MAX];
    struct storage *storage;
    if (look(&storage, path, why) != 0) {
        run_complain(run, "%s does not open: %s", path, why);
        return UINT64_MAX;
    }
    uint64_t records = storage_count(storage);
    (void)storage_close(storage, false);
    return records;
}

/* One attempt; true if the fault struck. */
static bool attempt(struct run *run, const char *path, uint64_t records)
{
    char why[STORAGE_WHY_MAX] = "";
    calls_arm(run->fault, run->nth);
    int error = restore(run->directory, path, why);
    calls_disarm();
    bool struck = calls_struck() > 0;
    if (error == 0) {
        if (names_of(path) != 1 || records_of(run, path) != records) {
            run_complain(run, "what is made is not whole");
        }
        (void)file_remove_tree(path);
    } else if (!struck || why[0] == '\0' || names_of(path) != 0) {
        run_complain(run, "fails with %s, \"%s\", and leaves %zu",
            strerrorname_np(-error), why, names_of(path));
    }
    return struck;
}

void faults_restore(struct run *run)
{
    char path[TEST_PATH_MAX];
    uint64_t records = records_of(run, run->directory);
    int length = snprintf(path, sizeof path, "%s-new", run->directory);
    if (length < 0 || length >= TEST_PATH_MAX) {
        run_complain(run, "too long a name");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(faults) && !run->complained; i++) {
        run->fault = &faults[i];
        run->nth = 1;
        while (attempt(run, path, records) && !run->complained) {
            if (++run->nth > POINTS_MAX) {
                run_complain(run, "finds no end");
            }
        }
        if (run->nth == 1) {
            run_complain(run, "was never called");
        }
    }
    run->fault = NULL;
}
