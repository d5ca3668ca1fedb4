/* cases.c: damage within a file: cuts, bits, pages, frames. */
#include "torture/damage/cases.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "frame.h"
#include "wal/wal.h"

enum {
    CUT_FRAMES = 10,
    CUTS = CUT_FRAMES * FRAME_SIZE,
    FRAME_BITS = FRAME_SIZE * 8,
    PAGE_BITS = DISK_PAGE * 8,
    ALIGNED_PAGES = 5 /* as many pages as hold whole frames */
};

/* ---- Places -------------------------------------------------------------- */

static void write_bytes(const struct family *family,
    const struct patient *patient, const void *bytes, size_t size,
    uint64_t offset)
{
    int fd = file_open_write(patient->directory, family->file->name);
    int error = fd < 0 ? fd : file_write_at(fd, bytes, size, offset);
    if (error != 0) {
        image_fail("cannot damage", family->file->name, -error);
    }
    file_close(fd);
}

/* Of a segment: the frames that the damage touches. */
static void note_place(const struct family *family, uint64_t offset,
    size_t size, struct patient *patient)
{
    uint64_t segment;
    bool log = world_name_lsn(family->file->name, "log-", &segment);
    if (log && offset >= DISK_PAGE) {
        patient->place.segment = segment;
        patient->place.first = segment + (offset - DISK_PAGE) / FRAME_SIZE;
        patient->place.last =
            segment + (offset + size - 1 - DISK_PAGE) / FRAME_SIZE;
    }
}

/* Other bytes at offset; false if they are the same. */
static bool put_other(const struct family *family, struct patient *patient,
    const uint8_t *bytes, size_t size, uint64_t offset)
{
    const uint8_t *before = family->file->bytes + offset;
    size_t same = 0;
    while (same < size && bytes[same] == before[same]) {
        same++;
    }
    write_bytes(family, patient, bytes, size, offset);
    if (same < size) {
        note_place(family, offset + same, size - same, patient);
    }
    return same < size;
}

/* Behind the last valid frame of a segment. */
static uint64_t frames_end(const struct image_file *file)
{
    uint64_t lsn = 0;
    uint64_t offset = DISK_PAGE;
    (void)world_name_lsn(file->name, "log-", &lsn);
    while (offset + FRAME_SIZE <= file->size) {
        struct frame frame;
        memcpy(&frame, file->bytes + offset, sizeof frame);
        if (!frame_valid(&frame, lsn++)) {
            break;
        }
        offset += FRAME_SIZE;
    }
    return offset;
}

/* ---- Cuts ---------------------------------------------------------------- */

static void cut_at(const struct family *family, struct patient *patient,
    uint64_t offset, uint64_t size)
{
    const char *name = family->file->name;
    int fd = file_open_write(patient->directory, name);
    int error = fd < 0 ? fd : file_truncate(fd, offset);
    if (error == 0 && size > offset) {
        error = file_truncate(fd, size);
    }
    if (error != 0) {
        image_fail("cannot cut", name, -error);
    }
    file_close(fd);
    (void)snprintf(patient->text, sizeof patient->text,
        "%s cut at %" PRIu64 ", of %" PRIu64 " bytes", name, offset, size);
}

static bool cut(
    const struct family *family, uint64_t index, struct patient *patient)
{
    uint64_t offset = family->offset - index;
    cut_at(family, patient, offset, offset);
    return true;
}

static bool cut_and_zeros(
    const struct family *family, uint64_t index, struct patient *patient)
{
    cut_at(family, patient, family->offset - index, family->file->size);
    return true;
}

/* Behind the cut stands what the file held in its use before. */
static bool cut_and_old(
    const struct family *family, uint64_t index, struct patient *patient)
{
    const struct image_file *file = family->file;
    uint64_t offset = family->offset - index;
    uint64_t shift = (uint64_t)ALIGNED_PAGES * DISK_PAGE;
    write_bytes(
        family, patient, file->bytes + offset + shift, index + 1, offset);
    (void)snprintf(patient->text, sizeof patient->text,
        "%s from %" PRIu64 " on as it was before", file->name, offset);
    return true;
}

/* ---- Bits ---------------------------------------------------------------- */

static bool flip(
    const struct family *family, uint64_t index, struct patient *patient)
{
    uint64_t offset = family->offset + index / 8;
    uint8_t byte = family->file->bytes[offset];
    byte ^= (uint8_t)(1u << index % 8);
    write_bytes(family, patient, &byte, 1, offset);
    note_place(family, offset, 1, patient);
    (void)snprintf(patient->text, sizeof patient->text,
        "%s: bit %u of byte %" PRIu64, family->file->name,
        (unsigned)(index % 8), offset);
    return true;
}

