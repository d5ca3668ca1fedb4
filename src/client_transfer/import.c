/* import.c: `client import`: reads the file, sends its items in batches, keeps
 * how far it came, and tells what became of it.
 *
 * To resume, the file is read again from its beginning and nothing of it is
 * sent until what was imported is behind; its checksum must then be the one
 * that was noted. */
#include "client_transfer/transfer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "client_transfer/input.h"
#include "client_transfer/progress.h"
#include "client_transfer/sender.h"

enum {
    KEEP_MS = 1000,  /* between two notes of how far it came */
    FAULTS_MAX = 20, /* told by a dry run */
    WHERE_MAX = 128,
    SENTENCE_MAX = 1024
};

struct importer {
    const char *path;
    const struct transfer_settings *settings;
    char *resume_path;   /* NULL: nothing is kept */
    struct resume begin; /* where it goes on; zero: at the beginning */
    int64_t keep_due_ms;
    int signals;
    uint64_t faults;
    uint64_t expired;
    uint64_t read; /* items, with those that were skipped */
    struct progress progress;
    struct sender sender;
    struct input input;
    struct format_reader reader;
};

/* ---- How far it came ----------------------------------------------------- */

/* Without it nothing is lost but time: to import twice does no harm. */
static void keep(struct importer *importer)
{
    if (importer->resume_path == NULL || importer->settings->dry_run ||
        importer->sender.done.bytes == 0) {
        return;
    }
    int error = resume_write(importer->resume_path, &importer->sender.done);
    importer->keep_due_ms = clock_steady_ms() + KEEP_MS;
    if (error != 0) {
        progress_clear(&importer->progress);
        (void)fprintf(stderr,
            "client: import: cannot write %s: %s; if this import is "
            "interrupted, it can only begin again (--resume-file names "
            "another place)\n",
            importer->resume_path, strerror(-error));
        free(importer->resume_path);
        importer->resume_path = NULL;
    }
}

/* What was imported, and how to go on; the sentence for all ends but a good
 * one. */
static int stop(
    struct importer *importer, int status, const char *where, const char *why)
{
    const char *advice = "";
    keep(importer);
    progress_clear(&importer->progress);
    if (!importer->settings->dry_run) {
        advice = importer->sender.done.bytes == 0 ? "; nothing is imported"
                 : importer->resume_path != NULL
                     ? "; the same command with --resume goes on there"
                     : "; to import them again does no harm";
    }
    if (importer->sender.done.bytes == 0 || importer->settings->dry_run) {
        return program_fail(
            status, "import: %s%s: %s%s", importer->path, where, why, advice);
    }
    return program_fail(status,
        "import: %s%s: %s; %" PRIu64 " records are imported%s", importer->path,
        where, why, importer->sender.done.imported, advice);
}

static const char *line_text(uint64_t line, char text[WHERE_MAX])
{
    (void)snprintf(text, WHERE_MAX, ", line %" PRIu64, line);
    return text;
}

/* ", line 17 (record 15), key" */
static const char *fault_text(
    const struct format_fault *fault, char text[WHERE_MAX])
{
    char record[WHERE_MAX / 2] = "";
    char column[WHERE_MAX / 4] = "";
    if (fault->record != 0) {
        (void)snprintf(
            record, sizeof record, " (record %" PRIu64 ")", fault->record);
    }
    if (fault->column != 0) {
        (void)snprintf(column, sizeof column, ", byte %zu", fault->column);
    }
    (void)snprintf(text, WHERE_MAX, ", line %" PRIu64 "%s%s%s%s", fault->line,
        record, column, fault->field == NULL ? "" : ", ",
        fault->field == NULL ? "" : fault->field);
    return text;
}

/* ---- Items --------------------------------------------------------------- */

/* Sends what is held; what is used of the file then is done. */
static int flush(struct importer *importer)
{
    char where[WHERE_MAX];
    struct sender *sender = &importer->sender;
    int status = sender_flush(sender);
    if (status != PROGRAM_YES && !sender->interrupted) {
        return stop(
            importer, status, line_text(sender->line, where), sender->why);
    }
    if (status == PROGRAM_YES) {
        sender->done.bytes = importer->input.offset;
        sender->done.crc32c = importer->input.crc;
        sender->done.expired = importer->expired;
    }
    if (sender->interrupted || transfer_pause(importer->signals, 0)) {
        return stop(importer, PROGRAM_LOCAL, "", "interrupted");
    }
    if (clock_steady_ms() >= importer->keep_due_ms) {
        keep(importer);
    }
    progress_show(&importer->progress, importer->input.offset, importer->read);
    return PROGRAM_YES;
}

static int stop_changed(struct importer *importer)
{
    char why[SENTENCE_MAX];
    progress_clear(&importer->progress);
    (void)snprintf(why, sizeof why,
        "its first %" PRIu64 " bytes are not those that were imported; without "
        "--resume it is imported from its beginning",
        importer->begin.bytes);
    return program_fail(PROGRAM_LOCAL, "import: %s: %s", importer->path, why);
}

