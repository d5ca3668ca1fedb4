/* names.h: what the files of this folder agree on. */
#ifndef BACKUP_NAMES_H
#define BACKUP_NAMES_H

#include "backup/backup.h"

#define BACKUP_NEW "backup-new"
#define BACKUP_PREFIX "backup-"
#define BACKUP_KIND "fixkvbak"

/* The numbers of a backup's head. */
enum { BACKUP_LSN, BACKUP_COUNT, BACKUP_TIME_MS };

static inline uint64_t frame_offset(uint64_t number)
{
    return DISK_PAGE + (number - 1) * FRAME_SIZE;
}

#endif
