/* transfers.c: is a backup the store at one instant?
 *
 *     transfers [--seed N] [--build DIR] [BACKUPS]
 *
 * A bank (bank.h) is visited while backups are written one after the other.
 * Every backup is read as a file: it has all accounts and their sum.  In the
 * middle of it all the server is stopped for the moment that it takes to copy
 * its directory, and another one starts on the copy, with all backups or with
 * the oldest alone; then it is killed, and started again.  Wherever the
 * accounts are read, in chains all the time and after each start, the sum is
 * the same.  A directory is used for each way to sync in turn, and the table
 * grows in it from nothing.  The last line is "N passed, N failed": backups and
 * restarts; a chain of GETs with a wrong sum is a failure too. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup/backup.h"
#include "bytes.h"
#include "crash_server.h"
#include "file.h"
#include "arguments.h"
#include "torture/transfers/bank.h"
#include "guard.h"

enum {
    BACKUPS = 30,
    RUN_BACKUPS = 2, /* before, and after, a directory is copied */
    RUNS = 2,        /* with one directory; at the end of each it is killed */
    COPY_BYTES = 1 << 20
};

struct test {
    struct test_random random;
    const char *parent;
    char program[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    char copy_path[TEST_PATH_MAX];
    int directory; /* descriptors */
    int copy;
    uint8_t *bytes; /* of a file that is copied */
    uint32_t directories;
    struct crash_settings settings;
    struct crash_server server;
    struct bank bank;
    uint64_t copies;
    uint64_t kills;
    uint64_t audits; /* right ones */
    uint64_t swept;
    uint64_t failed;
};

static bool complain(struct test *test, const char *what, const char *more)
{
    (void)printf("%s: %s\n", what, more);
    test->failed++;
    return false;
}

/* ---- Servers ------------------------------------------------------------- */

static bool start(
    struct test *test, struct crash_server *server, const char *directory)
{
    struct crash_settings settings = test->settings;
    settings.directory = directory;
    if (!crash_server_start(server, &settings) || !crash_server_await(server)) {
        return complain(test, "a server does not start", server->said);
    }
    return true;
}

static void kill_server(struct test *test, struct crash_server *server)
{
    int status = crash_server_end(server, SIGKILL);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        (void)complain(test, "a server ended by itself", server->said);
    }
}

static bool audit(struct test *test, const struct crash_server *server)
{
    bool right = bank_audit(server->port);
    test->audits += right ? 1 : 0;
    test->failed += right ? 0 : 1;
    return right;
}

/* ---- Copies -------------------------------------------------------------- */

static int copy_file(void *context, const char *name)
{
    struct test *test = context;
    int from = file_open_read(test->directory, name);
    if (from < 0) {
        return from;
    }
    int to = file_create(test->copy, name);
    int64_t got = to < 0 ? to : COPY_BYTES;
    int error = 0;
    for (uint64_t at = 0; got == COPY_BYTES && error == 0; at += COPY_BYTES) {
        got = file_read_at(from, test->bytes, COPY_BYTES, at);
        if (got > 0) {
            error = file_write_at(to, test->bytes, (size_t)got, at);
        }
    }
    file_close(from);
    file_close(to < 0 ? -1 : to);
    return got < 0 ? (int)got : error;
}

/* All but the oldest backup go: recovery has the longest log before it. */
static int remove_backups(const struct test *test)
{
    struct backup_list *list = calloc(1, sizeof *list);
    int error = list == NULL ? -ENOMEM : backup_list_read(test->copy, list);
    for (uint32_t i = 0; error == 0 && i + 1 < list->count; i++) {
        error = backup_remove(test->copy, list->lsns[i]);
    }
    free(list);
    return error;
}

/* Copies the directory in an instant: nothing of the server runs meanwhile. */
static int copy_directory(struct test *test)
{
    int status = 0;
    if (kill(test->server.pid, SIGSTOP) != 0 ||
        waitpid(test->server.pid, &status, WUNTRACED) != test->server.pid ||
        !WIFSTOPPED(status)) {
        return -ESRCH;
    }
    int error = file_list(test->directory, copy_file, test);
    if (kill(test->server.pid, SIGCONT) != 0 && error == 0) {
        error = -errno;
    }
    if (error == 0 && test_random_once_in(&test->random, 2)) {
        error = remove_backups(test);
    }
    return error;
}

