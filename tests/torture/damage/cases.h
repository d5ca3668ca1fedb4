/* cases.h: all that is done to the files of a store, numbered: families
 * of damages of one kind, in one file or in one after the other. */
#ifndef DAMAGE_CASES_H
#define DAMAGE_CASES_H

#include "torture/damage/open.h"

enum { FAMILIES_MAX = 128, CASE_TEXT_MAX = 200 };

enum damage_kind { DAMAGE_CUT, DAMAGE_FLIP, DAMAGE_PAGE, DAMAGE_FILE, DAMAGES };

struct family;

/* What one damage is done to. */
struct patient {
    int directory;
    struct place place;       /* to be filled in */
    char text[CASE_TEXT_MAX]; /* for people; to be filled in */
};

struct family {
    const char *name;
    enum damage_kind kind;
    const struct world *world;
    const struct image_file *file; /* the one that is damaged; or NULL */
    const struct image *from;      /* where other content comes from */
    uint64_t offset;
    uint64_t count;  /* of damages */
    uint64_t sample; /* of these, in the short form */
    /* Does number index to the files; false if there is no such damage. */
    bool (*apply)(
        const struct family *family, uint64_t index, struct patient *patient);
};

/* Fills families; returns how many. */
uint32_t cases_list(
    const struct world worlds[WORLDS], struct family families[FAMILIES_MAX]);

/* files.c: what is done to whole files. */
uint32_t cases_list_files(
    const struct world worlds[WORLDS], struct family *families);

#endif
