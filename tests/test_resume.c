#include "client_transfer/resume.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client_transfer/beside.h"

struct place {
    struct test_directory directory;
    char path[TEST_PATH_MAX + 32];
};

static void place_make(struct place *place)
{
    REQUIRE(test_directory_make(&place->directory));
    (void)snprintf(
        place->path, sizeof place->path, "%s/f.resume", place->directory.path);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    CHECK(fputs(text, file) >= 0);
    REQUIRE(fclose(file) == 0);
}

static void check_text(const char *path, const char *wanted)
{
    char text[512] = "";
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    size_t size = fread(text, 1, sizeof text - 1, file);
    CHECK_INT(size, strlen(wanted));
    CHECK_TEXT(text, wanted);
    REQUIRE(fclose(file) == 0);
}

static void what_is_written_is_read(void)
{
    struct place place;
    struct resume read;
    struct resume resume = {.server = "127.0.0.1:8080",
        .bytes = 123456,
        .crc32c = UINT32_MAX,
        .imported = 1000,
        .expired = 2};
    place_make(&place);
    CHECK_ERRNO(resume_read(place.path, &read), ENOENT);
    CHECK_OK(resume_write(place.path, &resume));
    check_text(place.path,
        "fixkv import 1\nserver 127.0.0.1:8080\nbytes 123456\n"
        "crc32c 4294967295\nimported 1000\nkept 0\nexpired 2\n");
    resume.kept = INT64_MAX;
    memset(resume.server, 'h', sizeof resume.server - 1);
    CHECK_OK(resume_write(place.path, &resume));
    CHECK_OK(resume_read(place.path, &read));
    CHECK_TEXT(read.server, resume.server);
    CHECK_U64(read.bytes, resume.bytes);
    CHECK_U64(read.crc32c, resume.crc32c);
    CHECK_U64(read.imported, resume.imported);
    CHECK_U64(read.kept, resume.kept);
    CHECK_U64(read.expired, resume.expired);
    CHECK_OK(resume_remove(place.path));
    CHECK_ERRNO(resume_remove(place.path), ENOENT);
    /* Nothing was left beside it. */
    CHECK(test_directory_remove(&place.directory));
}

static void anything_else_is_refused(void)
{
    static const char good[] =
        "fixkv import 1\nserver s\nbytes 1\ncrc32c 2\nimported 3\nkept 4\n"
        "expired 5\n";
    static const char *const wrong[] = {"", "\n", "fixkv import 2\n",
        "fixkv import 1\nserver s\n",
        "fixkv import 1\nserver s\nbytes -1\ncrc32c 2\nimported 3\nkept 4\n"
        "expired 5\n",
        "fixkv import 1\nserver s\nbytes 1\ncrc32c 2\nimported 3\nkept 4\n"
        "expired 5\n\n",
        "fixkv import 1\nserver s\nbytes1\ncrc32c 2\nimported 3\nkept 4\n"
        "expired 5\n"};
    struct place place;
    struct resume read;
    place_make(&place);
    write_text(place.path, good);
    CHECK_OK(resume_read(place.path, &read));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_text(place.path, wrong[i]);
        CHECK_ERRNO(resume_read(place.path, &read), EUCLEAN);
    }
    for (size_t cut = 1; cut < strlen(good); cut++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        text[cut] = '\0';
        write_text(place.path, text);
        CHECK_ERRNO(resume_read(place.path, &read), EUCLEAN);
    }
    CHECK(test_directory_remove(&place.directory));
}

/* An import replaces its note, and removes it in the end. */
static void only_a_note_may_be_replaced(void)
{
    struct place place;
    const struct resume resume = {.server = "s", .bytes = 1};
    place_make(&place);
    CHECK_OK(resume_check(place.path));
    write_text(place.path, "");
    CHECK_OK(resume_check(place.path));
    CHECK_OK(resume_write(place.path, &resume));
    CHECK_OK(resume_check(place.path));
    write_text(place.path, "{\"key\":\"name\",\"value\":\"John Doe\"}\n");
    CHECK_ERRNO(resume_check(place.path), EUCLEAN);
    CHECK_OK(resume_remove(place.path));
    CHECK_INT(symlink("nothing", place.path), 0);
    CHECK_ERRNO(resume_check(place.path), EUCLEAN);
    CHECK_ERRNO(resume_check(place.directory.path), EUCLEAN);
    CHECK_ERRNO(resume_check("/dev/null"), EUCLEAN);
    CHECK_OK(resume_remove(place.path));
    CHECK(test_directory_remove(&place.directory));
}

static void the_old_file_stays_until_the_new_one_is_whole(void)
{
    struct place place;
    struct beside beside;
    place_make(&place);
    write_text(place.path, "old");
    CHECK_OK(beside_begin(&beside, place.path));
    CHECK_OK(beside_write(&beside, "new ", 4));
    check_text(place.path, "old");
    beside_abandon(&beside);
    check_text(place.path, "old");
    CHECK_OK(beside_begin(&beside, place.path));
    CHECK_OK(beside_write(&beside, "new ", 4));
    CHECK_OK(beside_write(&beside, "one", 3));
    CHECK_OK(beside_finish(&beside));
    check_text(place.path, "new one");
    CHECK_OK(resume_remove(place.path));
    CHECK(test_directory_remove(&place.directory));
}

static void a_place_that_is_none_is_told(void)
{
    char path[NAME_MAX + 2];
    struct beside beside;
    CHECK_ERRNO(beside_begin(&beside, "/nowhere/at/all/f"), ENOENT);
    CHECK_ERRNO(beside_begin(&beside, "/tmp/"), EISDIR);
    memset(path, 'n', NAME_MAX);
    path[NAME_MAX] = '\0';
    CHECK_ERRNO(beside_begin(&beside, path), ENAMETOOLONG);
    beside_abandon(&beside);
}

const struct test_case test_resume[] = {
    TEST_CASE(what_is_written_is_read),
    TEST_CASE(anything_else_is_refused),
    TEST_CASE(only_a_note_may_be_replaced),
    TEST_CASE(the_old_file_stays_until_the_new_one_is_whole),
    TEST_CASE(a_place_that_is_none_is_told),
    TEST_END,
};
