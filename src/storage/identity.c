/* identity.c: the file hash.key: whose data this is, and the secret of the
 * table's hash.
 *
 *     0   8   "fixkvkey"
 *     8   2   format version, 1
 *     10  2   bit 0: a log has begun; no log at all means that it was lost
 *     12  16  identity of the store, random
 *     28  16  secret, random
 *     44  4   crc32c of the 44 bytes before
 *
 * No data depends on the secret (only cursors of a SCAN under way do), so a
 * file that is lost or damaged is made anew, with the identity that backups
 * and log have: once the store has opened, so that one that is refused is left
 * as it was. */
#include "storage/identity.h"
#include "storage/state.h"

#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_FILE "hash.key"
#define KEY_FILE_NEW "hash.key-new"

enum { KEY_VERSION = 1, KEY_BEGUN = 1 /* flag */ };

struct key_file {
    char magic[8];
    uint16_t version;
    uint16_t flags;
    uint8_t identity[WAL_IDENTITY_SIZE];
    uint8_t secret[SIPHASH_SECRET_SIZE];
    uint32_t crc;
};

_Static_assert(sizeof(struct key_file) == 48, "no padding");

static const char magic[8] = {'f', 'i', 'x', 'k', 'v', 'k', 'e', 'y'};

static uint32_t key_crc(const struct key_file *key)
{
    return crc32c(0, key, offsetof(struct key_file, crc));
}

/* 0, -ENOENT, -EUCLEAN if damaged, or another -errno. */
static int read_key(int directory, struct key_file *key)
{
    int fd = file_open_read(directory, KEY_FILE);
    if (fd < 0) {
        return fd;
    }
    int64_t got = file_read_at(fd, key, sizeof *key, 0);
    file_close(fd);
    if (got < 0) {
        return (int)got;
    }
    bool valid = got == (int64_t)sizeof *key &&
                 memcmp(key->magic, magic, sizeof magic) == 0 &&
                 key->version == KEY_VERSION && key->crc == key_crc(key);
    return valid ? 0 : -EUCLEAN;
}

int identity_read(
    int directory, uint8_t identity[HEAD_IDENTITY_SIZE], bool *begun)
{
    struct key_file key;
    int error = read_key(directory, &key);
    *begun = error == 0 && (key.flags & KEY_BEGUN) != 0;
    if (error == 0) {
        memcpy(identity, key.identity, sizeof key.identity);
    }
    return error;
}

static int write_key(int directory, struct key_file *key)
{
    memcpy(key->magic, magic, sizeof magic);
    key->version = KEY_VERSION;
    key->crc = key_crc(key);
    int fd = file_create(directory, KEY_FILE_NEW);
    if (fd < 0) {
        return fd;
    }
    int error = file_write_at(fd, key, sizeof *key, 0);
    if (error == 0) {
        error = file_sync(fd);
    }
    file_close(fd);
    if (error == 0) {
        error = file_rename(directory, KEY_FILE_NEW, KEY_FILE);
    }
    return error != 0 ? error : file_sync_directory(directory);
}

/* The identity that the data has; -ENOENT if there is none. */
static int find_identity(int directory, uint8_t identity[WAL_IDENTITY_SIZE])
{
    struct backup_list *list = malloc(sizeof *list);
    if (list == NULL) {
        return -ENOMEM;
    }
    int error = backup_list_read(directory, list);
    bool found = false;
    for (uint32_t i = 0; error == 0 && !found && i < list->count; i++) {
        struct backup_reader reader;
        char why[BACKUP_WHY_MAX];
        found = backup_open(&reader, directory, list->lsns[i], NULL, why) == 0;
        if (found) {
            memcpy(identity, reader.head.identity, WAL_IDENTITY_SIZE);
            backup_close(&reader);
        }
    }
    free(list);
    if (error != 0 || found) {
        return error;
    }
    return wal_find_identity(directory, identity);
}

int identity_find(int directory, uint8_t identity[WAL_IDENTITY_SIZE])
{
    bool begun;
    int error = identity_read(directory, identity, &begun);
    return error == -ENOENT || error == -EUCLEAN
               ? find_identity(directory, identity)
               : error;
}

static int make_key(struct storage *storage, struct key_file *key, bool damaged)
{
    int error = find_identity(storage->directory, key->identity);
    if (error == 0 || damaged) {
        diag_line(storage->options.diag, "storage: %s is %s: made anew",
            KEY_FILE, damaged ? "damaged" : "missing");
    }
    if (error == -ENOENT) {
        error = file_random(key->identity, sizeof key->identity);
    }
    if (error == 0) {
        error = file_random(key->secret, sizeof key->secret);
    }
    return error;
}

int identity_keep(struct storage *storage,
    const uint8_t secret[SIPHASH_SECRET_SIZE], char why[STORAGE_WHY_MAX])
{
    struct key_file key = {.flags = storage->begun ? KEY_BEGUN : 0};
    memcpy(key.identity, storage->identity, sizeof key.identity);
    memcpy(key.secret, secret, sizeof key.secret);
    int error = storage->key_kept ? 0 : write_key(storage->directory, &key);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot write %s in %s: %s", KEY_FILE,
            storage->options.directory, strerror(-error));
    }
    return error;
}

int identity_note_log(struct storage *storage)
{
    struct key_file key;
    int error = read_key(storage->directory, &key);
    if (error == 0) {
        key.flags |= KEY_BEGUN;
        error = write_key(storage->directory, &key);
    }
    storage->begun = error == 0;
    return error;
}

int identity_open(struct storage *storage, uint8_t secret[SIPHASH_SECRET_SIZE],
    char why[STORAGE_WHY_MAX])
{
    struct key_file key = {.flags = 0};
    int error = read_key(storage->directory, &key);
    storage->key_kept = error == 0;
    storage->begun = error == 0 && (key.flags & KEY_BEGUN) != 0;
    if (error == -ENOENT || error == -EUCLEAN) {
        error = make_key(storage, &key, error == -EUCLEAN);
    }
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot read %s in %s: %s", KEY_FILE,
            storage->options.directory, strerror(-error));
        return error;
    }
    memcpy(storage->identity, key.identity, sizeof storage->identity);
    memcpy(secret, key.secret, SIPHASH_SECRET_SIZE);
    return 0;
}
