/* backup.h: the whole store at one LSN, in one file.
 *
 * Not when and why: that is storage's.  It knows files of records, not the
 * table that they come from.
 *
 * File backup-<LSN, 20 digits>:
 *
 *     0     4096  head (head.h), of the kind "fixkvbak"; its numbers:
 *                 LSN: the store after exactly the frames up to it
 *                 number of records
 *                 when, milliseconds since 1970
 *                 zero
 *     4096  320   frame 1: a record as a PUT, its kind in the status; lsn 1,
 *                 arg its expiry or the number that an inner one keeps;
 *                 time_ms as in the head: so it belongs to this backup
 *     ...         frame n at 4096 + 320 * (n - 1)
 *     ...   320   footer: a MARK with lsn n + 1, arg the backup's LSN
 *
 * It is valid if head, footer, every frame and the file's size are.  It is
 * written under another name, synced, renamed, and the name synced; so a file
 * of this name is whole, or damaged later. */
#ifndef BACKUP_H
#define BACKUP_H

#include "diag.h"
#include "frame.h"
#include "head.h"

enum {
    BACKUP_IDENTITY_SIZE = HEAD_IDENTITY_SIZE,
    BACKUP_NAME_MAX = 32,
    BACKUP_WHY_MAX = HEAD_WHY_MAX,
    BACKUP_RING_FRAMES = 38400, /* taken and not written yet: 12 MB */
    BACKUP_ROOM = 64,           /* records that backup_pace makes room for */
    BACKUP_LIST_MAX = 4096      /* files that are looked at */
};

struct backup_head {
    uint8_t identity[BACKUP_IDENTITY_SIZE];
    uint64_t lsn;
    uint64_t count;
    int64_t time_ms;
};

void backup_name(char name[BACKUP_NAME_MAX], uint64_t lsn);

/* ---- Writing ------------------------------------------------------------- */

struct backup_writer;

/* Makes the file, under another name yet.  beside: others write to the disk
 * meanwhile, and must not wait because the kernel's cache is full of a backup:
 * so it goes past that, where the file system can.  Else it stays there, for
 * the next start.  0 or -errno. */
int backup_create(struct backup_writer **writer, int directory, bool beside);
/* Says what it will hold; before the first record. */
void backup_begin(struct backup_writer *writer, const struct backup_head *head);
/* Takes a record; from any thread.  It is copied into a ring; whoever finds
 * that full writes some of it, or waits while another does.  After an error,
 * which backup_finish returns, it does nothing. */
void backup_add(struct backup_writer *writer, const kv_message_t *record,
    int64_t expire_ms);
/* The same, without waiting: for BACKUP_ROOM records after each backup_pace, by
 * the thread that calls that. */
void backup_add_at_once(struct backup_writer *writer,
    const kv_message_t *record, int64_t expire_ms);
/* Writes what has gathered, makes room for BACKUP_ROOM records; syncs what went
 * through the cache, now and then, so that the end is not a long wait.  One
 * thread.  Returns the error so far. */
int backup_pace(struct backup_writer *writer);
/* Writes the rest and the footer, syncs, names.  0, or -errno and nothing is
 * left.  Frees in any case.  count records must have been added. */
int backup_finish(struct backup_writer *writer);
/* Removes what was written, and frees. */
void backup_abandon(struct backup_writer *writer);

/* ---- Reading ------------------------------------------------------------- */

/* LSNs of the backups in a directory, the newest first. */
struct backup_list {
    uint64_t lsns[BACKUP_LIST_MAX];
    uint32_t count;
};
/* 0 or -errno. */
int backup_list_read(int directory, struct backup_list *list);
int backup_remove(int directory, uint64_t lsn);
/* Renames a backup that is not valid to backup-<LSN>.damaged, for a person to
 * look at: it is no backup any more. */
int backup_set_aside(int directory, uint64_t lsn);
/* Removes what an unfinished backup has left. */
int backup_clean(int directory);

struct backup_reader {
    int fd;
    struct backup_head head;
};
/* Opens the backup and checks head, size and footer.  identity NULL: any.  0,
 * -EUCLEAN with the reason in why, or another -errno; nothing is open then. */
int backup_open(struct backup_reader *reader, int directory, uint64_t lsn,
    const uint8_t identity[BACKUP_IDENTITY_SIZE], char why[BACKUP_WHY_MAX]);
/* Reads and checks frames first .. first + count - 1; the first is number 1.
 * 0, -EUCLEAN with the reason in why, or another -errno.  Any thread. */
int backup_read(const struct backup_reader *reader, uint64_t first,
    uint32_t count, struct frame *frames, char why[BACKUP_WHY_MAX]);
void backup_close(struct backup_reader *reader);
/* Up to which LSN the log was durable when this backup was written, be it valid
 * or not: its head's, its name's if the head is damaged; 0 if the head says
 * that it is another store's. */
uint64_t backup_claim(
    int directory, uint64_t lsn, const uint8_t identity[BACKUP_IDENTITY_SIZE]);

#endif
