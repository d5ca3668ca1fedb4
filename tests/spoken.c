#include "spoken.h"

#include <stdio.h>
#include <unistd.h>

void spoken_dial(struct spoken *spoken, const struct served *served)
{
    *spoken = (struct spoken){.fd = served_dial(served)};
}

void spoken_close(struct spoken *spoken)
{
    close(spoken->fd);
    free(spoken->text);
}

void spoken_send(struct spoken *spoken, const char *line)
{
    /* At once: a second part would wait until the first is acknowledged. */
    char *bytes = NULL;
    int size = asprintf(&bytes, "%s\r\n", line);
    REQUIRE(size > 0);
    served_send(spoken->fd, bytes, (size_t)size);
    free(bytes);
}

static void hear_bytes(struct spoken *spoken, size_t size)
{
    if (spoken->size + size + 1 > spoken->room) {
        spoken->room = 2 * (spoken->size + size + 1);
        spoken->text = realloc(spoken->text, spoken->room);
        REQUIRE(spoken->text != NULL);
    }
    REQUIRE(
        served_receive(spoken->fd, spoken->text + spoken->size, size) == size);
    spoken->size += size;
}

/* Adds a line, its end a blank.  Returns where it begins. */
static size_t hear_line(struct spoken *spoken)
{
    size_t begin = spoken->size;
    do {
        hear_bytes(spoken, 1);
    } while (spoken->text[spoken->size - 1] != '\n');
    spoken->size--;
    REQUIRE(spoken->size > begin && spoken->text[spoken->size - 1] == '\r');
    spoken->text[spoken->size - 1] = ' ';
    spoken->text[spoken->size] = '\0';
    return begin;
}

/* Adds replies until as many as are announced have been heard whole. */
static void hear(struct spoken *spoken)
{
    for (long left = 1; left > 0; left--) {
        size_t begin = hear_line(spoken);
        char type = spoken->text[begin];
        long number = strtol(spoken->text + begin + 1, NULL, 10);
        if (strchr("*~>", type) != NULL && number > 0) {
            left += number;
        } else if (type == '%') {
            left += 2 * number;
        } else if (strchr("$=", type) != NULL && number >= 0) {
            hear_bytes(spoken, (size_t)number + 2);
            spoken->size--;
            spoken->text[spoken->size - 1] = ' ';
        }
    }
}

const char *spoken_hear(struct spoken *spoken)
{
    spoken->size = 0;
    hear(spoken);
    spoken->text[spoken->size - 1] = '\0';
    return spoken->text;
}

const char *spoken_ask(struct spoken *spoken, const char *line)
{
    spoken_send(spoken, line);
    return spoken_hear(spoken);
}
