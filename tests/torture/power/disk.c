#include "torture/power/disk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture/power/state.h"

enum { LOG_DIGITS = 20 };

/* ---- Files --------------------------------------------------------------- */

static uint32_t add_file(struct power_disk *disk)
{
    assert(disk->file_count < POWER_FILES_MAX);
    return disk->file_count++;
}

/* Makes room for that many bytes, at least one, the new ones zero. */
static void make_room(struct power_file *file, uint64_t size)
{
    if (size > file->room) {
        uint8_t *bytes = realloc(file->bytes, size);
        assert(bytes != NULL);
        memset(bytes + file->room, 0, size - file->room);
        file->bytes = bytes;
        file->room = size;
    }
}

static struct power_change *add_change(
    struct power_file *file, enum power_kind kind, uint64_t begun)
{
    if (file->change_count == file->change_room) {
        file->change_room = file->change_room == 0 ? 16 : 2 * file->change_room;
        file->changes =
            realloc(file->changes, file->change_room * sizeof *file->changes);
        assert(file->changes != NULL);
    }
    struct power_change *change = &file->changes[file->change_count++];
    *change = (struct power_change){
        .kind = kind, .begun = begun, .ended = UINT64_MAX};
    return change;
}

/* The change is durable. */
static void make_durable(
    struct power_file *file, const struct power_change *change)
{
    uint64_t end = change->offset + change->size;
    make_room(file, end + 1);
    if (change->kind == POWER_WRITE) {
        memcpy(file->bytes + change->offset, change->bytes, change->size);
    }
    if (change->kind == POWER_CUT && file->size > end) {
        memset(file->bytes + end, 0, file->size - end);
        file->size = end;
    }
    file->size = file->size > end ? file->size : end;
}

/* What had returned before this event is durable.  False if a write before it
 * was still under way and the same bytes were written after it. */
static bool sync_file(struct power_file *file, uint64_t begun)
{
    uint32_t kept = 0;
    bool clear = true;
    for (uint32_t i = 0; i < file->change_count; i++) {
        const struct power_change change = file->changes[i];
        if (change.ended >= begun) {
            file->changes[kept++] = change;
            continue;
        }
        for (uint32_t j = 0; j < kept; j++) {
            const struct power_change *other = &file->changes[j];
            clear = clear && (change.offset >= other->offset + other->size ||
                                 other->offset >= change.offset + change.size);
        }
        make_durable(file, &change);
    }
    file->change_count = kept;
    return clear;
}

/* ---- Names --------------------------------------------------------------- */

static void set_name(char to[POWER_NAME_MAX], const char *name)
{
    size_t length = strlen(name);
    assert(length < POWER_NAME_MAX);
    memcpy(to, name, length + 1);
}

struct power_name *power_names_find(struct power_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i].name, name) == 0) {
            return &names->list[i];
        }
    }
    return NULL;
}

static void remove_name(struct power_names *names, const char *name)
{
    struct power_name *found = power_names_find(names, name);
    if (found != NULL) {
        *found = names->list[--names->count];
    }
}

void power_names_change(
    struct power_names *names, const struct power_renaming *renaming)
{
    if (renaming->from[0] != '\0') {
        remove_name(names, renaming->from);
    }
    if (renaming->to[0] != '\0') {
        remove_name(names, renaming->to);
        assert(names->count < POWER_NAMES_MAX);
        struct power_name *name = &names->list[names->count++];
        set_name(name->name, renaming->to);
        name->file = renaming->file;
    }
}

static void rename_file(struct power_disk *disk,
    const struct power_renaming *renaming, const char *from, const char *to)
{
    assert(disk->renaming_count < POWER_RENAMINGS_MAX);
    struct power_renaming *added = &disk->renamings[disk->renaming_count++];
    *added = *renaming;
    set_name(added->from, from);
    set_name(added->to, to);
    power_names_change(&disk->names, added);
}

static void sync_names(struct power_disk *disk, uint64_t begun)
{
    uint32_t done = 0;
    while (done < disk->renaming_count && disk->renamings[done].at < begun) {
        power_names_change(&disk->durable_names, &disk->renamings[done++]);
    }
    disk->renaming_count -= done;
    memmove(disk->renamings, disk->renamings + done,
        disk->renaming_count * sizeof *disk->renamings);
    disk->names_synced =
        begun > disk->names_synced ? begun : disk->names_synced;
}

/* ---- Events -------------------------------------------------------------- */

static const char *open_file(
    struct power_disk *disk, uint64_t number, const struct power_event *event)
{
    const char *name = (const char *)disk->trace->bytes + event->bytes;
    const struct power_name *found = power_names_find(&disk->names, name);
    if ((event->flags & POWER_CREATED) != 0) {
        struct power_renaming renaming = {.at = number};
        renaming.file = add_file(disk);
        rename_file(disk, &renaming, "", name);
        disk->opened[number] = renaming.file;
        return NULL;
    }
    if (found == NULL) {
        return "a file is opened that is not there";
    }
    disk->opened[number] = found->file;
    if ((event->flags & POWER_EMPTIED) != 0) {
        add_change(&disk->files[found->file], POWER_CUT, number)->ended =
            number;
    }
    return NULL;
}

