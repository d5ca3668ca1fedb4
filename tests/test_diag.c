#include "diag.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

enum { OUTPUT_MAX = 1 << 18, THREADS = 4, LINES = 200 };

/* A diag that prints into a file of its own, and what was printed. */
struct fixture {
    struct diag diag;
    char output[OUTPUT_MAX];
};

static struct fixture *set_up(int verbose, const char *name)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    REQUIRE(fixture != NULL);
    diag_init(&fixture->diag, verbose);
    fixture->diag.stream = tmpfile();
    fixture->diag.name = name;
    REQUIRE(fixture->diag.stream != NULL);
    return fixture;
}

static const char *printed(struct fixture *fixture)
{
    FILE *stream = fixture->diag.stream;
    rewind(stream);
    size_t size = fread(fixture->output, 1, OUTPUT_MAX - 1, stream);
    fixture->output[size] = '\0';
    return fixture->output;
}

static void tear_down(struct fixture *fixture)
{
    CHECK(fclose(fixture->diag.stream) == 0);
    free(fixture);
}

static void a_line_has_its_name_and_its_end(void)
{
    struct fixture *fixture = set_up(0, "client");
    diag_line(&fixture->diag, "%d records in %s", 12, "a file");
    diag_line(&fixture->diag, "%s", "");
    CHECK_TEXT(printed(fixture), "client: 12 records in a file\nclient: \n");
    tear_down(fixture);
}

static void an_empty_name_leaves_the_bare_text(void)
{
    struct fixture *fixture = set_up(0, "");
    diag_line(&fixture->diag, "bare");
    CHECK_TEXT(printed(fixture), "bare\n");
    tear_down(fixture);
}

static void without_a_name_the_time_stands_first(void)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd.ddd backup\n";
    struct fixture *fixture = set_up(0, NULL);
    diag_line(&fixture->diag, "backup");
    const char *text = printed(fixture);
    size_t time_length = strcspn(shape, "b");
    REQUIRE(strlen(text) == strlen(shape));
    for (size_t i = 0; i < strlen(shape); i++) {
        if (i < time_length && shape[i] == 'd') {
            CHECK(text[i] >= '0' && text[i] <= '9');
        } else {
            CHECK_INT(text[i], shape[i]);
        }
    }
    tear_down(fixture);
}

static void the_service_manager_writes_its_own_time(void)
{
    struct diag diag;
    REQUIRE(unsetenv("JOURNAL_STREAM") == 0);
    diag_init(&diag, 2);
    CHECK(diag.name == NULL);
    CHECK(diag.stream == stderr);
    CHECK_INT(diag.verbose, 2);
    REQUIRE(setenv("JOURNAL_STREAM", "8:1234", 1) == 0);
    diag_init(&diag, 0);
    CHECK_TEXT(diag.name, "");
}

static void verbose_lines_need_their_level(void)
{
    struct fixture *fixture = set_up(1, "");
    diag_verbose(&fixture->diag, 1, "one");
    diag_verbose(&fixture->diag, 2, "two");
    diag_line(&fixture->diag, "always");
    CHECK_TEXT(printed(fixture), "one\nalways\n");
    tear_down(fixture);
}

static void nothing_is_printed_to_nowhere(void)
{
    struct diag diag = {.verbose = 2, .stream = NULL, .name = NULL};
    diag_line(&diag, "nowhere");
    diag_verbose(&diag, 1, "nowhere");
    diag_line(NULL, "nowhere");
    diag_verbose(NULL, 0, "nowhere");
    CU_PASS("no crash");
}

static void control_characters_cannot_forge_a_line(void)
{
    struct fixture *fixture = set_up(0, "");
    diag_line(&fixture->diag, "%s", "key \n\r\t\x1b[2J\x7f gr\xc3\xbc\xc3\x9f");
    CHECK_TEXT(printed(fixture), "key ????[2J? gr\xc3\xbc\xc3\x9f\n");
    tear_down(fixture);
}

static void a_long_line_is_cut_and_says_so(void)
{
    struct fixture *fixture = set_up(0, "");
    for (int length = 2040; length < 2060; length++) {
        diag_line(&fixture->diag, "%0*d", length, 0);
    }
    diag_line(&fixture->diag, "%s %0*d", "head", 100000, 0);
    const char *line = printed(fixture);
    unsigned lines = 0;
    while (*line != '\0') {
        const char *end = strchr(line, '\n');
        REQUIRE(end != NULL);
        size_t length = (size_t)(end - line);
        bool cut = strncmp(end - 3, "...", 3) == 0;
        CHECK(length <= 2047);
        CHECK_INT(cut, lines >= 8);
        line = end + 1;
        lines++;
    }
    CHECK_INT(lines, 21);
    tear_down(fixture);
}

static void *print_many(void *argument)
{
    struct diag *diag = argument;
    for (int i = 0; i < LINES; i++) {
        diag_line(diag, "%s", "a line that is long enough to be torn apart");
    }
    return NULL;
}

