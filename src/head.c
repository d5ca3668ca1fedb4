#include "head.h"

#include "crc32c.h"
#include "file.h"
#include "frame.h"

#include <errno.h>
#include <stdio.h>

enum { HEAD_SIZE = 68, HEAD_VERSION = 1 };

/* As on disk. */
struct page {
    char kind[HEAD_KIND_SIZE];
    uint32_t version;
    uint32_t frame_size;
    uint8_t identity[HEAD_IDENTITY_SIZE];
    uint64_t numbers[HEAD_NUMBERS];
    uint32_t crc;
    uint8_t zero[DISK_PAGE - HEAD_SIZE];
};

_Static_assert(offsetof(struct page, crc) == HEAD_SIZE - 4, "head size");
_Static_assert(sizeof(struct page) == DISK_PAGE, "the head is one page");

static uint32_t page_crc(const struct page *page)
{
    return crc32c(0, page, offsetof(struct page, crc));
}

int head_write(int fd, const struct head *head)
{
    struct page page = {.version = HEAD_VERSION, .frame_size = FRAME_SIZE};
    memcpy(page.kind, head->kind, sizeof page.kind);
    memcpy(page.identity, head->identity, sizeof page.identity);
    memcpy(page.numbers, head->numbers, sizeof page.numbers);
    page.crc = page_crc(&page);
    return file_write_at(fd, &page, sizeof page, 0);
}

static int refuse(char why[HEAD_WHY_MAX], const char *reason)
{
    snprintf(why, HEAD_WHY_MAX, "%s", reason);
    return -EUCLEAN;
}

int head_read(
    int fd, struct head *head, const uint8_t *identity, char why[HEAD_WHY_MAX])
{
    struct page page;
    int64_t got = file_read_at(fd, &page, sizeof page, 0);
    if (got < 0) {
        return (int)got;
    }
    if (got < (int64_t)sizeof page) {
        return refuse(why, "its head is cut short");
    }
    if (memcmp(page.kind, head->kind, sizeof page.kind) != 0) {
        return refuse(why, "it does not begin as such a file does (magic)");
    }
    if (page.crc != page_crc(&page)) {
        return refuse(why, "its head is damaged (CRC)");
    }
    if (page.version != HEAD_VERSION || page.frame_size != FRAME_SIZE) {
        return refuse(why, "its format version is not known here");
    }
    if (identity != NULL &&
        memcmp(page.identity, identity, sizeof page.identity) != 0) {
        return refuse(why, "it belongs to another store");
    }
    memcpy(head->identity, page.identity, sizeof head->identity);
    memcpy(head->numbers, page.numbers, sizeof head->numbers);
    return 0;
}

bool head_intact(int fd)
{
    struct page page;
    return file_read_at(fd, &page, sizeof page, 0) == (int64_t)sizeof page &&
           page.crc == page_crc(&page);
}

bool head_unwritten(int fd)
{
    uint8_t page[DISK_PAGE];
    return file_read_at(fd, page, sizeof page, 0) == DISK_PAGE &&
           bytes_all_zero(page, sizeof page);
}
