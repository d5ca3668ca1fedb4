/* file.h: the one door to disk.  Every call repeats what was interrupted and
 * completes what was done in part, and returns 0 (or what it says) or -errno.
 * Names are relative to a directory that is held open. */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens a directory, making it (not its parents) if create and it is not
 * there; a made one is synced into its parent.  Returns the descriptor. */
int file_open_directory(const char *path, bool create);
/* Makes a directory in another, durably; -EEXIST if the name is taken.  Returns
 * its descriptor. */
int file_make_directory(int directory, const char *name);
/* Makes an empty directory (mkdtemp): path ends in XXXXXX, which becomes what
 * makes it new. */
int file_make_temporary(char *path);
/* Removes a directory and the files in it. */
int file_remove_tree(const char *path);
/* Takes an exclusive lock (flock) on name in the directory, making the file.
 * Returns its descriptor, which holds the lock until closed; -EWOULDBLOCK if
 * another process has it. */
int file_lock(int directory, const char *name);
/* True if somebody holds it.  Makes no file; who asks for the lock in the same
 * instant is refused it. */
bool file_is_locked(int directory, const char *name);

/* Returns the descriptor.  create: made if not there, emptied if it is. */
int file_open_read(int directory, const char *name);
int file_open_write(int directory, const char *name);
int file_create(int directory, const char *name);
/* Closes a descriptor; -1 is fine. */
void file_close(int fd);

int64_t file_size(int fd);
/* Writes all of size bytes at offset. */
int file_write_at(int fd, const void *bytes, size_t size, uint64_t offset);
/* Has what is written go past the kernel's cache, or through it again.  Past it
 * memory, size and offset have to be whole pages, and a write may still return
 * -EINVAL, with a part of it done.  -EINVAL: the file system cannot do it. */
int file_set_direct(int fd, bool direct);
/* Reads up to size bytes at offset; returns how many, fewer only at the end. */
int64_t file_read_at(int fd, void *bytes, size_t size, uint64_t offset);
/* Allocates the file's first size bytes on disk and makes it that large;
 * where the file system cannot, writes zeros. */
int file_allocate(int fd, uint64_t size);
int file_truncate(int fd, uint64_t size);
/* fdatasync.  Not repeated after an error: what failed once is lost. */
int file_sync(int fd);
/* Tells the kernel that what is synced of the file will not be read soon, so
 * that its memory can serve others. */
void file_forget(int fd);
/* fsync of the directory, so that names in it are on disk. */
int file_sync_directory(int directory);
/* The same of the directory that it stands in. */
int file_sync_parent(int directory);
int file_rename(int directory, const char *from, const char *to);
int file_remove(int directory, const char *name);
int file_remove_directory(int directory, const char *name);
/* From one directory to another of the same file system, replacing what
 * has the name there. */
struct file_place {
    int directory;
    const char *name;
};
int file_move(const struct file_place *from, const struct file_place *to);
/* Gives the file a second name; -EEXIST if it is taken. */
int file_link(const struct file_place *from, const struct file_place *to);

/* Calls entry for each name in the directory, without "." and "..", until it
 * returns non-zero.  Returns 0, what entry returned, or -errno. */
int file_list(int directory, int (*entry)(void *context, const char *name),
    void *context);

/* Address space for size bytes: zero, readable and writable, touched as used;
 * not counted against memory until then.  often: all of it is used all the
 * time, which large pages make faster.  NULL on failure, errno set. */
void *file_reserve_memory(uint64_t size, bool often);
/* Takes the memory now: each page is written as it is.  Nobody else may be
 * writing to it. */
void file_touch_memory(void *memory, uint64_t size);
void file_release_memory(void *memory, uint64_t size);

/* size bytes that nobody can guess; -errno if there are none. */
int file_random(void *bytes, size_t size);

#endif
