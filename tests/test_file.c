#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "support.h"

enum { KIB = 1024, MIB = 1024 * KIB, PIPE_SECONDS = 20 };

struct fixture {
    struct test_directory temporary;
    int directory;
};

static void set_up(struct fixture *fixture)
{
    REQUIRE(test_directory_make(&fixture->temporary));
    fixture->directory = file_open_directory(fixture->temporary.path, false);
    REQUIRE(fixture->directory >= 0);
}

static void tear_down(struct fixture *fixture)
{
    file_close(fixture->directory);
    CHECK(test_directory_remove(&fixture->temporary));
}

/* The path of name below the fixture's directory; lives until the next call's
 * buffer is reused by its owner. */
static const char *path_of(
    const struct fixture *fixture, const char *name, char path[TEST_PATH_MAX])
{
    int length =
        snprintf(path, TEST_PATH_MAX, "%s/%s", fixture->temporary.path, name);
    REQUIRE(length > 0 && length < TEST_PATH_MAX);
    return path;
}

static void a_directory_is_made_once(void)
{
    struct fixture fixture;
    char path[TEST_PATH_MAX];
    struct stat status;
    set_up(&fixture);
    path_of(&fixture, "data", path);
    CHECK_ERRNO(file_open_directory(path, false), ENOENT);
    int first = file_open_directory(path, true);
    int second = file_open_directory(path, true);
    CHECK(first >= 0);
    CHECK(second >= 0);
    REQUIRE(stat(path, &status) == 0);
    CHECK_INT(status.st_mode & 0777, 0700);
    file_close(first);
    file_close(second);
    CHECK(rmdir(path) == 0);
    int slashed = file_open_directory(path_of(&fixture, "data//", path), true);
    CHECK(slashed >= 0);
    file_close(slashed);
    tear_down(&fixture);
}

static void a_directory_that_cannot_be_says_why(void)
{
    struct fixture fixture;
    char path[TEST_PATH_MAX];
    set_up(&fixture);
    path_of(&fixture, "no/such", path);
    CHECK_ERRNO(file_open_directory(path, true), ENOENT);
    int fd = file_create(fixture.directory, "file");
    CHECK(fd >= 0);
    file_close(fd);
    path_of(&fixture, "file", path);
    CHECK_ERRNO(file_open_directory(path, true), ENOTDIR);
    CHECK_ERRNO(file_open_directory("", true), ENOENT);
    tear_down(&fixture);
}

static void the_lock_is_held_until_closed(void)
{
    struct fixture fixture;
    set_up(&fixture);
    int first = file_lock(fixture.directory, "lock");
    REQUIRE(first >= 0);
    CHECK_ERRNO(file_lock(fixture.directory, "lock"), EWOULDBLOCK);
    CHECK(file_is_locked(fixture.directory, "lock"));
    file_close(first);
    CHECK(!file_is_locked(fixture.directory, "lock"));
    CHECK(!file_is_locked(fixture.directory, "no lock"));
    CHECK_ERRNO(file_open_read(fixture.directory, "no lock"), ENOENT);
    int second = file_lock(fixture.directory, "lock");
    CHECK(second >= 0);
    file_close(second);
    tear_down(&fixture);
}

/* Whoever opens it would wait for a writer that never comes. */
static void a_pipe_does_not_keep_anybody(void)
{
    struct fixture fixture;
    char byte;
    set_up(&fixture);
    REQUIRE(mkfifoat(fixture.directory, "pipe", S_IRWXU) == 0);
    (void)alarm(PIPE_SECONDS);
    int fd = file_open_read(fixture.directory, "pipe");
    CHECK(fd >= 0);
    CHECK_ERRNO(file_read_at(fd, &byte, 1, 0), ESPIPE);
    file_close(fd);
    (void)alarm(0);
    tear_down(&fixture);
}

/* A server of network drives holds one; it gives way when it is told to. */
static void a_lease_is_waited_for(void)
{
    struct fixture fixture;
    sigset_t broken;
    int signal;
    int status = 0;
    set_up(&fixture);
    sigemptyset(&broken);
    sigaddset(&broken, SIGIO);
    int fd = file_create(fixture.directory, "file");
    REQUIRE(fd >= 0 && sigprocmask(SIG_BLOCK, &broken, NULL) == 0);
    REQUIRE(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
    (void)alarm(PIPE_SECONDS);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(file_open_read(fixture.directory, "file") >= 0 ? 0 : 1);
    }
    REQUIRE(pid > 0 && sigwait(&broken, &signal) == 0);
    CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    (void)alarm(0);
    file_close(fd);
    tear_down(&fixture);
}

