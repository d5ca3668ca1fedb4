/* keys_object.c: OBJECT, which tells how Redis would keep a value: clients and
 * tests ask.  Here all are records. */
#include "command/keys.h"

#include "command/collection.h"
#include "command/command.h"
#include "command/copy.h"

#include <ctype.h>
#include <inttypes.h>

/* ---- ENCODING ------------------------------------------------------------ */

static const char *string_encoding(const struct record *record)
{
    enum { EMBEDDED_MAX = 44 };
    int64_t number;
    bool overflow;
    if (decimal_parse(record->value, record->value_len, &number, &overflow)) {
        return "int";
    }
    return record->value_len <= EMBEDDED_MAX ? "embstr" : "raw";
}

/* Counts the members that are numbers. */
static void see_member(void *context, const struct record *record)
{
    uint64_t *numbers = context;
    int64_t number;
    bool overflow;
    bool is_number =
        decimal_parse(record->value, record->value_len, &number, &overflow);
    *numbers += is_number ? 1 : 0;
}

static const char *set_encoding(struct call *call, const struct record *record)
{
    enum { INTSET_MAX = 512 };
    struct collection head;
    uint64_t numbers = 0;
    collection_read(record, &head);
    if (head.count <= INTSET_MAX) {
        copy_set_see(call->view, &head, see_member, &numbers);
    }
    return numbers == head.count ? "intset" : "hashtable";
}

static void tell_encoding(struct call *call, const struct record *record)
{
    const char *text = record->kind == KIND_STRING ? string_encoding(record)
                       : record->kind == KIND_LIST ? "quicklist"
                                                   : set_encoding(call, record);
    resp_bulk_text(&call->reply, text);
}

/* ---- The others ---------------------------------------------------------- */

static void tell_frequency(struct call *call, const struct record *record)
{
    (void)record;
    resp_error(&call->reply, "ERR An LFU maxmemory policy is not selected, "
                             "access frequency not tracked.");
}

static void tell_idle_time(struct call *call, const struct record *record)
{
    (void)record;
    resp_error(&call->reply, "ERR idle time not tracked.");
}

static void tell_references(struct call *call, const struct record *record)
{
    (void)record;
    resp_number(&call->reply, 1);
}

static const struct {
    char name[12];
    void (*tell)(struct call *call, const struct record *record);
    const char *usage;
    const char *help;
} subcommands[] = {
    {"encoding", tell_encoding, "ENCODING <key>",
        "    How Redis would keep the value."},
    {"freq", tell_frequency, "FREQ <key>", "    Not tracked: an error."},
    {"idletime", tell_idle_time, "IDLETIME <key>",
        "    Not tracked: an error."},
    {"refcount", tell_references, "REFCOUNT <key>",
        "    How many share the value: 1."},
    {"help", NULL, "HELP", "    These lines."},
};

static void tell_help(struct call *call)
{
    resp_array(&call->reply, 1 + 2 * ARRAY_SIZE(subcommands));
    resp_simple(&call->reply,
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        resp_simple(&call->reply, subcommands[i].usage);
        resp_simple(&call->reply, subcommands[i].help);
    }
}

static void run(struct call *call,
    void (*tell)(struct call *call, const struct record *record))
{
    struct key key;
    if (!call_key(call, 2, &key)) {
        return;
    }
    const struct record *record = call_find(call, &key);
    if (record != NULL) {
        tell(call, record);
    } else {
        resp_null(&call->reply);
    }
}

void keys_object(struct call *call)
{
    size_t i = 0;
    while (
        i < ARRAY_SIZE(subcommands) && !call_is(call, 1, subcommands[i].name)) {
        i++;
    }
    if (i == ARRAY_SIZE(subcommands)) {
        resp_error(&call->reply,
            "ERR unknown subcommand '%.*s'. Try OBJECT HELP.",
            (int)u64_min(call->args[1].size, 128),
            (const char *)call->args[1].bytes);
        return;
    }
    bool help = subcommands[i].tell == NULL;
    if (call->count != (help ? 2 : 3)) {
        resp_error(&call->reply,
            "ERR wrong number of arguments for 'object|%s' command",
            subcommands[i].name);
    } else if (help) {
        tell_help(call);
    } else {
        run(call, subcommands[i].tell);
    }
}
