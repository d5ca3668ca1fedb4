/* setting.c: see setting.h. */
#include "config/setting.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "bytes.h"

static const struct setting settings[CONFIG_COUNT] = {
#define X(name, kind, otherwise, least, most, words, missing, text)            \
    [CONFIG_##name] = {CONFIG_PREFIX #name, SETTING_##kind, otherwise, least,  \
        most, words, missing, text},
    CONFIG_MAP(X)
#undef X
};

static const struct setting_action actions[CONFIG_ACTION_COUNT] = {
#define X(name, text) [CONFIG_##name] = {CONFIG_PREFIX #name, text},
    CONFIG_ACTION_MAP(X)
#undef X
};

static const char suffixes[] = "KMGT";

enum { SUFFIX_BITS = 10, SIZE_TEXT_MAX = DECIMAL_MAX + 2 };

const struct setting *setting_row(enum config_id id)
{
    assert(id < CONFIG_COUNT);
    return &settings[id];
}

const struct setting_action *setting_action_row(enum config_action action)
{
    assert(action > CONFIG_SERVE && action < CONFIG_ACTION_COUNT);
    return &actions[action];
}

/* ---- Names ------------------------------------------------------------- */

const char *setting_flag(const char *name, char flag[SETTING_FLAG_MAX])
{
    assert(strncmp(name, CONFIG_PREFIX, strlen(CONFIG_PREFIX)) == 0);
    int length =
        snprintf(flag, SETTING_FLAG_MAX, "--%s", name + strlen(CONFIG_PREFIX));
    assert(length > 0 && length < SETTING_FLAG_MAX);
    for (char *c = flag; *c != '\0'; c++) {
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    }
    return flag;
}

/* How many characters must be put in, left out or replaced to make one of the
 * other, capitals or not (Levenshtein); SETTING_FLAG_MAX if one is longer than
 * any name here. */
static uint64_t distance(const char *from, const char *to)
{
    uint64_t row[SETTING_FLAG_MAX];
    size_t columns = strlen(to);
    if (columns >= SETTING_FLAG_MAX || strlen(from) >= SETTING_FLAG_MAX) {
        return SETTING_FLAG_MAX;
    }
    for (size_t column = 0; column <= columns; column++) {
        row[column] = column;
    }
    for (; *from != '\0'; from++) {
        uint64_t diagonal = row[0]++;
        for (size_t column = 1; column <= columns; column++) {
            bool same = toupper((unsigned char)*from) ==
                        toupper((unsigned char)to[column - 1]);
            uint64_t replaced = diagonal + (same ? 0 : 1);
            uint64_t added = u64_min(row[column], row[column - 1]) + 1;
            diagonal = row[column];
            row[column] = u64_min(replaced, added);
        }
    }
    return row[columns];
}

const char *setting_hint(
    const char *name, bool is_flag, char text[SETTING_HINT_MAX])
{
    enum { CLOSE = 2, ALL = CONFIG_COUNT + CONFIG_ACTION_COUNT };
    uint64_t closest = CLOSE + 1;
    text[0] = '\0';
    for (size_t i = 0; i < (is_flag ? ALL : CONFIG_COUNT); i++) {
        char flag[SETTING_FLAG_MAX];
        const char *known = i < CONFIG_COUNT ? settings[i].name
                                             : actions[i - CONFIG_COUNT].name;
        if (known == NULL) {
            continue;
        }
        known = is_flag ? setting_flag(known, flag) : known;
        uint64_t steps = distance(name, known);
        if (steps < closest) {
            closest = steps;
            (void)snprintf(text, SETTING_HINT_MAX, "; did you mean %s?", known);
        }
    }
    return text;
}

/* ---- Values ------------------------------------------------------------ */

static bool parse_number(const char *text, size_t length, uint64_t *number)
{
    int64_t parsed;
    bool overflow;
    if (!decimal_parse(text, length, &parsed, &overflow) || parsed < 0) {
        return false;
    }
    *number = (uint64_t)parsed;
    return true;
}

/* Bytes, with a suffix or without. */
static bool parse_size(const char *text, uint64_t *number)
{
    size_t length = strlen(text);
    unsigned shift = 0;
    const char *suffix =
        length == 0
            ? NULL
            : strchr(suffixes, toupper((unsigned char)text[length - 1]));
    if (suffix != NULL) {
        shift = SUFFIX_BITS * (unsigned)(suffix - suffixes + 1);
        length--;
    }
    if (!parse_number(text, length, number) || *number > UINT64_MAX >> shift) {
        return false;
    }
    *number <<= shift;
    return true;
}

/* A whole number of these, at least one and CONFIG_SPAN_MS at most. */
static bool parse_time(const char *text, uint64_t unit_ms, uint64_t *ms)
{
    if (!parse_number(text, strlen(text) - 1, ms) || *ms == 0 ||
        *ms > CONFIG_SPAN_MS / unit_ms) {
        return false;
    }
    *ms *= unit_ms;
    return true;
}

