#include "client_options.h"
#include "support.h"

#include <string.h>

struct chosen {
    int64_t number;
    int64_t time_ms;
    double fraction;
    const char *text;
    bool flag;
};

static const struct option table[] = {
    {.name = "number",
        .kind = OPTION_NUMBER,
        .offset = offsetof(struct chosen, number),
        .least = 1,
        .most = 9,
        .initial = 5},
    {.name = "time",
        .kind = OPTION_DURATION,
        .offset = offsetof(struct chosen, time_ms)},
    {.name = "fraction",
        .kind = OPTION_FRACTION,
        .offset = offsetof(struct chosen, fraction),
        .least = 10,
        .most = 999,
        .initial = 990},
    {.name = "text",
        .kind = OPTION_TEXT,
        .offset = offsetof(struct chosen, text),
        .argument = "TEXT"},
    {.name = "flag",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct chosen, flag)},
    {0}};

enum { WORDS_MAX = 12 };

struct given {
    char line[128];
    char *words[WORDS_MAX];
    struct arguments arguments;
    struct chosen chosen;
    char why[OPTIONS_WHY_MAX];
};

/* Reads the words of a line; one that is "" stands there as ''. */
static bool read_line(struct given *given, const char *line, bool as_leader)
{
    char *rest = NULL;
    *given = (struct given){0};
    REQUIRE(strlen(line) < sizeof given->line);
    memcpy(given->line, line, strlen(line));
    given->arguments.words = given->words;
    for (char *word = strtok_r(given->line, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        given->words[given->arguments.count++] =
            strcmp(word, "''") == 0 ? word + 2 : word;
    }
    return options_read(
        table, &given->arguments, as_leader, &given->chosen, given->why);
}

static void check_words(
    const struct given *given, const char *first, const char *second)
{
    CHECK_INT(given->arguments.count, 2);
    CHECK_TEXT(given->arguments.words[0], first);
    CHECK_TEXT(given->arguments.words[1], second);
}

static void options_and_words_may_be_mixed(void)
{
    struct given given;
    CHECK(read_line(&given,
        "a --number 7 --flag -5 --time=90s --text --flag --fraction 0.5",
        false));
    check_words(&given, "a", "-5");
    CHECK_INT(given.chosen.number, 7);
    CHECK_INT(given.chosen.time_ms, 90000);
    CHECK_TEXT(given.chosen.text, "--flag");
    CHECK(given.chosen.fraction > 0.49 && given.chosen.fraction < 0.51);
    CHECK(given.chosen.flag);
    CHECK(!given.arguments.help);
}

static void what_is_not_given_is_initial(void)
{
    struct given given;
    CHECK(read_line(&given, "a -", false));
    check_words(&given, "a", "-");
    CHECK_INT(given.chosen.number, 5);
    CHECK_INT(given.chosen.time_ms, 0);
    CHECK(given.chosen.text == NULL && !given.chosen.flag);
    CHECK(!(given.chosen.fraction > 0));
    CHECK(read_line(&given, "--fraction --flag a b", false));
    check_words(&given, "a", "b");
    CHECK(given.chosen.fraction > 0.98);
    CHECK(read_line(&given, "a b --fraction", false));
    CHECK(given.chosen.fraction > 0.98);
}

static void two_minus_signs_end_the_options(void)
{
    struct given given;
    CHECK(read_line(&given, "--flag -- --number --help", false));
    check_words(&given, "--number", "--help");
    CHECK(given.chosen.flag && !given.arguments.help);
}

static void a_leader_stops_at_the_first_word(void)
{
    struct given given;
    CHECK(read_line(&given, "--number 3 put --help", true));
    check_words(&given, "put", "--help");
    CHECK_INT(given.chosen.number, 3);
    CHECK(!given.arguments.help);
    CHECK(read_line(&given, "--help put --help", true));
    CHECK(given.arguments.help);
}

static void what_is_wrong_is_named(void)
{
    static const char *const wrong[] = {"--number 0", "--number 10", "--number",
        "--number x", "--number=", "--number ''", "--time 0", "--time 5x",
        "--time", "--fraction 1.0", "--fraction=x", "--fraction 0.5x",
        "--flag=1", "--text", "--numbe 1", "--numbers 1", "--other", "--=1"};
    struct given given;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t name = strcspn(wrong[i], " =");
        if (read_line(&given, wrong[i], false) ||
            strncmp(strstr(given.why, "--"), wrong[i], name) != 0) {
            CHECK_TEXT(given.why, wrong[i]);
        }
        CHECK(given.why[0] != '\0');
    }
}

static void durations_have_units(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1ms", 1}, {"1500ms", 1500}, {"90", 90000}, {"90s", 90000},
        {"15m", 900000}, {"12h", 43200000}, {"7d", 604800000},
        {"9223372036854775807ms", INT64_MAX}};
    static const char *const wrong[] = {"", "0", "0ms", "-1s", "+1s", "1.5s",
        "s", "1 s", "1S", "1sec", "01s", "106751991168d",
        "9223372036854775808ms"};
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(options_duration(good[i].text, &ms));
        CHECK_INT(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!options_duration(wrong[i], &ms));
    }
}

const struct test_case test_client_options[] = {
    TEST_CASE(options_and_words_may_be_mixed),
    TEST_CASE(what_is_not_given_is_initial),
    TEST_CASE(two_minus_signs_end_the_options),
    TEST_CASE(a_leader_stops_at_the_first_word),
    TEST_CASE(what_is_wrong_is_named),
    TEST_CASE(durations_have_units),
    TEST_END,
};