static const char *change_names(
    struct power_disk *disk, uint64_t number, const struct power_event *event)
{
    const char *from = (const char *)disk->trace->bytes + event->bytes;
    const char *to = event->kind == POWER_RENAME ? from + strlen(from) + 1 : "";
    const struct power_name *found = power_names_find(&disk->names, from);
    if (found == NULL) {
        return "a name is changed that is not there";
    }
    struct power_renaming renaming = {.at = number, .file = found->file};
    rename_file(disk, &renaming, from, to);
    return NULL;
}

static struct power_file *file_of(
    struct power_disk *disk, const struct power_event *event)
{
    assert(event->file >= POWER_FIRST_FILE);
    return &disk->files[disk->opened[event->file - POWER_FIRST_FILE]];
}

static const char *end_write(
    struct power_file *file, uint64_t number, const struct power_event *event)
{
    for (uint32_t i = file->change_count; i > 0; i--) {
        struct power_change *change = &file->changes[i - 1];
        if (change->begun == event->of) {
            change->size = event->size;
            change->ended = number;
            return NULL;
        }
    }
    return "a write has ended that did not begin";
}

static const char *take_event(
    struct power_disk *disk, uint64_t number, const struct power_event *event)
{
    struct power_change *change;
    switch (atomic_load(&event->kind)) {
    case POWER_OPEN:
        return open_file(disk, number, event);
    case POWER_RENAME:
    case POWER_REMOVE:
        return change_names(disk, number, event);
    case POWER_WRITE:
        change = add_change(file_of(disk, event), POWER_WRITE, number);
        change->offset = event->offset;
        change->size = event->size;
        change->bytes = disk->trace->bytes + event->bytes;
        return NULL;
    case POWER_WRITTEN:
        return end_write(file_of(disk, event), number, event);
    case POWER_SIZE:
    case POWER_CUT:
        change = add_change(file_of(disk, event),
            atomic_load(&event->kind) == POWER_CUT ? POWER_CUT : POWER_SIZE,
            number);
        change->size = event->size;
        change->ended = number;
        return NULL;
    case POWER_SYNCED:
        if (event->file == POWER_DIRECTORY) {
            sync_names(disk, event->of);
            return NULL;
        }
        return sync_file(file_of(disk, event), event->of)
                   ? NULL
                   : "writes of the same bytes were under way at once";
    default:
        return NULL;
    }
}

const char *power_disk_advance(struct power_disk *disk, uint64_t position)
{
    const char *why = NULL;
    for (; disk->position < position && why == NULL; disk->position++) {
        why = take_event(
            disk, disk->position, &disk->trace->events[disk->position]);
    }
    return why;
}

/* ---- The whole ----------------------------------------------------------- */

/* A file that was there before the trace began. */
static void add_base(struct power_disk *disk, const struct power_event *event)
{
    const uint8_t *bytes = disk->trace->bytes + event->bytes;
    struct power_renaming renaming = {.file = add_file(disk)};
    struct power_file *file = &disk->files[renaming.file];
    size_t name_size = strlen((const char *)bytes) + 1;
    set_name(renaming.to, (const char *)bytes);
    power_names_change(&disk->names, &renaming);
    power_names_change(&disk->durable_names, &renaming);
    if (event->size > 0) {
        make_room(file, event->size);
        memcpy(file->bytes, bytes + name_size, event->size);
        file->size = event->size;
    }
}

struct power_disk *power_disk_create(const struct power_trace *trace)
{
    struct power_disk *disk = calloc(1, sizeof *disk);
    uint32_t *opened = calloc(trace->count, sizeof *opened);
    if (disk == NULL || opened == NULL) {
        free(disk);
        free(opened);
        return NULL;
    }
    disk->trace = trace;
    disk->opened = opened;
    for (uint64_t i = 1; i < trace->count; i++) {
        if (atomic_load(&trace->events[i].kind) == POWER_BASE) {
            add_base(disk, &trace->events[i]);
        }
    }
    return disk;
}

void power_disk_destroy(struct power_disk *disk)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        free(disk->files[i].bytes);
        free(disk->files[i].changes);
    }
    free(disk->opened);
    free(disk);
}

static bool is_log(const char *name)
{
    static const char prefix[] = "log-";
    size_t length = sizeof prefix - 1;
    return strncmp(name, prefix, length) == 0 &&
           strlen(name) == length + LOG_DIGITS &&
           strspn(name + length, "0123456789") == LOG_DIGITS;
}

/* Heads do not count: the first one is older than all frames of its segment,
 * and the second one only helps. */
uint64_t power_disk_settled(const struct power_disk *disk)
{
    uint64_t settled = disk->position;
    for (uint32_t i = 0; i < disk->names.count; i++) {
        const struct power_name *name = &disk->names.list[i];
        const struct power_file *file = &disk->files[name->file];
        for (uint32_t j = 0; is_log(name->name) && j < file->change_count;
             j++) {
            const struct power_change *change = &file->changes[j];
            if (change->kind == POWER_WRITE && change->offset > 0 &&
                change->begun < settled) {
                settled = change->begun;
            }
        }
    }
    for (uint32_t i = 0; i < disk->renaming_count; i++) {
        const struct power_renaming *renaming = &disk->renamings[i];
        if (is_log(renaming->to) && renaming->at < settled) {
            settled = renaming->at;
        }
    }
    return settled;
}
