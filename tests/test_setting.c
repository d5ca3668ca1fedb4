/* One setting: what each kind takes, what it says that it takes, its names. */
#include "support.h"

#include <string.h>

#include "bytes.h"
#include "config/setting.h"

static void each_kind_takes_what_it_says(void)
{
    static const struct {
        const char *text;
        uint64_t number;
        enum config_id id;
        bool valid;
    } cases[] = {
        {"0.0.0.0", 0, CONFIG_HOST, true},
        {"::1", 0, CONFIG_HOST, true},
        {"fe80::1%lo", 0, CONFIG_HOST, false},
        {"127.1", 0, CONFIG_HOST, false},
        {"", 0, CONFIG_HOST, false},
        {"0", 0, CONFIG_PORT, true},
        {"65535", 65535, CONFIG_PORT, true},
        {"-1", 0, CONFIG_PORT, false},
        {"+1", 0, CONFIG_PORT, false},
        {"080", 0, CONFIG_PORT, false},
        {" 80", 0, CONFIG_PORT, false},
        {"80 ", 0, CONFIG_PORT, false},
        {"0x50", 0, CONFIG_PORT, false},
        {"auto", 0, CONFIG_PORT, false},
        {"99999999999999999999", 0, CONFIG_PORT, false},
        {"auto", 0, CONFIG_CAPACITY, true},
        {"1", 1, CONFIG_CAPACITY, true},
        {"1000000000", 1000000000, CONFIG_CAPACITY, true},
        {"1000000001", 0, CONFIG_CAPACITY, false},
        {"1M", 0, CONFIG_CAPACITY, false},
        {"always", 0, CONFIG_SYNC, true},
        {"everysec", 1, CONFIG_SYNC, true},
        {"none", 2, CONFIG_SYNC, true},
        {"every", 0, CONFIG_SYNC, false},
        {"always everysec", 0, CONFIG_SYNC, false},
        {" ", 0, CONFIG_SYNC, false},
        {"", 0, CONFIG_SYNC, false},
        {"2M", 2 << 20, CONFIG_LOG_SEGMENT, true},
        {"2097152", 2 << 20, CONFIG_LOG_SEGMENT, true},
        {"2052k", 2052 << 10, CONFIG_LOG_SEGMENT, true},
        {"4G", (uint64_t)4 << 30, CONFIG_LOG_SEGMENT, true},
        {"2047K", 0, CONFIG_LOG_SEGMENT, false},
        {"4097M", 0, CONFIG_LOG_SEGMENT, false},
        {"1T", 0, CONFIG_LOG_SEGMENT, false},
        {"2097153", 0, CONFIG_LOG_SEGMENT, false},
        {"M", 0, CONFIG_LOG_SEGMENT, false},
        {"1MB", 0, CONFIG_LOG_SEGMENT, false},
        {"1 M", 0, CONFIG_LOG_SEGMENT, false},
        {"9223372036854775807T", 0, CONFIG_LOG_SEGMENT, false},
        /* 1G, if the bits that leave 64 were lost */
        {"17179869185G", 0, CONFIG_LOG_SEGMENT, false},
        {"1", 1, CONFIG_ALLOW_OPEN, true},
        {"yes", 0, CONFIG_ALLOW_OPEN, false},
        {"with blanks and \xc3\xbc", 0, CONFIG_DATA_DIR, true},
        {"del\x7f", 0, CONFIG_DATA_DIR, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t number;
        bool valid =
            setting_parse(setting_row(cases[i].id), cases[i].text, &number);
        if (valid != cases[i].valid) {
            CHECK_TEXT(cases[i].text, valid ? "refused" : "taken");
        }
        if (valid) {
            CHECK_U64(number, cases[i].number);
        }
    }
}

static void a_span_is_a_time_or_a_size(void)
{
    static const struct {
        const char *text;
        uint64_t number;
        bool valid;
    } cases[] = {
        {"none", 0, true},
        {"1s", CONFIG_SPAN_TIME | 1000, true},
        {"24h", CONFIG_SPAN_TIME | 86400000, true},
        {"3650d", CONFIG_SPAN_TIME | CONFIG_SPAN_MS, true},
        {"2M", 2 << 20, true},
        {"2049k", 2049 << 10, true},
        {"64m", 64 << 20, true},
        {"10G", (uint64_t)10 << 30, true},
        {"1024T", (uint64_t)1024 << 40, true},
        {"", 0, false},
        {"s", 0, false},
        {"0", 0, false},
        {"0s", 0, false},
        {"-1s", 0, false},
        {"1.5h", 0, false},
        {"24H", 0, false},
        {"3651d", 0, false},
        {"18446744073709551615d", 0, false},
        {"90ms", 0, false},
        {"10", 0, false},
        {"8388608", 0, false},
        {"1M", 0, false},
        {"1025T", 0, false},
        {"all", 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t number;
        bool valid =
            setting_parse(setting_row(CONFIG_LOG_KEEP), cases[i].text, &number);
        if (valid != cases[i].valid) {
            CHECK_TEXT(cases[i].text, valid ? "refused" : "taken");
        }
        if (valid) {
            CHECK_U64(number, cases[i].number);
        }
    }
}

static void each_default_is_taken(void)
{
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        uint64_t number;
        const struct setting *setting = setting_row(id);
        CHECK(*setting->otherwise == '\0' ||
              setting_parse(setting, setting->otherwise, &number));
    }
}

static void each_kind_says_what_it_takes(void)
{
    static const struct {
        enum config_id id;
        const char *allowed;
    } cases[] = {
        {CONFIG_HOST, "an IPv4 or IPv6 address, or localhost"},
        {CONFIG_PORT, "a whole number from 0 to 65535"},
        {CONFIG_WORKERS, "a whole number from 1 to 256, or auto"},
        {CONFIG_LOG_SEGMENT, "a size from 2M to 4G, a multiple of 4096"},
        {CONFIG_LOG_KEEP, "none, a time from 1s to 3650d in s, h or d, or a "
                          "size from 2M to 1024T"},
        {CONFIG_SYNC, "one word of: always everysec none"},
        {CONFIG_PASSWORD, "1 to 256 bytes without control characters"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[SETTING_ALLOWED_MAX];
        CHECK_TEXT(
            setting_allowed(setting_row(cases[i].id), text), cases[i].allowed);
    }
}

static void flags_are_spelled_from_the_names(void)
{
    char flag[SETTING_FLAG_MAX];
    CHECK_TEXT(setting_flag("KV_PORT", flag), "--port");
    CHECK_TEXT(setting_flag("KV_DATA_DIR", flag), "--data-dir");
    /* The longest name of the table fits; setting_flag asserts it. */
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        CHECK(strlen(setting_flag(setting_row(id)->name, flag)) > 2);
    }
}

static void the_nearest_name_is_told_if_it_is_near(void)
{
    static const struct {
        const char *name;
        const char *hint;
        bool is_flag;
    } cases[] = {
        {"KV_PROT", "; did you mean KV_PORT?", false},
        {"kv_port", "; did you mean KV_PORT?", false},
        {"KV_PASSWORD_FIL", "; did you mean KV_PASSWORD_FILE?", false},
        {"KV_OST", "; did you mean KV_HOST?", false},
        {"KV_ABCDE", "", false},
        {"", "", false},
        {"KV_A_NAME_THAT_IS_LONGER_THAN_ALL_OF_THEM", "", false},
        {"--workers-", "; did you mean --workers?", true},
        {"--show-confg", "; did you mean --show-config?", true},
        {"--show-confg", "", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[SETTING_HINT_MAX];
        CHECK_TEXT(
            setting_hint(cases[i].name, cases[i].is_flag, text), cases[i].hint);
    }
}

static void loopback_is_what_only_this_machine_reaches(void)
{
    CHECK(setting_is_loopback("127.0.0.1"));
    CHECK(setting_is_loopback("127.1.2.3"));
    CHECK(setting_is_loopback("::1"));
    CHECK(!setting_is_loopback("128.0.0.1"));
    CHECK(!setting_is_loopback("0.0.0.0"));
    CHECK(!setting_is_loopback("::"));
    CHECK(!setting_is_loopback("nonsense"));
}

const struct test_case test_setting[] = {
    TEST_CASE(each_kind_takes_what_it_says),
    TEST_CASE(a_span_is_a_time_or_a_size),
    TEST_CASE(each_default_is_taken),
    TEST_CASE(each_kind_says_what_it_takes),
    TEST_CASE(flags_are_spelled_from_the_names),
    TEST_CASE(the_nearest_name_is_told_if_it_is_near),
    TEST_CASE(loopback_is_what_only_this_machine_reaches),
    TEST_END,
};