/* line: where the item begins; it is used already. */
static void take_item(
    struct importer *importer, const struct item *item, uint64_t line)
{
    struct input *input = &importer->input;
    if (item->expire_at_ms != 0 && item->expire_at_ms <= clock_wall_ms()) {
        importer->expired++;
    } else if (!importer->settings->dry_run) {
        struct sender_mark mark = {.line = line,
            .bytes = input->offset,
            .crc = input->crc,
            .expired = importer->expired};
        sender_add(&importer->sender, item, &mark);
    }
}

/* A bad record.  A dry run goes on, if it knows where. */
static int take_fault(struct importer *importer)
{
    char where[WHERE_MAX];
    const struct format_fault *fault = &importer->reader.fault;
    fault_text(fault, where);
    importer->faults++;
    if (!importer->settings->dry_run) {
        int status = flush(importer);
        return status == PROGRAM_YES
                   ? stop(importer, PROGRAM_LOCAL, where, fault->why)
                   : status;
    }
    if (importer->faults <= FAULTS_MAX) {
        (void)stop(importer, PROGRAM_LOCAL, where, fault->why);
    }
    return importer->reader.used == 0 ? PROGRAM_LOCAL : PROGRAM_YES;
}

/* Whether what was imported before is not behind yet. */
static bool is_behind(const struct importer *importer)
{
    return importer->input.offset < importer->begin.bytes;
}

static int take_next(struct importer *importer, enum format_result result,
    const struct item *item, uint64_t line)
{
    bool behind = is_behind(importer);
    struct input *input = &importer->input;
    if (result == FORMAT_BAD) {
        return behind ? stop_changed(importer) : take_fault(importer);
    }
    /* The mark of an item is its end, and so is what a full batch leaves. */
    if (result == FORMAT_ITEM && !behind &&
        !sender_has_room(&importer->sender, item)) {
        int status = flush(importer);
        if (status != PROGRAM_YES) {
            return status;
        }
    }
    input_use(input, importer->reader.used);
    importer->read += result == FORMAT_ITEM ? 1 : 0;
    if (behind || importer->settings->dry_run) {
        progress_show(&importer->progress, input->offset, importer->read);
    }
    if (!behind && result == FORMAT_ITEM) {
        take_item(importer, item, line);
    }
    bool over = behind && input->offset > importer->begin.bytes;
    bool there = behind && input->offset == importer->begin.bytes;
    return over || (there && input->crc != importer->begin.crc32c)
               ? stop_changed(importer)
               : PROGRAM_YES;
}

static int read_more(struct importer *importer)
{
    int error = input_fill(&importer->input, importer->signals);
    if (error == 0) {
        return PROGRAM_YES;
    }
    int status = importer->settings->dry_run ? PROGRAM_YES : flush(importer);
    if (status != PROGRAM_YES) {
        return status;
    }
    return stop(importer, PROGRAM_LOCAL, "",
        error == -EINTR ? "interrupted" : strerror(-error));
}

/* All of the file; of a dry run also behind what is bad. */
static int take_all(struct importer *importer)
{
    struct item item;
    struct format_reader *reader = &importer->reader;
    for (;;) {
        struct format_bytes bytes = input_bytes(&importer->input);
        uint64_t line = reader->line;
        enum format_result result = format_read(reader, &bytes, &item);
        int status = PROGRAM_YES;
        if (result != FORMAT_MORE) {
            status = take_next(importer, result, &item, line);
            if (result == FORMAT_BAD && status == PROGRAM_YES) {
                input_use(&importer->input, reader->used);
            }
        } else if (!bytes.last) {
            status = read_more(importer);
        } else {
            return is_behind(importer)           ? stop_changed(importer)
                   : importer->settings->dry_run ? PROGRAM_YES
                                                 : flush(importer);
        }
        if (status != PROGRAM_YES) {
            return status;
        }
    }
}

/* ---- The ends ------------------------------------------------------------ */

/* whole: the file was read to its end. */
static int tell_dry_run(struct importer *importer, bool whole)
{
    progress_clear(&importer->progress);
    if (importer->faults > 0) {
        return program_fail(PROGRAM_LOCAL,
            "import: %s: %" PRIu64 " bad and %" PRIu64
            " good records%s; nothing was asked of a server",
            importer->path, importer->faults, importer->read,
            whole ? "" : " before it cannot be read on");
    }
    (void)printf("%" PRIu64 " records would be imported, %" PRIu64
                 " have expired; nothing was asked of a server\n",
        importer->read - importer->expired, importer->expired);
    return PROGRAM_YES;
}

static void tell(struct importer *importer)
{
    const struct resume *done = &importer->sender.done;
    int64_t elapsed_ms = progress_elapsed_ms(&importer->progress);
    uint64_t now = done->imported - importer->begin.imported;
    progress_clear(&importer->progress);
    (void)printf("imported %" PRIu64 " records in %.1f s (%" PRIu64 "/s)", now,
        (double)elapsed_ms / 1000, progress_rate(now, elapsed_ms));
    if (importer->begin.bytes > 0) {
        (void)printf(", %" PRIu64 " with those before", done->imported);
    }
    if (done->expired > 0) {
        (void)printf("; %" PRIu64 " had expired", done->expired);
    }
    if (done->kept > 0) {
        (void)printf("; %" PRIu64 " were there already", done->kept);
    }
    (void)putchar('\n');
}

