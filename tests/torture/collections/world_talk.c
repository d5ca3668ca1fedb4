/* world_talk.c: the commands of steps, and reading a world from a server. */
#include "torture/collections/world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the steps are said: K is the key, O the other one, N the number, M the
 * member, P the pivot, E the index of the last of count, C count, S the side,
 * T the other side, and + all that count counts. */
static const char *const said[] = {
    [STEP_PUSH] = "SPUSH K +",
    [STEP_POP] = "SPOP K C",
    [STEP_MOVE] = "LMOVE K O S T",
    [STEP_TRIM] = "LTRIM K N E",
    [STEP_INSERT] = "LINSERT K BEFORE P N",
    [STEP_REMOVE] = "LREM K 1 P",
    [STEP_RANGE] = "LRANGE K N E",
    [STEP_ADD] = "SADD K +",
    [STEP_REM] = "SREM K +",
    [STEP_HAS] = "SISMEMBER K M",
    [STEP_INCR] = "INCRBY K N",
    [STEP_SET] = "SET K N",
    [STEP_DEL] = "DEL K",
    [STEP_EXPIRE] = "PEXPIREAT K 1",
    [STEP_LATER] = "PEXPIRE K 1000000000",
    [STEP_RENAME] = "RENAME K O",
    [STEP_COPY] = "COPY K O REPLACE",
    [STEP_FLUSH] = "FLUSHALL",
    [STEP_SPOP] = "SPOP K C",
};

static void say_all(const struct world_step *step, struct talk *talk)
{
    for (uint32_t i = 0; i < step->count; i++) {
        if (step->verb == STEP_PUSH) {
            talk_word(talk, "%" PRId64, step->number + (int64_t)i);
        } else {
            talk_word(talk, "%" PRIu32, world_member(step, i));
        }
    }
}

static void say_word(const struct world_step *step, uint32_t writer,
    const char *word, struct talk *talk)
{
    bool letter = word[1] == ' ' || word[1] == '\0';
    switch (letter ? *word : '\0') {
    case 'K':
    case 'O':
        talk_word(talk, "w%" PRIu32 ":%" PRIu32, writer,
            *word == 'K' ? step->slot : step->other);
        break;
    case 'N':
        talk_word(talk, "%" PRId64, step->number);
        break;
    case 'P':
        talk_word(talk, "%" PRId64, step->pivot);
        break;
    case 'E':
        talk_word(talk, "%" PRId64, step->number + step->count - 1);
        break;
    case 'C':
        talk_word(talk, "%" PRIu32, step->count);
        break;
    case 'M':
        talk_word(talk, "%" PRIu32, world_member(step, 0));
        break;
    case 'S':
    case 'T':
        talk_word(talk, "%s",
            (*word == 'S' ? step->left : step->other_left) ? "LEFT" : "RIGHT");
        break;
    case '+':
        say_all(step, talk);
        break;
    default:
        talk_word(talk, "%.*s", (int)strcspn(word, " "), word);
        break;
    }
}

void world_say(
    const struct world_step *step, uint32_t writer, struct talk *talk)
{
    const char *word = said[step->verb];
    size_t words = 1;
    for (const char *at = word; (at = strchr(at, ' ')) != NULL; at++) {
        words += at[1] == '+' ? step->count : 1;
    }
    talk_command(talk, words);
    /* Lists have a command for each side. */
    if (step->verb == STEP_PUSH || step->verb == STEP_POP) {
        talk_word(talk, "%c%.*s", step->left ? 'L' : 'R',
            (int)strcspn(word + 1, " "), word + 1);
        word = strchr(word, ' ') + 1;
    }
    for (; word != NULL; word = strchr(word, ' ')) {
        word += *word == ' ' ? 1 : 0;
        say_word(step, writer, word, talk);
    }
}

/* ---- Reading ------------------------------------------------------------- */

/* The next number of a reply's line, "$12"; false if it is none. */
static bool next_number(const char **line, int64_t *number)
{
    char *end;
    if (**line != '$') {
        return false;
    }
    *number = strtoll(*line + 1, &end, 10);
    bool right = end > *line + 1 && (*end == ' ' || *end == '\0');
    *line = *end == ' ' ? end + 1 : end;
    return right;
}

static bool read_list(struct world_slot *slot, const char *line)
{
    int64_t number;
    slot->kind = WORLD_LIST;
    while (*line != '\0') {
        if (slot->count == WORLD_LONG || !next_number(&line, &number)) {
            return false;
        }
        slot->list[slot->count++] = number;
    }
    return slot->count > 0;
}

static bool read_set(struct world_slot *slot, const char *line)
{
    int64_t number;
    slot->kind = WORLD_SET;
    while (*line != '\0') {
        if (!next_number(&line, &number) || number < 0 ||
            number >= WORLD_MEMBERS || world_has(slot, (uint32_t)number)) {
            return false;
        }
        world_toggle(slot, (uint32_t)number);
    }
    return slot->count > 0;
}

static bool read_slot(
    struct world_slot *slot, const char *key, struct talk *talk)
{
    static const char *const types[] = {"+none", "+string", "+list", "+set"};
    const char *line = talk_ask(talk, "TYPE %s", key);
    size_t kind = 0;
    while (
        line != NULL && kind <= WORLD_SET && strcmp(line, types[kind]) != 0) {
        kind++;
    }
    if (line == NULL || kind == WORLD_ABSENT) {
        return line != NULL;
    }
    if (kind == WORLD_NUMBER) {
        line = talk_ask(talk, "GET %s", key);
    } else if (kind == WORLD_LIST) {
        line = talk_ask(talk, "LRANGE %s 0 -1", key);
    } else if (kind == WORLD_SET) {
        line = talk_ask(talk, "SMEMBERS %s", key);
    }
    if (line == NULL || kind > WORLD_SET) {
        return false;
    }
    slot->kind = (enum world_kind)kind;
    if (kind == WORLD_NUMBER) {
        return next_number(&line, &slot->number) && *line == '\0';
    }
    line += strcspn(line, " ");
    line += *line == ' ' ? 1 : 0;
    return kind == WORLD_LIST ? read_list(slot, line) : read_set(slot, line);
}

bool world_read(struct world *world, uint32_t writer, struct talk *talk)
{
    memset(world, 0, sizeof *world);
    for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
        char key[WORLD_KEY_MAX];
        (void)snprintf(key, sizeof key, "w%" PRIu32 ":%" PRIu32, writer, i);
        if (!read_slot(&world->slots[i], key, talk)) {
            (void)printf("writer %" PRIu32 ": %s holds what nobody wrote: "
                         "%.200s\n",
                writer, key, talk->line == NULL ? "nothing" : talk->line);
            return false;
        }
    }
    return true;
}
