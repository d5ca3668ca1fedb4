/* files.c: damage to whole files: missing, swapped, of another store, of
 * an earlier time, of another kind; and files that nobody asked for. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "torture/damage/cases.h"

enum { LATER = 1000000 /* behind every LSN */ };

static void check(int result, const char *name)
{
    if (result != 0) {
        image_fail("cannot damage", name, errno);
    }
}

/* ---- Acts: on one file, which they may replace --------------------------- */

struct act {
    const char *name;
    bool (*act)(const struct family *family, const struct image_file *file,
        int directory);
};

static bool miss(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)family;
    check(unlinkat(directory, file->name, 0), file->name);
    return true;
}

static bool empty(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)family;
    file_close(file_create(directory, file->name));
    return true;
}

static bool halve(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)family;
    int fd = file_open_write(directory, file->name);
    check(ftruncate(fd, (off_t)(file->size / 2)), file->name);
    file_close(fd);
    return true;
}

static bool grow(
    const struct family *family, const struct image_file *file, int directory)
{
    static const uint8_t more[] = "what nobody wrote";
    (void)family;
    int fd = file_open_write(directory, file->name);
    check(file_write_at(fd, more, sizeof more, file->size), file->name);
    file_close(fd);
    return true;
}

static bool become_directory(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)miss(family, file, directory);
    check(mkdirat(directory, file->name, S_IRWXU), file->name);
    return true;
}

static bool become_pipe(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)miss(family, file, directory);
    check(mkfifoat(directory, file->name, S_IRWXU), file->name);
    return true;
}

static bool link_to_nothing(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)miss(family, file, directory);
    check(symlinkat("nothing", directory, file->name), file->name);
    return true;
}

static bool link_to_itself(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)miss(family, file, directory);
    check(symlinkat(file->name, directory, file->name), file->name);
    return true;
}

/* As good as the file itself. */
static bool link_to_file(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)family;
    check(renameat(directory, file->name, directory, "elsewhere"), file->name);
    check(symlinkat("elsewhere", directory, file->name), file->name);
    return true;
}

static bool replace(
    const struct image *image, const struct image_file *file, int directory)
{
    const struct image_file *other = image_find(image, file->name);
    if (other != NULL) {
        image_write(other, directory, file->name);
    }
    return other != NULL;
}

static bool of_other_store(
    const struct family *family, const struct image_file *file, int directory)
{
    return replace(&family->world->other, file, directory);
}

static bool of_earlier(
    const struct family *family, const struct image_file *file, int directory)
{
    return replace(&family->world->early, file, directory);
}

/* The file a second time, under the name that its like would have. */
static bool copy_to(
    const struct image_file *file, int directory, uint64_t distance)
{
    char name[IMAGE_NAME_MAX];
    const char *const prefixes[] = {"log-", "backup-"};
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        uint64_t lsn;
        if (world_name_lsn(file->name, prefixes[i], &lsn)) {
            (void)snprintf(name, sizeof name, "%s%020" PRIu64, prefixes[i],
                lsn + distance);
            image_write(file, directory, name);
            return true;
        }
    }
    return false;
}

static bool twice(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)family;
    return copy_to(file, directory, 7);
}

static bool twice_later(
    const struct family *family, const struct image_file *file, int directory)
{
    (void)family;
    return copy_to(file, directory, LATER);
}

/* The file alone under a later name. */
static bool later(
    const struct family *family, const struct image_file *file, int directory)
{
    return copy_to(file, directory, LATER) && miss(family, file, directory);
}

/* With the next one, of whatever kind. */
static bool exchange(
    const struct family *family, const struct image_file *file, int directory)
{
    const struct image *image = &family->world->image;
    if (file + 1 == image->files + image->count) {
        return false;
    }
    image_write(file, directory, file[1].name);
    image_write(file + 1, directory, file->name);
    return true;
}

static const struct act acts[] = {
    {"is missing", miss},
    {"is empty", empty},
    {"is half as long", halve},
    {"is longer", grow},
    {"is a directory", become_directory},
    {"is a pipe", become_pipe},
    {"is a link to nothing", link_to_nothing},
    {"is a link to itself", link_to_itself},
    {"is a link to the file", link_to_file},
    {"is of another store", of_other_store},
    {"is of earlier", of_earlier},
    {"is there twice", twice},
    {"is there twice, once of later", twice_later},
    {"has a later name", later},
    {"is exchanged with the next", exchange},
};

/* An earlier log, and nothing that knows of a later one, is as good as any. */
static uint64_t known(const struct family *family, const struct act *act)
{
    const struct world *world = family->world;
    return act->act == of_earlier && world->backups[0] == 0 ? 0 : world->marked;
}

