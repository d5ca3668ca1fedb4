#include "faults_power.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "support.h"

enum { FILES_MAX = 64, PAGES_MAX = 4096, NAMES_MAX = 256, NAME_SIZE = 64 };

/* What the wrapped calls really are. */
int __real_fstat(int fd, struct stat *status);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
int __real_renameat(int from, const char *old, int to, const char *name);
int __real_unlinkat(int directory, const char *name, int flags);
void *__real_mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset);

/* A page as it is on disk, while the file has another. */
struct page {
    ino_t inode;
    int fd;
    off_t at;
    uint8_t bytes[DISK_PAGE];
};

/* A change of names. */
struct change {
    char from[NAME_SIZE]; /* "": to was made */
    char to[NAME_SIZE];   /* "": from was removed */
    char kept[NAME_SIZE]; /* the file that had the name; "": none */
};

/* A file that has pages above: its descriptor is this one's own. */
struct file {
    ino_t inode;
    int fd;
};

/* The calls have no handle, so this stands for the process. */
static struct {
    pthread_mutex_t lock;
    bool watching;
    struct page *pages;
    uint32_t page_count;
    struct file files[FILES_MAX];
    uint32_t file_count;
    struct change changes[NAMES_MAX];
    uint32_t change_count;
    uint32_t kept_count;
    int directory; /* all names are in one */
} power = {.lock = PTHREAD_MUTEX_INITIALIZER, .directory = -1};

void power_enter(void)
{
    int error = pthread_mutex_lock(&power.lock);
    assert(error == 0);
    (void)error;
}

void power_leave(void)
{
    int error = pthread_mutex_unlock(&power.lock);
    assert(error == 0);
    (void)error;
}

void power_watch(void)
{
    power_enter();
    power.watching = true;
    power.pages = __real_mmap(NULL, PAGES_MAX * sizeof *power.pages,
        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
        0);
    assert(power.pages != MAP_FAILED);
    power_leave();
}

/* Names are as they are on disk. */
static void forget_changes(void)
{
    for (uint32_t i = 0; i < power.change_count; i++) {
        if (power.changes[i].kept[0] != '\0') {
            (void)__real_unlinkat(power.directory, power.changes[i].kept, 0);
        }
    }
    power.change_count = 0;
}

/* A thread that was struck just before may lose power after this: nothing is
 * left to be lost then. */
void power_forget(void)
{
    power_enter();
    for (uint32_t i = 0; i < power.file_count; i++) {
        (void)close(power.files[i].fd);
    }
    forget_changes();
    if (power.directory >= 0) {
        (void)close(power.directory);
    }
    power.directory = -1;
    power.file_count = 0;
    power.page_count = 0;
    power.watching = false;
    power_leave();
}

/* ---- Data ---------------------------------------------------------------- */

static ino_t inode_of(int fd)
{
    struct stat status;
    int result = __real_fstat(fd, &status);
    assert(result == 0);
    (void)result;
    return status.st_ino;
}

/* A descriptor for the file that outlives the caller's. */
static int hold(int fd, ino_t inode)
{
    for (uint32_t i = 0; i < power.file_count; i++) {
        if (power.files[i].inode == inode) {
            return power.files[i].fd;
        }
    }
    assert(power.file_count < FILES_MAX);
    struct file *file = &power.files[power.file_count++];
    file->inode = inode;
    file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    assert(file->fd >= 0);
    return file->fd;
}

static bool is_noted(ino_t inode, off_t at)
{
    for (uint32_t i = power.page_count; i > 0; i--) {
        if (power.pages[i - 1].inode == inode && power.pages[i - 1].at == at) {
            return true;
        }
    }
    return false;
}

void power_note_write(int fd, size_t size, off_t offset)
{
    if (!power.watching) {
        return;
    }
    ino_t inode = inode_of(fd);
    off_t end = offset + (off_t)size;
    for (off_t at = offset / DISK_PAGE * DISK_PAGE; at < end; at += DISK_PAGE) {
        if (is_noted(inode, at)) {
            continue;
        }
        assert(power.page_count < PAGES_MAX);
        struct page *page = &power.pages[power.page_count++];
        page->inode = inode;
        page->fd = hold(fd, inode);
        page->at = at;
        memset(page->bytes, 0, sizeof page->bytes);
        ssize_t got = __real_pread(fd, page->bytes, sizeof page->bytes, at);
        assert(got >= 0);
    }
}