/* ---- Pages and frames ---------------------------------------------------- */

/* Another content for some pages. */
static bool put_pages(const struct family *family, uint64_t page,
    struct patient *patient, const uint8_t *bytes, uint64_t pages)
{
    uint64_t offset = page * DISK_PAGE;
    uint64_t room = family->file->size - offset;
    (void)snprintf(patient->text, sizeof patient->text, "%s: %s, page %" PRIu64,
        family->file->name, family->name, page);
    return put_other(
        family, patient, bytes, u64_min(pages * DISK_PAGE, room), offset);
}

static bool zero_page(
    const struct family *family, uint64_t index, struct patient *patient)
{
    static const uint8_t zeros[DISK_PAGE];
    return put_pages(family, index, patient, zeros, 1);
}

/* The nearest other file that is large enough. */
static const struct image_file *other_file(
    const struct image *image, const struct image_file *file, uint64_t size)
{
    uint32_t own = (uint32_t)(file - image->files);
    for (uint32_t i = own; i-- > 0;) {
        if (image->files[i].size >= size) {
            return &image->files[i];
        }
    }
    for (uint32_t i = own + 1; i < image->count; i++) {
        if (image->files[i].size >= size) {
            return &image->files[i];
        }
    }
    return NULL;
}

/* Pages of another file; or of the same name where they come from elsewhere. */
static bool other_pages(const struct family *family, uint64_t index,
    struct patient *patient, uint64_t pages)
{
    const struct image *image = family->from;
    uint64_t size = (index + pages) * DISK_PAGE;
    const struct image_file *file = image == &family->world->image
                                        ? other_file(image, family->file, size)
                                        : image_find(image, family->file->name);
    if (file == NULL || size > file->size || size > family->file->size) {
        return false;
    }
    return put_pages(
        family, index, patient, file->bytes + index * DISK_PAGE, pages);
}

static bool other_page(
    const struct family *family, uint64_t index, struct patient *patient)
{
    return other_pages(family, index, patient, 1);
}

/* So many that no frame straddles the edge. */
static bool other_run(
    const struct family *family, uint64_t index, struct patient *patient)
{
    return other_pages(
        family, index * ALIGNED_PAGES + 1, patient, ALIGNED_PAGES);
}

static bool swap_frames(
    const struct family *family, uint64_t index, struct patient *patient)
{
    uint64_t offset = DISK_PAGE + index * FRAME_SIZE;
    uint8_t both[2 * FRAME_SIZE];
    if (offset + sizeof both > family->file->size) {
        return false;
    }
    const uint8_t *bytes = family->file->bytes + offset;
    memcpy(both, bytes + FRAME_SIZE, FRAME_SIZE);
    memcpy(both + FRAME_SIZE, bytes, FRAME_SIZE);
    (void)snprintf(patient->text, sizeof patient->text,
        "%s: frame %" PRIu64 " swapped with the next", family->file->name,
        index);
    return put_other(family, patient, both, sizeof both, offset);
}

/* ---- The list ------------------------------------------------------------ */

static const struct image_file *file_of(
    const struct world *world, const char *prefix, uint32_t number)
{
    const struct image *image = &world->image;
    for (uint32_t i = 0; i < image->count; i++) {
        uint64_t lsn;
        if (world_name_lsn(image->files[i].name, prefix, &lsn) &&
            number-- == 0) {
            return &image->files[i];
        }
    }
    image_fail("no such file in a store:", prefix, 0);
}

static uint32_t count_files(const struct world *world, const char *prefix)
{
    uint32_t count = 0;
    uint64_t lsn;
    for (uint32_t i = 0; i < world->image.count; i++) {
        count += world_name_lsn(world->image.files[i].name, prefix, &lsn);
    }
    return count;
}

/* Everything that may happen in a small segment. */
static uint32_t list_log(const struct world *world, struct family *families)
{
    const struct image_file *log = file_of(world, "log-", 0);
    uint64_t end = frames_end(log);
    uint64_t middle = DISK_PAGE + 40 * FRAME_SIZE;
    const struct family list[] = {
        {"cut", DAMAGE_CUT, world, log, NULL, end, CUTS, 60, cut},
        {"cut, then zeros", DAMAGE_CUT, world, log, NULL, end, CUTS, 60,
            cut_and_zeros},
        {"frames amid the log", DAMAGE_FLIP, world, log, NULL, middle,
            4 * FRAME_BITS, 160, flip},
        {"last frames", DAMAGE_FLIP, world, log, NULL, end - 4 * FRAME_SIZE,
            4 * FRAME_BITS, 160, flip},
        {"a page of zeros", DAMAGE_PAGE, world, log, NULL, 0,
            end / DISK_PAGE + 1, 20, zero_page},
        {"a page of another file", DAMAGE_PAGE, world, log, &world->image, 0,
            end / DISK_PAGE + 1, 20, other_page},
        {"a page of earlier", DAMAGE_PAGE, world, log, &world->early, 0,
            end / DISK_PAGE + 1, 20, other_page},
        {"two frames swapped", DAMAGE_PAGE, world, log, NULL, 0,
            (end - DISK_PAGE) / FRAME_SIZE, 40, swap_frames},
    };
    memcpy(families, list, sizeof list);
    return ARRAY_SIZE(list);
}