static void open_does_not_make_and_create_cuts(void)
{
    struct fixture fixture;
    set_up(&fixture);
    CHECK_ERRNO(file_open_read(fixture.directory, "f"), ENOENT);
    CHECK_ERRNO(file_open_write(fixture.directory, "f"), ENOENT);
    int fd = file_create(fixture.directory, "f");
    REQUIRE(fd >= 0);
    CHECK_OK(file_write_at(fd, "hello", 5, 0));
    file_close(fd);
    fd = file_open_write(fixture.directory, "f");
    CHECK_INT(file_size(fd), 5);
    file_close(fd);
    fd = file_create(fixture.directory, "f");
    CHECK_INT(file_size(fd), 0);
    file_close(fd);
    fd = file_open_read(fixture.directory, "f");
    CHECK_ERRNO(file_write_at(fd, "x", 1, 0), EBADF);
    file_close(fd);
    file_close(-1);
    tear_down(&fixture);
}

static void files_belong_to_their_owner_alone(void)
{
    struct fixture fixture;
    struct stat status;
    set_up(&fixture);
    (void)umask(0);
    int fd = file_create(fixture.directory, "f");
    REQUIRE(fd >= 0);
    CHECK(fstat(fd, &status) == 0);
    CHECK_INT(status.st_mode & 0777, 0600);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((fcntl(fixture.directory, F_GETFD) & FD_CLOEXEC) != 0);
    file_close(fd);
    tear_down(&fixture);
}

static void what_is_written_is_read(void)
{
    static uint8_t written[MIB];
    static uint8_t read[MIB];
    struct fixture fixture;
    struct test_random random;
    set_up(&fixture);
    test_random_init(&random);
    test_random_fill(&random, written, sizeof written);
    int fd = file_create(fixture.directory, "f");
    CHECK_OK(file_write_at(fd, written, sizeof written, 12345));
    CHECK_INT(file_size(fd), 12345 + MIB);
    CHECK_INT(file_read_at(fd, read, sizeof read, 12345), MIB);
    CHECK_BYTES(read, written, sizeof written);
    CHECK_OK(file_write_at(fd, written, 0, 0));
    CHECK_INT(file_read_at(fd, read, 0, 0), 0);
    CHECK_INT(file_read_at(fd, read, 1, 0), 1);
    CHECK_INT(read[0], 0);
    file_close(fd);
    tear_down(&fixture);
}

static void reading_is_short_at_the_end_only(void)
{
    struct fixture fixture;
    char bytes[8] = "";
    set_up(&fixture);
    int fd = file_create(fixture.directory, "f");
    CHECK_OK(file_write_at(fd, "0123456789", 10, 0));
    CHECK_INT(file_read_at(fd, bytes, 8, 5), 5);
    CHECK_BYTES(bytes, "56789", 5);
    CHECK_INT(file_read_at(fd, bytes, 8, 10), 0);
    CHECK_INT(file_read_at(fd, bytes, 8, 1000), 0);
    file_close(fd);
    CHECK_ERRNO(file_read_at(fd, bytes, 8, 0), EBADF);
    CHECK_ERRNO(file_size(fd), EBADF);
    CHECK_ERRNO(file_sync(fd), EBADF);
    CHECK_ERRNO(file_truncate(fd, 0), EBADF);
    CHECK_ERRNO(file_allocate(fd, 1), EBADF);
    tear_down(&fixture);
}

static void allocate_keeps_what_is_there(void)
{
    struct fixture fixture;
    struct stat status;
    char bytes[6] = "";
    set_up(&fixture);
    int fd = file_create(fixture.directory, "f");
    CHECK_OK(file_write_at(fd, "hello", 5, 0));
    CHECK_OK(file_allocate(fd, MIB));
    CHECK_INT(file_size(fd), MIB);
    CHECK_INT(file_read_at(fd, bytes, 6, 0), 6);
    CHECK_BYTES(bytes, "hello\0", 6);
    REQUIRE(fstat(fd, &status) == 0);
    CHECK(status.st_blocks * 512 >= MIB);
    CHECK_OK(file_truncate(fd, 3));
    CHECK_INT(file_size(fd), 3);
    CHECK_OK(file_sync(fd));
    file_close(fd);
    tear_down(&fixture);
}

