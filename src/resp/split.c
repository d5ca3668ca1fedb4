#include "resp/split.h"

/* What is left of the line, and where the next byte of a word goes: never
 * behind what was read. */
struct splitter {
    const uint8_t *next;
    const uint8_t *end;
    uint8_t *out;
};

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* What ends a word outside quotes. */
static bool is_end(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static int hexadecimal_digit(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static uint8_t escaped(uint8_t letter)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return letter;
    }
}

/* The byte that a backslash begins, which is the next one. */
static uint8_t take_escape(struct splitter *splitter)
{
    const uint8_t *next = splitter->next;
    size_t size = (size_t)(splitter->end - next);
    if (size >= 4 && next[1] == 'x') {
        int high = hexadecimal_digit(next[2]);
        int low = hexadecimal_digit(next[3]);
        if (high >= 0 && low >= 0) {
            splitter->next += 4;
            return (uint8_t)(high << 4 | low);
        }
    }
    splitter->next += size >= 2 ? 2 : 1;
    return size >= 2 ? escaped(next[1]) : next[0];
}

/* Takes what stands up to the closing quote, and that.  False if there is
 * none, or the word goes on behind it. */
static bool take_quoted(struct splitter *splitter, uint8_t quote)
{
    while (splitter->next < splitter->end) {
        uint8_t byte = *splitter->next;
        if (byte == quote) {
            splitter->next++;
            return splitter->next == splitter->end || is_blank(*splitter->next);
        }
        if (byte == '\\' && quote == '"') {
            byte = take_escape(splitter);
        } else if (byte == '\\' && splitter->end - splitter->next > 1 &&
                   splitter->next[1] == '\'') {
            byte = '\'';
            splitter->next += 2;
        } else {
            splitter->next++;
        }
        *splitter->out++ = byte;
    }
    return false;
}

static bool take_word(struct splitter *splitter)
{
    while (splitter->next < splitter->end && !is_end(*splitter->next)) {
        uint8_t byte = *splitter->next++;
        if (byte == '"' || byte == '\'') {
            return take_quoted(splitter, byte);
        }
        *splitter->out++ = byte;
    }
    return true;
}

bool resp_split(
    uint8_t *line, size_t size, struct resp_arg *args, uint32_t *count)
{
    struct splitter splitter = {.next = line, .end = line + size};
    splitter.out = line;
    *count = 0;
    for (;;) {
        while (splitter.next < splitter.end && is_blank(*splitter.next)) {
            splitter.next++;
        }
        if (splitter.next == splitter.end) {
            return true;
        }
        uint8_t *word = splitter.out;
        if (!take_word(&splitter)) {
            return false;
        }
        if (*count < RESP_ARGS_MAX) {
            args[*count].bytes = word;
            args[*count].size = (uint32_t)(splitter.out - word);
        }
        ++*count;
    }
}
