#include "client_transfer/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bytes.h"
#include "client_transfer/beside.h"
#include "file.h"

#define FIRST_LINE "fixkv import 1"

enum { TEXT_MAX = 640 };

static const struct {
    const char *name;
    size_t offset;
} figures[] = {{"bytes", offsetof(struct resume, bytes)},
    {"crc32c", offsetof(struct resume, crc32c)},
    {"imported", offsetof(struct resume, imported)},
    {"kept", offsetof(struct resume, kept)},
    {"expired", offsetof(struct resume, expired)}};

static size_t format(const struct resume *resume, char text[TEXT_MAX])
{
    size_t length = (size_t)snprintf(
        text, TEXT_MAX, FIRST_LINE "\nserver %s\n", resume->server);
    for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
        uint64_t figure =
            bytes_u64((const uint8_t *)resume + figures[i].offset);
        length += (size_t)snprintf(text + length, TEXT_MAX - length,
            "%s %" PRIu64 "\n", figures[i].name, figure);
    }
    return length;
}

int resume_write(const char *path, const struct resume *resume)
{
    char text[TEXT_MAX];
    struct beside beside;
    int error = beside_begin(&beside, path);
    if (error != 0) {
        return error;
    }
    error = beside_write(&beside, text, format(resume, text));
    if (error != 0) {
        beside_abandon(&beside);
        return error;
    }
    return beside_finish(&beside);
}

/* The rest of the line behind the words, without its end; *text moves on. */
static const char *take_line(char **text, const char *words)
{
    char *end = strchr(*text, '\n');
    if (end == NULL || strncmp(*text, words, strlen(words)) != 0) {
        return NULL;
    }
    const char *rest = *text + strlen(words);
    *end = '\0';
    *text = end + 1;
    return rest;
}

static bool parse(char *text, struct resume *resume)
{
    const char *first = take_line(&text, FIRST_LINE);
    const char *server = first == NULL ? NULL : take_line(&text, "server ");
    if (server == NULL || *first != '\0' ||
        strlen(server) >= sizeof resume->server) {
        return false;
    }
    memcpy(resume->server, server, strlen(server) + 1);
    for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
        int64_t number;
        bool overflow;
        const char *figure = take_line(&text, figures[i].name);
        if (figure == NULL || *figure != ' ' ||
            !decimal_parse(
                figure + 1, strlen(figure + 1), &number, &overflow) ||
            number < 0) {
            return false;
        }
        memcpy((uint8_t *)resume + figures[i].offset, &number, sizeof number);
    }
    return *text == '\0';
}

int resume_read(const char *path, struct resume *resume)
{
    char text[TEXT_MAX];
    int fd = file_open_read(AT_FDCWD, path);
    if (fd < 0) {
        return fd;
    }
    int64_t length = file_read_at(fd, text, sizeof text - 1, 0);
    file_close(fd);
    if (length < 0) {
        return (int)length;
    }
    text[length] = '\0';
    return parse(text, resume) ? 0 : -EUCLEAN;
}

int resume_remove(const char *path)
{
    return file_remove(AT_FDCWD, path);
}

int resume_check(const char *path)
{
    struct stat status;
    struct resume resume;
    /* Where nothing can be seen, nothing is replaced: to write will fail. */
    if (lstat(path, &status) != 0) {
        return 0;
    }
    if (!S_ISREG(status.st_mode)) {
        return -EUCLEAN;
    }
    return status.st_size == 0 ? 0 : resume_read(path, &resume);
}
