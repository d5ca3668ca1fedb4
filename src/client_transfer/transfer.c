/* transfer.c: `client export`, `client import`: their options. */
#include "client_transfer/transfer.h"

_Static_assert(
    sizeof(struct transfer_settings) <= PROGRAM_SETTINGS_MAX, "they have room");

#define TEXT(field, word, placeholder, explanation)                            \
    {                                                                          \
        .name = (word), .kind = OPTION_TEXT,                                   \
        .offset = offsetof(struct transfer_settings, field),                   \
        .argument = (placeholder), .text = (explanation)                       \
    }
#define FLAG(field, word, explanation)                                         \
    {                                                                          \
        .name = (word), .kind = OPTION_FLAG,                                   \
        .offset = offsetof(struct transfer_settings, field), .argument = "",   \
        .text = (explanation)                                                  \
    }

static const struct option export_options[] = {
    TEXT(format, "format", "FORMAT",
        "jsonl or csv; otherwise by the name's ending, else jsonl"),
    TEXT(prefix, "prefix", "P", "only the keys that begin with P"), {0}};

static const struct option import_options[] = {
    TEXT(format, "format", "FORMAT",
        "jsonl or csv; otherwise by the name's ending, else jsonl"),
    FLAG(dry_run, "dry-run", "reads and checks all of FILE; asks no server"),
    FLAG(keep_existing, "keep-existing",
        "leaves records alone that are there already"),
    FLAG(resume, "resume", "goes on where an import of FILE was interrupted"),
    TEXT(resume_file, "resume-file", "F",
        "where it notes how far it came (FILE.resume)"),
    {0}};

#define FORMATS_HELP                                                           \
    "jsonl  one JSON object a line: {\"key\":\"name\",\"value\":\"John Doe\"}" \
    "\n       and \"expire_at_ms\":1790000000000, milliseconds since 1970, "   \
    "if "                                                                      \
    "it expires\ncsv    RFC 4180; a head names the columns: "                  \
    "key,value,expire_at_ms,...\n\nA key or a value that is not UTF-8, or "    \
    "holds a zero byte, is in key_base64 or\nvalue_base64 instead (RFC 4648)."

static const char export_help[] =
    "FILE appears when all is in it and on disk; until then, and if anything\n"
    "fails, an old one stays.  - is standard output.  Each record comes with\n"
    "the value and expiry of one instant; what exists throughout comes "
    "exactly\n"
    "once.  Expiries are told by the clock of this machine.  Lists and sets "
    "are\nleft out: then their number is told, and the exit status is 1; "
    "client backup and\nclient restore keep them.\n\n" FORMATS_HELP;

static const char import_help[] =
    "- is standard input.  Records that are there already get the new value; "
    "what\nhas expired by the clock of this machine is left out.  At the first "
    "bad line,\na refusal, a lost connection or ^C it stops, says how many are "
    "imported, and\nnotes it in FILE.resume; --resume goes on there, once it "
    "has seen that what\nis imported of FILE has not changed.  To import twice "
    "does no harm.\n\n" FORMATS_HELP;

static int choose_format(const struct transfer_settings *settings,
    const char *path, enum format_kind *kind)
{
    *kind = FORMAT_JSONL;
    if (settings->format == NULL) {
        (void)format_guess(path, kind);
    } else if (!format_find(settings->format, kind)) {
        return program_fail(PROGRAM_USAGE,
            "--format %.60s: there are jsonl and csv", settings->format);
    }
    return PROGRAM_YES;
}

static int run_export(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    enum format_kind kind;
    const char *path = arguments->words[0];
    int status = choose_format(settings, path, &kind);
    return status == PROGRAM_YES
               ? transfer_export(program, path, settings, kind)
               : status;
}

static int run_import(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    enum format_kind kind;
    const char *path = arguments->words[0];
    int status = choose_format(settings, path, &kind);
    return status == PROGRAM_YES
               ? transfer_import(program, path, settings, kind)
               : status;
}

const struct subcommand transfer_family[] = {
    {"export", "FILE", "writes all records as JSON Lines or CSV", 1, 1,
        export_options, export_help, run_export},
    {"import", "FILE", "stores the records of such a file", 1, 1,
        import_options, import_help, run_import},
    {0}};