static void forget_pages(ino_t inode)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < power.page_count; i++) {
        if (power.pages[i].inode != inode) {
            if (kept != i) {
                power.pages[kept] = power.pages[i];
            }
            kept++;
        }
    }
    power.page_count = kept;
    for (uint32_t i = 0; i < power.file_count; i++) {
        if (power.files[i].inode == inode) {
            (void)close(power.files[i].fd);
            power.files[i] = power.files[--power.file_count];
            break;
        }
    }
}

/* ---- Names --------------------------------------------------------------- */

static struct change *note_change(int directory)
{
    assert(power.change_count < NAMES_MAX);
    if (power.directory < 0) {
        power.directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
        assert(power.directory >= 0);
    }
    struct change *change = &power.changes[power.change_count++];
    memset(change, 0, sizeof *change);
    return change;
}

static void set_name(char to[NAME_SIZE], const char *name)
{
    size_t length = strlen(name);
    assert(length < NAME_SIZE);
    memcpy(to, name, length + 1);
}

/* Sees to it that the file of this name, if there is one, can come back. */
static void keep(struct change *change, const char *name)
{
    if (faccessat(power.directory, name, F_OK, 0) == 0) {
        (void)snprintf(
            change->kept, sizeof change->kept, "kept-%u", power.kept_count++);
        int linked =
            linkat(power.directory, name, power.directory, change->kept, 0);
        assert(linked == 0);
        (void)linked;
    }
}

void power_note_create(int directory, const char *name)
{
    if (power.watching && directory != AT_FDCWD &&
        faccessat(directory, name, F_OK, 0) != 0) {
        set_name(note_change(directory)->to, name);
    }
}

void power_note_rename(int directory, const char *from, const char *to)
{
    if (power.watching) {
        struct change *change = note_change(directory);
        set_name(change->from, from);
        set_name(change->to, to);
        keep(change, to);
    }
}

void power_note_remove(int directory, const char *name)
{
    if (power.watching && faccessat(directory, name, F_OK, 0) == 0) {
        struct change *change = note_change(directory);
        set_name(change->from, name);
        keep(change, name);
    }
}

void power_note_sync(int fd)
{
    struct stat status;
    if (!power.watching) {
        return;
    }
    int result = __real_fstat(fd, &status);
    assert(result == 0);
    if (!S_ISDIR(status.st_mode)) {
        forget_pages(status.st_ino);
        return;
    }
    forget_changes();
}

/* What was not done in the end, such as a rename that failed, is not undone
 * either: nothing fails here but the power. */
static void undo(const struct change *change)
{
    int error = 0;
    if (change->from[0] == '\0') {
        error = __real_unlinkat(power.directory, change->to, 0);
    } else if (change->to[0] != '\0') {
        error = __real_renameat(
            power.directory, change->to, power.directory, change->from);
    }
    if (error == 0 && change->kept[0] != '\0') {
        error = __real_renameat(power.directory, change->kept, power.directory,
            change->to[0] != '\0' ? change->to : change->from);
    }
    assert(error == 0);
}

/* ---- The loss ------------------------------------------------------------ */

void power_lose(uint64_t seed)
{
    struct test_random random;
    test_random_init_seed(&random, seed);
    for (uint32_t i = 0; i < power.page_count; i++) {
        const struct page *page = &power.pages[i];
        if (seed == 0 || test_random_once_in(&random, 2)) {
            ssize_t written = __real_pwrite(
                page->fd, page->bytes, sizeof page->bytes, page->at);
            assert(written == (ssize_t)sizeof page->bytes);
        }
    }
    uint64_t left =
        seed == 0 ? 0 : test_random_below(&random, power.change_count + 1);
    while (power.change_count > left) {
        undo(&power.changes[--power.change_count]);
    }
}