static bool act_on_file(
    const struct family *family, uint64_t index, struct patient *patient)
{
    const struct image *image = &family->world->image;
    const struct image_file *file = &image->files[index % image->count];
    const struct act *act = &acts[index / image->count];
    (void)snprintf(
        patient->text, sizeof patient->text, "%s %s", file->name, act->name);
    patient->place.marked = known(family, act);
    return act->act(family, file, patient->directory);
}

/* ---- Acts on all files of a kind ----------------------------------------- */

static const char *const kinds[] = {"log-", "backup-", ""};

static const struct act common_acts[] = {
    {"are missing", miss},
    {"are empty", empty},
    {"are of another store", of_other_store},
    {"are of earlier", of_earlier},
};

static bool act_on_all(
    const struct family *family, uint64_t index, struct patient *patient)
{
    const struct image *image = &family->world->image;
    const char *kind = kinds[index % ARRAY_SIZE(kinds)];
    const struct act *act = &common_acts[index / ARRAY_SIZE(kinds)];
    bool done = false;
    patient->place.marked = known(family, act);
    (void)snprintf(patient->text, sizeof patient->text, "all files %s* %s",
        kind, act->name);
    for (uint32_t i = 0; i < image->count; i++) {
        const struct image_file *file = &image->files[i];
        if (strncmp(file->name, kind, strlen(kind)) == 0 &&
            act->act(family, file, patient->directory)) {
            done = true;
        } else if (strncmp(file->name, kind, strlen(kind)) == 0 &&
                   act->act == of_earlier) {
            (void)miss(family, file, patient->directory);
        }
    }
    /* A whole directory that is gone, another's, or of earlier is none of the
     * store's business. */
    return done && (*kind != '\0' || act->act == empty);
}

/* ---- Strays -------------------------------------------------------------- */

/* What nobody asked for; fifo, directory: of that kind. */
static const struct {
    const char *name;
    const char *text; /* NULL: a directory */
    bool pipe;
} strays[] = {
    {"notes", "not of the store", false},
    {"log-new", "half made", false},
    {"log-new", NULL, false},
    {"log-spare", "half made", false},
    {"log-spare", NULL, false},
    {"log-spare", "", true},
    {"log-spare-new", "half made", false},
    {"log-spare-new", NULL, false},
    {"backup-new", "half made", false},
    {"backup-new", NULL, false},
    {"hash.key-new", "half made", false},
    {"log-", "", false},
    {"log-1", "", false},
    {"log-00000000000000000000", "", false},
    {"log-99999999999999999999", "", false},
    {"log-0000000000000000000x", "", false},
    {"log-00000000000000099999", "", false},
    {"log-00000000000000099999", "text", false},
    {"log-00000000000000099999", NULL, false},
    {"log-00000000000000099999", "", true},
    {"backup-1", "", false},
    {"backup-00000000000000000000", "", false},
    {"backup-99999999999999999999", "", false},
    {"backup-00000000000000099999", "", false},
    {"backup-00000000000000099999", "text", false},
    {"backup-00000000000000099999", NULL, false},
    {"backup-00000000000000099999", "", true},
    {"backup-00000000000000099999.damaged", "text", false},
};

static bool stray(
    const struct family *family, uint64_t index, struct patient *patient)
{
    const char *name = strays[index].name;
    const char *text = strays[index].text;
    int directory = patient->directory;
    (void)unlinkat(directory, name, 0);
    if (text == NULL) {
        check(mkdirat(directory, name, S_IRWXU), name);
    } else if (strays[index].pipe) {
        check(mkfifoat(directory, name, S_IRWXU), name);
    } else {
        int fd = file_create(directory, name);
        check(fd < 0 ? fd : file_write_at(fd, text, strlen(text), 0), name);
        file_close(fd);
    }
    (void)snprintf(patient->text, sizeof patient->text, "a %s %s%s",
        text == NULL         ? "directory"
        : strays[index].pipe ? "pipe"
                             : "file",
        name, text != NULL && *text == '\0' ? ", empty" : "");
    patient->place.marked = family->world->marked;
    return true;
}

/* ---- The list ------------------------------------------------------------ */

uint32_t cases_list_files(
    const struct world worlds[WORLDS], struct family *families)
{
    uint32_t listed = 0;
    for (uint32_t i = 0; i < WORLDS; i++) {
        const struct world *world = &worlds[i];
        const struct family list[] = {
            {"a file", DAMAGE_FILE, world, NULL, NULL, 0,
                ARRAY_SIZE(acts) * world->image.count, 40, act_on_file},
            {"all files", DAMAGE_FILE, world, NULL, NULL, 0,
                ARRAY_SIZE(kinds) * ARRAY_SIZE(common_acts),
                ARRAY_SIZE(kinds) * ARRAY_SIZE(common_acts), act_on_all},
            {"a stray file", DAMAGE_FILE, world, NULL, NULL, 0,
                ARRAY_SIZE(strays), 10, stray},
        };
        memcpy(families + listed, list, sizeof list);
        listed += ARRAY_SIZE(list);
    }
    return listed;
}
