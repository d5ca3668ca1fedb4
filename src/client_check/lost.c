/* lost.c: what goes with a repair, by LSN and key: the frames behind the end
 * that can be read, and the LSNs of which nothing is known. */
#include "client_check/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "client_program.h"
#include "file.h"
#include "kind.h"

enum { TEXT_SIZE = 64 * 1024 };

/* The list, on its way into the file. */
struct list {
    struct lost *lost;
    int fd;
    uint64_t at;
    int error;
    FILE *out;
};

/* Called by stdio. */
static ssize_t write_text(void *cookie, const char *text, size_t size)
{
    struct list *list = cookie;
    if (list->error == 0) {
        list->error = file_write_at(list->fd, text, size, list->at);
        list->at += size;
    }
    return list->error == 0 ? (ssize_t)size : 0;
}

void lost_print(FILE *out, const struct lost_item *item)
{
    if (item->readable) {
        unsigned verb = item->type & ~(unsigned)KV_LINKED;
        kv_message_t message = {0};
        memcpy(message.key, item->key, sizeof message.key);
        (void)fprintf(out, "LSN %" PRIu64 " %s%s", item->first,
            verb == VERB_SWEEP ? "expired" : verb_name(verb),
            verb != item->type ? " (linked)" : "");
        if (item->inner) {
            (void)fputs(" part of a list or set", out);
        } else if (verb != VERB_FLUSH) {
            (void)fputs(" \"", out);
            program_print_bytes(out, message.key, program_key_length(&message));
            (void)fputc('"', out);
        }
        (void)fputc('\n', out);
    } else if (item->first == item->last) {
        (void)fprintf(out, "LSN %" PRIu64 " unknown\n", item->first);
    } else {
        (void)fprintf(out, "LSN %" PRIu64 " to %" PRIu64 " unknown\n",
            item->first, item->last);
    }
}

static void add(struct list *list, const struct lost_item *item)
{
    struct lost *lost = list->lost;
    lost_print(list->out, item);
    if (lost->count < LOST_LINES_MAX) {
        lost->items[lost->count] = *item;
    }
    lost->count++;
}

/* Nothing tells of the LSNs up to last that have not come yet. */
static void add_unknown(struct list *list, uint64_t last)
{
    struct lost *lost = list->lost;
    if (last > lost->last) {
        const struct lost_item item = {.first = lost->last + 1, .last = last};
        lost->unreadable += last - lost->last;
        lost->last = last;
        add(list, &item);
    }
}

static int take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX]) // NOLINT(readability-non-const-parameter)
{
    struct list *list = context;
    struct lost *lost = list->lost;
    (void)why;
    for (uint32_t i = 0; i < count; i++) {
        const struct frame *frame = &frames[i];
        add_unknown(list, frame->lsn - 1);
        lost->last = frame->lsn;
        if (frame_verb(frame) == VERB_MARK) {
            lost->durable = u64_max(lost->durable, (uint64_t)frame->arg);
            continue;
        }
        struct lost_item item = {.first = frame->lsn,
            .last = frame->lsn,
            .readable = true,
            .type = frame->message.type,
            .inner = kind_inner(frame->message.status)};
        memcpy(item.key, frame->message.key, sizeof item.key);
        lost->writes++;
        add(list, &item);
    }
    return 0;
}

static void print_head(FILE *out, const struct plan *plan)
{
    (void)fprintf(out,
        "# client check --repair of %s: this directory keeps, as they were, "
        "the files\n"
        "# that it replaced or took away.  To undo it, before a server has "
        "opened the\n"
        "# store, put them all back",
        plan->path);
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->actions[i].kind == ACTION_BEGIN) {
            (void)fprintf(out, " and remove %s", plan->actions[i].name);
        }
    }
    (void)fprintf(out,
        "; single ones do not fit any more.\n"
        "# The store goes on behind LSN %" PRIu64
        ".  Lost is, but for marks:\n",
        plan->lsn);
}

static int print_list(
    struct list *list, struct plan *plan, char why[LOST_WHY_MAX])
{
    struct lost *lost = list->lost;
    const struct wal_sink sink = {take, list};
    print_head(list->out, plan);
    int error =
        plan->cut ? salvage_behind(&plan->salvage, plan->lsn, &sink, why) : 0;
    if (error == 0 && plan->cut) {
        lost->durable = u64_max(lost->durable, salvage_claimed(&plan->salvage));
        lost->durable = u64_max(lost->durable, plan->named);
        add_unknown(list, lost->durable);
    }
    if (plan->open_ended) {
        (void)fprintf(list->out,
            "what followed LSN %" PRIu64 ", if anything, unknown\n",
            lost->last);
    } else if (lost->last == plan->lsn) {
        (void)fputs("nothing\n", list->out);
    }
    return error;
}

int lost_write(
    struct lost *lost, struct plan *plan, int aside, char why[LOST_WHY_MAX])
{
    struct list list = {.lost = lost};
    static const cookie_io_functions_t functions = {.write = write_text};
    *lost = (struct lost){.last = plan->lsn, .durable = plan->lsn};
    list.fd = file_create(aside, LOST_FILE);
    int error = list.fd < 0 ? list.fd : 0;
    if (error == 0) {
        list.out = fopencookie(&list, "w", functions);
        error = list.out == NULL ? -ENOMEM : 0;
    }
    if (error != 0) {
        (void)snprintf(why, LOST_WHY_MAX, "cannot write " LOST_FILE ": %s",
            strerror(-error));
        file_close(list.fd < 0 ? -1 : list.fd);
        return error;
    }
    (void)setvbuf(list.out, NULL, _IOFBF, TEXT_SIZE);
    error = print_list(&list, plan, why);
    int flushed = fclose(list.out) == 0 ? 0 : -EIO;
    int written = list.error != 0 ? list.error : flushed;
    if (written == 0) {
        written = file_sync(list.fd);
    }
    if (error == 0 && written != 0) {
        error = written;
        (void)snprintf(why, LOST_WHY_MAX, "cannot write " LOST_FILE ": %s",
            strerror(-error));
    }
    file_close(list.fd);
    return error;
}
