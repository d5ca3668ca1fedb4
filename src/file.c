/* file.c: see file.h.  What is made here can be read by its owner alone: the
 * records are tokens and sessions. */
#include "file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

enum {
    HUGE_PAGE = 2 << 20,
    HUGE_FROM = 4 << 20, /* bytes of an area that asks for huge pages */
    FILE_MODE = 0600,
    DIRECTORY_MODE = 0700,
    ZEROS_SIZE = 16 * DISK_PAGE,
    DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC
};

static int open_once(int directory, const char *name, int flags)
{
    int fd;
    do {
        fd = openat(directory, name, flags | O_CLOEXEC, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* A pipe that has the name of a file must not keep whoever opens it: reading it
 * fails then.  Who holds a lease on a file, such as a server of network drives,
 * is waited for: he has to give way. */
static int open_at(int directory, const char *name, int flags)
{
    int fd = open_once(directory, name, flags | O_NONBLOCK);
    return fd == -EWOULDBLOCK ? open_once(directory, name, flags) : fd;
}

int file_open_directory(const char *path, bool create)
{
    bool made = false;
    if (create) {
        made = mkdir(path, DIRECTORY_MODE) == 0;
        if (!made && errno != EEXIST) {
            return -errno;
        }
    }
    int directory = open_at(AT_FDCWD, path, DIRECTORY_FLAGS);
    if (directory < 0 || !made) {
        return directory;
    }
    int result = file_sync_parent(directory);
    if (result < 0) {
        file_close(directory);
        return result;
    }
    return directory;
}

int file_make_directory(int directory, const char *name)
{
    if (mkdirat(directory, name, DIRECTORY_MODE) != 0) {
        return -errno;
    }
    int made = open_at(directory, name, DIRECTORY_FLAGS);
    int result = made < 0 ? made : file_sync_directory(directory);
    if (result < 0) {
        file_close(made);
        /* The first failure is the one to tell. */
        (void)file_remove_directory(directory, name);
        return result;
    }
    return made;
}

int file_make_temporary(char *path)
{
    return mkdtemp(path) != NULL ? 0 : -errno;
}

static int remove_entry(void *context, const char *name)
{
    const int *directory = context;
    return file_remove(*directory, name);
}

int file_remove_tree(const char *path)
{
    int directory = open_at(AT_FDCWD, path, DIRECTORY_FLAGS);
    int result = directory < 0 ? directory
                               : file_list(directory, remove_entry, &directory);
    file_close(directory);
    return result == 0 && rmdir(path) != 0 ? -errno : result;
}

int file_lock(int directory, const char *name)
{
    int result;
    int fd = open_at(directory, name, O_RDWR | O_CREAT);
    if (fd < 0) {
        return fd;
    }
    do {
        result = flock(fd, LOCK_EX | LOCK_NB);
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        result = -errno;
        file_close(fd);
        return result;
    }
    return fd;
}

bool file_is_locked(int directory, const char *name)
{
    int fd = open_at(directory, name, O_RDONLY);
    if (fd < 0) {
        return false;
    }
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    file_close(fd);
    return locked;
}

int file_open_read(int directory, const char *name)
{
    return open_at(directory, name, O_RDONLY);
}

int file_open_write(int directory, const char *name)
{
    return open_at(directory, name, O_RDWR);
}

int file_create(int directory, const char *name)
{
    return open_at(directory, name, O_RDWR | O_CREAT | O_TRUNC);
}

void file_close(int fd)
{
    if (fd >= 0) {
        /* Linux has closed it whatever close says, and what must be on disk
         * was synced before. */
        (void)close(fd);
    }
}

int64_t file_size(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    return status.st_size;
}

int file_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const uint8_t *at = bytes;
    assert(offset <= INT64_MAX - size);
    while (size > 0) {
        ssize_t written = pwrite(fd, at, size, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written < 0 ? -errno : -EIO;
        }
        at += written;
        size -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

int file_set_direct(int fd, bool direct)
{
    int flags = fcntl(fd, F_GETFL);
    int changed = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    return flags >= 0 && fcntl(fd, F_SETFL, changed) == 0 ? 0 : -errno;
}

int64_t file_read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
    uint8_t *at = bytes;
    size_t filled = 0;
    assert(offset <= INT64_MAX - size);
    while (filled < size) {
        ssize_t got =
            pread(fd, at + filled, size - filled, (off_t)(offset + filled));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        filled += (size_t)got;
    }
    return (int64_t)filled;
}

/* Writes zeros from offset on, until the file has size bytes. */
static int write_zeros(int fd, uint64_t offset, uint64_t size)
{
    static const uint8_t zeros[ZEROS_SIZE];
    while (offset < size) {
        size_t part = (size_t)u64_min(size - offset, sizeof zeros);
        int result = file_write_at(fd, zeros, part, offset);
        if (result < 0) {
            return result;
        }
        offset += part;
    }
    return 0;
}

int file_allocate(int fd, uint64_t size)
{
    int result;
    int64_t size_before = file_size(fd);
    assert(size <= INT64_MAX);
    if (size_before < 0) {
        return (int)size_before;
    }
    do {
        result = fallocate(fd, 0, 0, (off_t)size) == 0 ? 0 : -errno;
    } while (result == -EINTR);
    if (result == -EOPNOTSUPP || result == -ENOSYS) {
        result = write_zeros(fd, (uint64_t)size_before, size);
    }
    if (result < 0) {
        /* What a full disk gave in part is given back.  The first failure is
         * the one to tell. */
        (void)file_truncate(fd, (uint64_t)size_before);
    }
    return result;
}

int file_truncate(int fd, uint64_t size)
{
    int result;
    assert(size <= INT64_MAX);
    do {
        result = ftruncate(fd, (off_t)size);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int file_sync(int fd)
{
    int result;
    do {
        result = fdatasync(fd);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

void file_forget(int fd)
{
    /* Advice: what becomes of it is the kernel's business. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int file_sync_directory(int directory)
{
    int result;
    do {
        result = fsync(directory);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int file_sync_parent(int directory)
{
    int parent = open_at(directory, "..", DIRECTORY_FLAGS);
    int result = parent < 0 ? parent : file_sync_directory(parent);
    file_close(parent);
    return result;
}

int file_rename(int directory, const char *from, const char *to)
{
    return renameat(directory, from, directory, to) == 0 ? 0 : -errno;
}

int file_remove(int directory, const char *name)
{
    return unlinkat(directory, name, 0) == 0 ? 0 : -errno;
}

int file_remove_directory(int directory, const char *name)
{
    return unlinkat(directory, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

int file_move(const struct file_place *from, const struct file_place *to)
{
    int result = renameat(from->directory, from->name, to->directory, to->name);
    return result == 0 ? 0 : -errno;
}

int file_link(const struct file_place *from, const struct file_place *to)
{
    int result =
        linkat(from->directory, from->name, to->directory, to->name, 0);
    return result == 0 ? 0 : -errno;
}

int file_list(
    int directory, int (*entry)(void *context, const char *name), void *context)
{
    int result = 0;
    /* A descriptor of its own: the other's place in the list is not moved. */
    int fd = open_at(directory, ".", DIRECTORY_FLAGS);
    if (fd < 0) {
        return fd;
    }
    DIR *list = fdopendir(fd);
    if (list == NULL) {
        result = -errno;
        file_close(fd);
        return result;
    }
    while (result == 0) {
        errno = 0;
        const struct dirent *found = readdir(list);
        if (found == NULL) {
            result = -errno;
            break;
        }
        if (strcmp(found->d_name, ".") != 0 &&
            strcmp(found->d_name, "..") != 0) {
            result = entry(context, found->d_name);
        }
    }
    (void)closedir(list);
    return result;
}

/* Large areas begin on the boundary of a huge page and ask for such pages: a
 * table of a million records has more small pages than the processor can
 * remember addresses of. */
void *file_reserve_memory(uint64_t size, bool often)
{
    bool large = often && size >= HUGE_FROM;
    uint64_t slack = large ? HUGE_PAGE : 0;
    char *memory = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    if (!large) {
        return memory;
    }
    uint64_t end = u64_round_up(size, (uint64_t)sysconf(_SC_PAGESIZE));
    uint64_t head = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
    if (head > 0) {
        (void)munmap(memory, head);
    }
    if (slack > head) {
        (void)munmap(memory + head + end, slack - head);
    }
    /* Without huge pages it only is slower. */
    (void)madvise(memory + head, size, MADV_HUGEPAGE);
    return memory + head;
}

static void touch(volatile uint8_t *byte)
{
    uint8_t as_it_is = *byte;
    *byte = as_it_is;
}

void file_touch_memory(void *memory, uint64_t size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint8_t *bytes = memory;
    for (uint64_t at = 0; at < size; at += page) {
        touch(&bytes[at]);
    }
    if (size > 0) {
        touch(&bytes[size - 1]);
    }
}

void file_release_memory(void *memory, uint64_t size)
{
    if (memory != NULL) {
        int result = munmap(memory, size);
        assert(result == 0);
    }
}

int file_random(void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        at += got;
        size -= (size_t)got;
    }
    return 0;
}