/* What the machine refuses beyond 64 KiB, as a full disk would. */
static void limit_file_size(void)
{
    struct rlimit limit = {64 * KIB, 64 * KIB};
    REQUIRE(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void a_failed_allocation_takes_nothing(void)
{
    struct fixture fixture;
    set_up(&fixture);
    int fd = file_create(fixture.directory, "f");
    CHECK_OK(file_write_at(fd, "hello", 5, 0));
    limit_file_size();
    CHECK_ERRNO(file_allocate(fd, MIB), EFBIG);
    CHECK_INT(file_size(fd), 5);
    CHECK_OK(file_allocate(fd, 64 * KIB));
    file_close(fd);
    tear_down(&fixture);
}

static void a_write_cut_short_goes_on_to_its_error(void)
{
    static const uint8_t bytes[128 * KIB] = {1};
    struct fixture fixture;
    set_up(&fixture);
    int fd = file_create(fixture.directory, "f");
    limit_file_size();
    CHECK_ERRNO(file_write_at(fd, bytes, sizeof bytes, 0), EFBIG);
    CHECK_INT(file_size(fd), 64 * KIB);
    file_close(fd);
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    REQUIRE(full >= 0);
    CHECK_ERRNO(file_write_at(full, bytes, 1, 0), ENOSPC);
    file_close(full);
    tear_down(&fixture);
}

/* What has no disk behind it cannot; on others whole pages are taken. */
static void what_goes_past_the_cache_is_whole_pages(void)
{
    struct fixture fixture;
    static const char tail[] = "tail";
    uint8_t got[DISK_PAGE + sizeof tail] = {0};
    uint8_t *page = aligned_alloc(DISK_PAGE, DISK_PAGE);
    set_up(&fixture);
    REQUIRE(page != NULL);
    memset(page, 'p', DISK_PAGE);
    int process = file_open_directory("/proc/self", false);
    int status = file_open_read(process, "status");
    int fd = file_create(fixture.directory, "f");
    REQUIRE(process >= 0 && status >= 0 && fd >= 0);
    CHECK_ERRNO(file_set_direct(status, true), EINVAL);
    CHECK_ERRNO(file_set_direct(-1, true), EBADF);
    int error = file_set_direct(fd, true);
    CHECK(error == 0 || error == -EINVAL);
    CHECK_OK(file_write_at(fd, page, DISK_PAGE, 0));
    CHECK_OK(file_set_direct(fd, false));
    CHECK_OK(file_write_at(fd, tail, sizeof tail, DISK_PAGE));
    CHECK_INT(file_read_at(fd, got, sizeof got, 0), sizeof got);
    CHECK_BYTES(got, page, DISK_PAGE);
    CHECK_TEXT((const char *)got + DISK_PAGE, tail);
    file_close(fd);
    file_close(status);
    file_close(process);
    free(page);
    tear_down(&fixture);
}

static void names_move_and_go(void)
{
    struct fixture fixture;
    set_up(&fixture);
    int fd = file_create(fixture.directory, "new");
    CHECK_OK(file_write_at(fd, "new", 3, 0));
    file_close(fd);
    file_close(file_create(fixture.directory, "old"));
    CHECK_OK(file_rename(fixture.directory, "new", "old"));
    CHECK_OK(file_sync_directory(fixture.directory));
    fd = file_open_read(fixture.directory, "old");
    CHECK_INT(file_size(fd), 3);
    file_close(fd);
    CHECK_ERRNO(file_rename(fixture.directory, "new", "x"), ENOENT);
    CHECK_OK(file_remove(fixture.directory, "old"));
    CHECK_ERRNO(file_remove(fixture.directory, "old"), ENOENT);
    CHECK_ERRNO(file_sync_directory(-1), EBADF);
    tear_down(&fixture);
}

static void a_directory_in_another_takes_files(void)
{
    struct fixture fixture;
    set_up(&fixture);
    int inner = file_make_directory(fixture.directory, "inner");
    CHECK(inner >= 0);
    CHECK_ERRNO(file_make_directory(fixture.directory, "inner"), EEXIST);
    int fd = file_create(fixture.directory, "one");
    CHECK_OK(file_write_at(fd, "one", 3, 0));
    file_close(fd);
    file_close(file_create(inner, "two"));
    const struct file_place one = {fixture.directory, "one"};
    const struct file_place second = {inner, "second"};
    const struct file_place two = {inner, "two"};
    CHECK_OK(file_link(&one, &second));
    CHECK_ERRNO(file_link(&one, &two), EEXIST);
    /* What is moved replaces one name, not what other names mean. */
    CHECK_OK(file_move(&two, &one));
    CHECK_ERRNO(file_move(&two, &one), ENOENT);
    fd = file_open_read(fixture.directory, "one");
    CHECK_INT(file_size(fd), 0);
    file_close(fd);
    fd = file_open_read(inner, "second");
    CHECK_INT(file_size(fd), 3);
    file_close(fd);
    CHECK_ERRNO(file_remove_directory(fixture.directory, "inner"), ENOTEMPTY);
    CHECK_OK(file_remove(inner, "second"));
    CHECK_OK(file_remove_directory(fixture.directory, "inner"));
    file_close(inner);
    CHECK_OK(file_remove(fixture.directory, "one"));
    tear_down(&fixture);
}

struct listing {
    unsigned seen; /* a bit for each of the names f0 to f9 */
    unsigned count;
    unsigned stop_at;
};

static int list_entry(void *context, const char *name)
{
    struct listing *listing = context;
    listing->count++;
    if (strlen(name) == 2 && name[0] == 'f') {
        listing->seen |= 1u << (name[1] - '0');
    }
    return listing->count == listing->stop_at ? 42 : 0;
}

static void a_list_tells_every_name_once(void)
{
    struct fixture fixture;
    struct listing all = {0};
    struct listing again = {0};
    struct listing some = {.stop_at = 4};
    set_up(&fixture);
    CHECK_OK(file_list(fixture.directory, list_entry, &all));
    CHECK_INT(all.count, 0);
    for (const char *digit = "0123456789"; *digit != '\0'; digit++) {
        char name[] = {'f', *digit, '\0'};
        file_close(file_create(fixture.directory, name));
    }
    CHECK_OK(file_list(fixture.directory, list_entry, &all));
    CHECK_INT(all.count, 10);
    CHECK_U64(all.seen, 0x3ff);
    CHECK_OK(file_list(fixture.directory, list_entry, &again));
    CHECK_INT(again.count, 10);
    CHECK_INT(file_list(fixture.directory, list_entry, &some), 42);
    CHECK_INT(some.count, 4);
    CHECK_ERRNO(file_list(-1, list_entry, &some), EBADF);
    tear_down(&fixture);
}

static void reserved_memory_is_zero_and_not_yet_taken(void)
{
    enum { PAGES = 3 };
    const uint64_t size = (uint64_t)1 << 30;
    uint8_t *memory = file_reserve_memory(size, true);
    REQUIRE(memory != NULL);
    uint8_t *places[PAGES] = {memory, memory + size / 2, memory + size - 1};
    for (int i = 0; i < PAGES; i++) {
        CHECK_INT(*places[i], 0);
        *places[i] = 7;
        CHECK_INT(*places[i], 7);
    }
    file_release_memory(memory, size);
    file_release_memory(NULL, size);
    errno = 0;
    CHECK(file_reserve_memory(UINT64_MAX / 2, true) == NULL);
    CHECK(errno != 0);
}

static void touched_memory_is_taken_and_as_it_was(void)
{
    enum { PAGES = 2048 };
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t size = PAGES * page;
    unsigned char taken[PAGES] = {0};
    uint8_t *memory = file_reserve_memory(size, true);
    REQUIRE(memory != NULL);
    memory[page] = 7;
    file_touch_memory(memory, size);
    REQUIRE(mincore(memory, size, taken) == 0);
    for (int i = 0; i < PAGES; i++) {
        CHECK_INT(taken[i] & 1, 1);
        CHECK_INT(memory[(uint64_t)i * page], i == 1 ? 7 : 0);
    }
    file_touch_memory(memory, 0);
    file_release_memory(memory, size);
}

static void random_bytes_differ(void)
{
    uint8_t first[600] = {0};
    uint8_t second[600] = {0};
    CHECK_OK(file_random(first, sizeof first));
    CHECK_OK(file_random(second, sizeof second));
    CHECK(memcmp(first, second, sizeof first) != 0);
    CHECK(memcmp(first + 568, second + 568, 32) != 0);
    CHECK_OK(file_random(first, 0));
}

const struct test_case test_file[] = {
    TEST_CASE(a_directory_is_made_once),
    TEST_CASE(a_directory_that_cannot_be_says_why),
    TEST_CASE(the_lock_is_held_until_closed),
    TEST_CASE(a_pipe_does_not_keep_anybody),
    TEST_CASE(a_lease_is_waited_for),
    TEST_CASE(open_does_not_make_and_create_cuts),
    TEST_CASE(files_belong_to_their_owner_alone),
    TEST_CASE(what_is_written_is_read),
    TEST_CASE(reading_is_short_at_the_end_only),
    TEST_CASE(allocate_keeps_what_is_there),
    TEST_CASE(a_failed_allocation_takes_nothing),
    TEST_CASE(a_write_cut_short_goes_on_to_its_error),
    TEST_CASE(what_goes_past_the_cache_is_whole_pages),
    TEST_CASE(names_move_and_go),
    TEST_CASE(a_directory_in_another_takes_files),
    TEST_CASE(a_list_tells_every_name_once),
    TEST_CASE(reserved_memory_is_zero_and_not_yet_taken),
    TEST_CASE(touched_memory_is_taken_and_as_it_was),
    TEST_CASE(random_bytes_differ),
    TEST_END,
};
