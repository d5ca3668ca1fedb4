#include "client_transfer/progress.h"
#include "support.h"

#include <string.h>

static void the_line_tells_how_far_it_is(void)
{
    char text[PROGRESS_COLUMNS_MAX + 1];
    struct progress progress = {.name = "import", .total = 1000};
    struct progress_state state = {
        .done = 250, .records = 1000, .elapsed_ms = 2000};
    progress_line(&progress, &state, 60, text);
    CHECK_TEXT(
        text, "import [===>           ]  25%  1000 records, 500/s, 6 s left");
    CHECK_INT(strlen(text), 60);
    state = (struct progress_state){
        .done = 1000, .records = 4000, .elapsed_ms = 4000};
    progress_line(&progress, &state, 60, text);
    CHECK_TEXT(
        text, "import [==============] 100%  4000 records, 1000/s, 0 s left");
    /* A file that grows is not more than all. */
    state.done = 2000;
    progress_line(&progress, &state, 0, text);
    CHECK_TEXT(text, "");
    progress_line(&progress, &state, 30, text);
    CHECK_TEXT(text, "import 100%  4000 records, 100");
}

static void without_a_total_there_is_no_share(void)
{
    char text[PROGRESS_COLUMNS_MAX + 1];
    struct progress progress = {.name = "export"};
    struct progress_state state = {
        .done = 5, .records = 300, .elapsed_ms = 1000};
    progress_line(&progress, &state, 79, text);
    CHECK_TEXT(text, "export 300 records, 300/s");
}

static void no_line_is_wider_than_asked(void)
{
    char text[PROGRESS_COLUMNS_MAX + 1];
    struct progress progress = {.name = "import", .total = UINT64_MAX};
    struct test_random random;
    test_random_init(&random);
    for (size_t columns = 0; columns <= PROGRESS_COLUMNS_MAX; columns++) {
        struct progress_state state = {
            .done = test_random_next(&random),
            .records = test_random_next(&random) >> 20,
            .elapsed_ms = (int64_t)test_random_below(&random, 1 << 30),
        };
        progress_line(&progress, &state, columns, text);
        CHECK(strlen(text) <= columns);
    }
}

static void nothing_is_drawn_without_a_terminal(void)
{
    struct progress progress;
    progress_begin(&progress, "import", 10, false);
    CHECK(!progress.shown);
    progress.due_ms = 0;
    progress_show(&progress, 5, 5);
    CHECK(!progress.drawn);
    CHECK(progress_elapsed_ms(&progress) >= 0);
}

const struct test_case test_progress[] = {
    TEST_CASE(the_line_tells_how_far_it_is),
    TEST_CASE(without_a_total_there_is_no_share),
    TEST_CASE(no_line_is_wider_than_asked),
    TEST_CASE(nothing_is_drawn_without_a_terminal),
    TEST_END,
};