static bool check_copy(struct test *test)
{
    struct crash_server other = {.pid = 0};
    struct test_directory copy;
    int length = snprintf(test->copy_path, sizeof test->copy_path,
        "%s/copy-%" PRIu64, test->parent, ++test->copies);
    assert(length > 0 && (size_t)length < sizeof test->copy_path);
    test->copy = file_open_directory(test->copy_path, true);
    int error = test->copy < 0 ? test->copy : copy_directory(test);
    file_close(test->copy < 0 ? -1 : test->copy);
    if (error != 0) {
        return complain(test, "no copy", strerror(-error));
    }
    bool good = start(test, &other, test->copy_path) && audit(test, &other);
    if (other.pid != 0) {
        kill_server(test, &other);
    }
    memcpy(copy.path, test->copy_path, sizeof copy.path);
    if (good && !test_directory_remove(&copy)) {
        good = complain(test, "is left", copy.path);
    }
    return good;
}

/* ---- Runs ---------------------------------------------------------------- */

/* Visitors, a copy in the middle, the kill, the restart. */
static bool run_once(struct test *test)
{
    struct bank *bank = &test->bank;
    bank_run(bank, test->server.port, test->directory);
    bool good = bank_await(bank, RUN_BACKUPS) && check_copy(test) &&
                bank_await(bank, RUN_BACKUPS);
    test->swept += good ? bank_figure(test->server.port, "expired") : 0;
    kill_server(test, &test->server);
    bank_join(bank);
    test->kills++;
    return good && start(test, &test->server, test->path) &&
           audit(test, &test->server);
}

static bool run_directory(struct test *test)
{
    int length = snprintf(test->path, sizeof test->path, "%s/%" PRIu32,
        test->parent, test->directories);
    assert(length > 0 && (size_t)length < sizeof test->path);
    test->settings.sync = test_syncs[test->directories++ % TEST_SYNCS];
    test->directory = file_open_directory(test->path, true);
    bool good = test->directory >= 0 &&
                start(test, &test->server, test->path) &&
                bank_open(test->server.port);
    for (uint32_t i = 0; good && i < RUNS; i++) {
        good = run_once(test);
    }
    if (test->server.pid != 0) {
        kill_server(test, &test->server);
    }
    file_close(test->directory < 0 ? -1 : test->directory);
    struct test_directory directory;
    memcpy(directory.path, test->path, sizeof directory.path);
    test->failed += good ? 0 : 1;
    return good && test_directory_remove(&directory);
}

/* ---- The program --------------------------------------------------------- */

static void print_figures(const struct test *test)
{
    const struct bank *bank = &test->bank;
    uint64_t passed = bank->backups_right + test->audits;
    uint64_t failed = bank->wrong + bank->errors + test->failed;
    (void)printf("figure: %" PRIu64 " backups checked, of up to %" PRIu64
                 " records\n",
        bank->backups_right, bank->backup_records);
    (void)printf("figure: %" PRIu64 " transfers, %" PRIu64
                 " refused by EXPECT, %" PRIu64 " records swept meanwhile\n",
        bank->transfers, bank->refused, test->swept);
    (void)printf("figure: %" PRIu64 " restarts on copies, %" PRIu64
                 " after kills\n",
        test->copies, test->kills);
    (void)printf("figure: %" PRIu64 " sums looked at, %" PRIu64 " wrong\n",
        bank->sums + test->audits, failed);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
}

static int run(void *context, const char *directory)
{
    const struct arguments *arguments = context;
    struct test test = {.parent = directory};
    test_random_init_seed(&test.random, arguments->seed);
    (void)snprintf(
        test.program, sizeof test.program, "%s/bin/server", arguments->build);
    test.settings = (struct crash_settings){
        .program = test.program, .segment = "2M", .workers = "4", .keep = "16"};
    test.bytes = malloc(COPY_BYTES);
    assert(test.bytes != NULL);
    bank_init(&test.bank, test_random_next(&test.random));
    bool good = true;
    while (good && (test.bank.backups_right < arguments->number ||
                       test.directories < TEST_SYNCS)) {
        good = run_directory(&test);
    }
    if (good && test.swept == 0) {
        (void)complain(&test, "the sweep", "it has removed nothing");
    }
    print_figures(&test);
    bool passed = good && test.failed == 0 && test.bank.wrong == 0 &&
                  test.bank.errors == 0;
    bank_free(&test.bank);
    free(test.bytes);
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.number = BACKUPS};
    assert(argc > 0);
    return arguments_take_common(argv, &arguments) ? guard_run(run, &arguments)
                                                   : EXIT_USAGE;
}
