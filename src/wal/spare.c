/* spare.c: the next segment, made ahead of its use, a part at a time: who makes
 * it has other things to do, and the disk too.
 *
 * It has another name until it is whole; what a crash leaves half made is
 * removed at the next start. */
#include "wal/state.h"
#include "wal/wal.h"

#include "file.h"

#include <errno.h>

void spare_abandon_locked(struct wal *wal)
{
    if (wal->spare_fd >= 0) {
        file_close(wal->spare_fd);
        wal->spare_fd = -1;
        (void)file_remove(wal->options.directory, WAL_SPARE_NEW);
    }
}

/* One part: the file at first, then what is to be written over of it.  0: it
 * is whole. */
static int make_part_locked(struct wal *wal)
{
    uint64_t bytes = wal->options.segment_bytes;
    if (wal->spare_fd < 0) {
        int fd = segment_make(wal->options.directory, WAL_SPARE_NEW, bytes);
        if (fd < 0) {
            return fd;
        }
        wal->spare_fd = fd;
        wal->spare_at = wal->options.always ? 0 : bytes;
    }
    int error = wal->spare_at < bytes
                    ? segment_write_over(wal->spare_fd, &wal->spare_at, bytes)
                    : 0;
    return error == 0 && wal->spare_at < bytes ? -EAGAIN : error;
}

static int finish_locked(struct wal *wal)
{
    int error = file_rename(wal->options.directory, WAL_SPARE_NEW, WAL_SPARE);
    if (error != 0) {
        return error;
    }
    file_close(wal->spare_fd);
    wal->spare_fd = -1;
    pthread_mutex_lock(&wal->lock);
    wal->spare = true;
    pthread_mutex_unlock(&wal->lock);
    return 0;
}

int wal_prepare(struct wal *wal)
{
    pthread_mutex_lock(&wal->spare_lock);
    pthread_mutex_lock(&wal->lock);
    bool spare = wal->spare;
    pthread_mutex_unlock(&wal->lock);
    int error = 0;
    if (!spare) {
        error = make_part_locked(wal);
        error = error == 0 ? finish_locked(wal) : error;
    }
    if (error != 0 && error != -EAGAIN) {
        spare_abandon_locked(wal);
    }
    pthread_mutex_unlock(&wal->spare_lock);
    return error;
}