static void lines_of_threads_do_not_mix(void)
{
    static const char expected[] =
        "test: a line that is long enough to be torn apart\n";
    struct fixture *fixture = set_up(0, "test");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(
            pthread_create(&threads[i], NULL, print_many, &fixture->diag) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    const char *text = printed(fixture);
    size_t size = strlen(expected);
    CHECK_INT(strlen(text), THREADS * LINES * size);
    for (size_t at = 0; at + size <= strlen(text); at += size) {
        CHECK(memcmp(text + at, expected, size) == 0);
    }
    tear_down(fixture);
}

static void fatal_prints_and_ends_with_status_1(void)
{
    int status = 0;
    struct fixture *fixture = set_up(0, "");
    pid_t child = fork();
    if (child == 0) {
        diag_fatal(&fixture->diag, "sync failed: %s", "disk on fire");
    }
    REQUIRE(child > 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 1);
    CHECK_TEXT(printed(fixture), "sync failed: disk on fire\n");
    tear_down(fixture);
}

/* ---- Lines that nobody takes --------------------------------------------- */

/* A diag that drops, and the other end of its pipe. */
struct piped {
    struct diag diag;
    int end;
};

static void open_pipe(struct piped *piped)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    diag_init(&piped->diag, 2);
    piped->diag.name = "";
    piped->diag.drops = true;
    piped->diag.stream = fdopen(ends[1], "w");
    piped->end = ends[0];
    REQUIRE(piped->diag.stream != NULL);
}

/* What is in the pipe: as many whole lines of that text as are returned. */
static uint64_t take_lines(struct piped *piped, const char *text)
{
    static char bytes[OUTPUT_MAX];
    size_t size = strlen(text);
    ssize_t got = read(piped->end, bytes, sizeof bytes);
    REQUIRE(got > 0 && (size_t)got % size == 0);
    for (size_t at = 0; at < (size_t)got; at += size) {
        REQUIRE(memcmp(bytes + at, text, size) == 0);
    }
    return (size_t)got / size;
}

static void print_until_dropped(struct piped *piped, uint64_t *lines)
{
    for (*lines = 0; piped->diag.dropped == 0; ++*lines) {
        diag_line(&piped->diag, "line");
        REQUIRE(*lines < OUTPUT_MAX);
    }
}

static void close_pipe(struct piped *piped)
{
    CHECK_INT(fclose(piped->diag.stream), 0);
    CHECK_INT(close(piped->end), 0);
}

static void what_nobody_takes_is_dropped_and_counted(void)
{
    static const char told[] =
        "12 lines were dropped before this one: nobody took them\nheard\n";
    struct piped piped;
    uint64_t lines;
    char text[sizeof told];
    open_pipe(&piped);
    print_until_dropped(&piped, &lines);
    for (int i = 1; i < 12; i++) {
        diag_line(&piped.diag, "line");
    }
    CHECK_U64(piped.diag.dropped, 12);
    CHECK_U64(take_lines(&piped, "line\n"), lines - 1);
    diag_line(&piped.diag, "heard");
    CHECK_U64(piped.diag.dropped, 0);
    CHECK_INT(read(piped.end, text, sizeof text), sizeof told - 1);
    CHECK_BYTES(text, told, sizeof told - 1);
    close_pipe(&piped);
}

static void threads_do_not_wait_for_a_pipe_either(void)
{
    static const char line[] = "a line that is long enough to be torn apart\n";
    enum { ROUNDS = 10 }; /* ten times what the pipe takes, and more */
    struct piped piped;
    pthread_t threads[THREADS];
    open_pipe(&piped);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THREADS; i++) {
            REQUIRE(pthread_create(
                        &threads[i], NULL, print_many, &piped.diag) == 0);
        }
        for (int i = 0; i < THREADS; i++) {
            REQUIRE(pthread_join(threads[i], NULL) == 0);
        }
    }
    uint64_t dropped = piped.diag.dropped;
    CHECK(dropped > 0);
    CHECK_U64(take_lines(&piped, line) + dropped, ROUNDS * THREADS * LINES);
    close_pipe(&piped);
}

static void fatal_ends_though_nobody_takes_its_line(void)
{
    struct piped piped;
    uint64_t lines;
    int status = 0;
    open_pipe(&piped);
    print_until_dropped(&piped, &lines);
    pid_t child = fork();
    if (child == 0) {
        diag_fatal(&piped.diag, "unheard");
    }
    REQUIRE(child > 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 1);
    CHECK_U64(take_lines(&piped, "line\n"), lines - 1);
    close_pipe(&piped);
}

const struct test_case test_diag[] = {
    TEST_CASE(a_line_has_its_name_and_its_end),
    TEST_CASE(an_empty_name_leaves_the_bare_text),
    TEST_CASE(without_a_name_the_time_stands_first),
    TEST_CASE(the_service_manager_writes_its_own_time),
    TEST_CASE(verbose_lines_need_their_level),
    TEST_CASE(nothing_is_printed_to_nowhere),
    TEST_CASE(control_characters_cannot_forge_a_line),
    TEST_CASE(a_long_line_is_cut_and_says_so),
    TEST_CASE(lines_of_threads_do_not_mix),
    TEST_CASE(fatal_prints_and_ends_with_status_1),
    TEST_CASE(what_nobody_takes_is_dropped_and_counted),
    TEST_CASE(threads_do_not_wait_for_a_pipe_either),
    TEST_CASE(fatal_ends_though_nobody_takes_its_line),
    TEST_END,
};