static uint32_t list_backup(const struct world *world, struct family *families)
{
    const struct image_file *log = file_of(world, "log-", 0);
    const struct image_file *old = file_of(world, "backup-", 0);
    const struct image_file *new = file_of(world, "backup-", 1);
    const struct image_file *key = image_find(&world->image, "hash.key");
    uint64_t pages = (new->size + DISK_PAGE - 1) / DISK_PAGE;
    uint64_t record = DISK_PAGE + 5 * FRAME_SIZE;
    const struct family list[] = {
        {"head of a segment", DAMAGE_FLIP, world, log, NULL, 0, PAGE_BITS, 120,
            flip},
        {"head of a backup", DAMAGE_FLIP, world, new, NULL, 0, PAGE_BITS, 60,
            flip},
        {"record of a backup", DAMAGE_FLIP, world, new, NULL, record,
            FRAME_BITS, 60, flip},
        {"footer of a backup", DAMAGE_FLIP, world, new, NULL,
            new->size - FRAME_SIZE, FRAME_BITS, 60, flip},
        {"record of an older backup", DAMAGE_FLIP, world, old, NULL, record,
            FRAME_BITS, 30, flip},
        {"hash.key", DAMAGE_FLIP, world, key, NULL, 0, key->size * 8, 60, flip},
        {"cut of a backup", DAMAGE_CUT, world, new, NULL, new->size, CUTS, 60,
            cut},
        {"a page of zeros", DAMAGE_PAGE, world, new, NULL, 0, pages, 20,
            zero_page},
        {"a page of another file", DAMAGE_PAGE, world, new, &world->image, 0,
            pages, 20, other_page},
        {"a page of another store", DAMAGE_PAGE, world, new, &world->other, 0,
            pages, 20, other_page},
        {"two records swapped", DAMAGE_PAGE, world, new, NULL, 0,
            (new->size - DISK_PAGE) / FRAME_SIZE - 1, 20, swap_frames},
    };
    memcpy(families, list, sizeof list);
    return ARRAY_SIZE(list);
}

/* Pages all over a log of several segments. */
static uint32_t list_segments(
    const struct world *world, struct family *families)
{
    enum { PAGES = WAL_SEGMENT_MIN / DISK_PAGE };
    uint32_t listed = 0;
    uint32_t segments = count_files(world, "log-");
    for (uint32_t i = 0; i < segments; i++) {
        const struct image_file *log = file_of(world, "log-", i);
        const struct family list[] = {
            {"a page of zeros", DAMAGE_PAGE, world, log, NULL, 0, PAGES, 12,
                zero_page},
            {"a page of another file", DAMAGE_PAGE, world, log, &world->image,
                0, PAGES, 12, other_page},
            {"five pages of another file", DAMAGE_PAGE, world, log,
                &world->image, 0, PAGES / ALIGNED_PAGES, 12, other_run},
        };
        memcpy(families + listed, list, sizeof list);
        listed += ARRAY_SIZE(list);
    }
    if (world->name == WORLD_REUSED) {
        const struct image_file *last = file_of(world, "log-", segments - 1);
        families[listed++] =
            (struct family){"cut, then what was before", DAMAGE_CUT, world,
                last, NULL, frames_end(last), CUTS, 60, cut_and_old};
    }
    return listed;
}

uint32_t cases_list(
    const struct world worlds[WORLDS], struct family families[FAMILIES_MAX])
{
    uint32_t listed = list_log(&worlds[WORLD_LOG], families);
    listed += list_log(&worlds[WORLD_UNSYNCED], families + listed);
    listed += list_log(&worlds[WORLD_BACKUPS], families + listed);
    listed += list_backup(&worlds[WORLD_BACKUPS], families + listed);
    listed += list_segments(&worlds[WORLD_SEGMENTS], families + listed);
    listed += list_segments(&worlds[WORLD_REUSED], families + listed);
    listed += cases_list_files(worlds, families + listed);
    assert(listed <= FAMILIES_MAX);
    return listed;
}