static int run(struct importer *importer)
{
    progress_begin(&importer->progress, "import", importer->input.size, true);
    importer->keep_due_ms = clock_steady_ms() + KEEP_MS;
    int status = take_all(importer);
    if (importer->settings->dry_run) {
        return status == PROGRAM_YES || importer->faults > 0
                   ? tell_dry_run(importer, status == PROGRAM_YES)
                   : status;
    }
    if (status == PROGRAM_YES) {
        if (importer->resume_path != NULL) {
            /* If it stays, to resume from it finds nothing to do. */
            (void)resume_remove(importer->resume_path);
        }
        tell(importer);
    }
    return status;
}

/* ---- The beginning ------------------------------------------------------- */

static int fail_resume(struct importer *importer, const char *why)
{
    return program_fail(PROGRAM_LOCAL,
        "import: cannot resume: %s %s; without --resume, %s is imported from "
        "its beginning",
        importer->resume_path, why, importer->path);
}

static int begin_resume(struct importer *importer)
{
    struct resume *begin = &importer->begin;
    struct sender *sender = &importer->sender;
    int error = resume_read(importer->resume_path, begin);
    if (error == -EUCLEAN) {
        return fail_resume(importer, "is not what an import writes");
    }
    if (error != 0) {
        char why[WHERE_MAX];
        (void)snprintf(why, sizeof why, "cannot be read: %s", strerror(-error));
        return fail_resume(importer, why);
    }
    if (strcmp(begin->server, sender->done.server) != 0) {
        char why[SENTENCE_MAX];
        (void)snprintf(why, sizeof why, "is of an import into %s, not into %s",
            begin->server, sender->done.server);
        return fail_resume(importer, why);
    }
    sender->done = *begin;
    importer->expired = begin->expired;
    return PROGRAM_YES;
}

static int begin_keeping(struct importer *importer)
{
    const struct transfer_settings *settings = importer->settings;
    if (!importer->input.regular) {
        return settings->resume || settings->resume_file != NULL
                   ? program_fail(PROGRAM_USAGE,
                         "import: %s is no file that can be read again; "
                         "--resume and --resume-file need one",
                         importer->path)
                   : PROGRAM_YES;
    }
    int length =
        settings->resume_file != NULL
            ? asprintf(&importer->resume_path, "%s", settings->resume_file)
            : asprintf(&importer->resume_path, "%s.resume", importer->path);
    if (length < 0) {
        importer->resume_path = NULL;
        return program_fail(PROGRAM_LOCAL, "no memory");
    }
    if (settings->resume) {
        return begin_resume(importer);
    }
    return resume_check(importer->resume_path) == 0
               ? PROGRAM_YES
               : program_fail(PROGRAM_LOCAL,
                     "import: %s is there and is no note of an import, which "
                     "would replace it; --resume-file names another place",
                     importer->resume_path);
}

static int begin(struct importer *importer, struct program *program)
{
    struct sender *sender = &importer->sender;
    const struct transfer_settings *settings = importer->settings;
    (void)snprintf(sender->done.server, sizeof sender->done.server, "%s:%d",
        program->host, program->port);
    sender->program = program;
    sender->keep_existing = settings->keep_existing;
    int error = input_begin(&importer->input, importer->path);
    if (error != 0) {
        return program_fail(PROGRAM_LOCAL, "import: cannot read %s: %s",
            importer->path, strerror(-error));
    }
    importer->signals = transfer_signals();
    if (importer->signals < 0) {
        return program_fail(PROGRAM_LOCAL,
            "import: no descriptor for signals: %s",
            strerror(-importer->signals));
    }
    sender->signals = importer->signals;
    if (settings->dry_run) {
        return PROGRAM_YES;
    }
    /* Told before anything is read, and not as a bad line. */
    kv_error_t reached = kv_client_connect(program->client);
    if (reached != KV_SUCCESS) {
        return program_fail(program_exit_of(reached), "import: %s",
            kv_client_error(program->client));
    }
    return begin_keeping(importer);
}

int transfer_import(struct program *program, const char *path,
    const struct transfer_settings *settings, enum format_kind kind)
{
    if (settings->dry_run && settings->resume) {
        return program_fail(PROGRAM_USAGE,
            "import: --dry-run reads all of the file; it does not resume");
    }
    struct importer *importer = calloc(1, sizeof *importer);
    if (importer == NULL) {
        return program_fail(PROGRAM_LOCAL, "no memory");
    }
    importer->path = path;
    importer->settings = settings;
    importer->input.fd = -1;
    importer->signals = -1;
    format_begin(&importer->reader, kind);
    int status = begin(importer, program);
    if (status == PROGRAM_YES) {
        status = run(importer);
    }
    input_end(&importer->input);
    if (importer->signals >= 0) {
        (void)close(importer->signals);
    }
    free(importer->resume_path);
    free(importer);
    return status;
}