/* What it is is told by its last letter. */
static bool parse_span(
    const struct setting *setting, const char *text, uint64_t *number)
{
    static const struct {
        char suffix;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'h', 3600 * 1000}, {'d', 24 * 3600 * 1000}};
    size_t length = strlen(text);
    if (strcmp(text, CONFIG_NONE) == 0) {
        return true;
    }
    for (size_t i = 0; length > 0 && i < ARRAY_SIZE(units); i++) {
        if (text[length - 1] == units[i].suffix) {
            bool valid = parse_time(text, units[i].ms, number);
            *number |= CONFIG_SPAN_TIME;
            return valid;
        }
    }
    return length > 0 && !isdigit((unsigned char)text[length - 1]) &&
           parse_size(text, number) && *number >= setting->least &&
           *number <= setting->most;
}

static bool parse_word(const char *words, const char *text, uint64_t *number)
{
    size_t length = strlen(text);
    *number = 0;
    while (*words != '\0') {
        size_t word_length = strcspn(words, " ");
        if (word_length == length && memcmp(words, text, length) == 0) {
            return true;
        }
        words += word_length;
        words += strspn(words, " ");
        (*number)++;
    }
    return false;
}

static bool is_address(const char *text)
{
    struct in6_addr address; /* the larger of the two */
    return inet_pton(AF_INET, text, &address) == 1 ||
           inet_pton(AF_INET6, text, &address) == 1;
}

bool setting_is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1) {
        return ntohl(four.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    }
    return inet_pton(AF_INET6, address, &six) == 1 &&
           IN6_IS_ADDR_LOOPBACK(&six);
}

static bool has_controls(const char *text)
{
    while (*text != '\0' && !iscntrl((unsigned char)*text)) {
        text++;
    }
    return *text != '\0';
}

static bool may_be_automatic(const struct setting *setting)
{
    return strcmp(setting->otherwise, CONFIG_AUTO) == 0;
}

bool setting_parse(
    const struct setting *setting, const char *text, uint64_t *number)
{
    uint64_t measure = 0;
    bool valid = false;
    *number = 0;
    if (may_be_automatic(setting) && strcmp(text, CONFIG_AUTO) == 0) {
        return true;
    }
    switch (setting->kind) {
    case SETTING_ADDRESS:
        return is_address(text);
    case SETTING_WORD:
        return parse_word(setting->words, text, number);
    case SETTING_NUMBER:
        valid = parse_number(text, strlen(text), number);
        measure = *number;
        break;
    case SETTING_SIZE:
        valid = parse_size(text, number) && *number % DISK_PAGE == 0;
        measure = *number;
        break;
    case SETTING_SPAN:
        return parse_span(setting, text, number);
    case SETTING_PATH:
    case SETTING_SECRET:
        valid = !has_controls(text);
        measure = strlen(text);
        break;
    }
    return valid && measure >= setting->least && measure <= setting->most;
}

/* "64M" of 67108864; returns text. */
static const char *size_text(uint64_t number, char text[SIZE_TEXT_MAX])
{
    size_t units = 0;
    while (suffixes[units] != '\0' && number > 0 && number % 1024 == 0) {
        number >>= SUFFIX_BITS;
        units++;
    }
    const char suffix[] = {units > 0 ? suffixes[units - 1] : '\0', '\0'};
    (void)snprintf(
        text, SIZE_TEXT_MAX, "%llu%s", (unsigned long long)number, suffix);
    return text;
}

const char *setting_allowed(
    const struct setting *setting, char text[SETTING_ALLOWED_MAX])
{
    char from[SIZE_TEXT_MAX];
    char to[SIZE_TEXT_MAX];
    unsigned long long least = setting->least;
    unsigned long long most = setting->most;
    int length = 0;
    switch (setting->kind) {
    case SETTING_ADDRESS:
        length = snprintf(
            text, SETTING_ALLOWED_MAX, "an IPv4 or IPv6 address, or localhost");
        break;
    case SETTING_WORD:
        length = snprintf(
            text, SETTING_ALLOWED_MAX, "one word of: %s", setting->words);
        break;
    case SETTING_NUMBER:
        length = snprintf(text, SETTING_ALLOWED_MAX,
            "a whole number from %llu to %llu%s", least, most,
            may_be_automatic(setting) ? ", or auto" : "");
        break;
    case SETTING_SIZE:
        length = snprintf(text, SETTING_ALLOWED_MAX,
            "a size from %s to %s, a multiple of %d", size_text(least, from),
            size_text(most, to), DISK_PAGE);
        break;
    case SETTING_SPAN:
        length = snprintf(text, SETTING_ALLOWED_MAX,
            "none, a time from 1s to %llud in s, h or d, or a size from %s to "
            "%s",
            (unsigned long long)(CONFIG_SPAN_MS / (24 * 3600 * 1000)),
            size_text(least, from), size_text(most, to));
        break;
    case SETTING_PATH:
    case SETTING_SECRET:
        length = snprintf(text, SETTING_ALLOWED_MAX,
            "%llu to %llu bytes without control characters", least, most);
        break;
    }
    assert(length > 0 && length < SETTING_ALLOWED_MAX);
    return text;
}
