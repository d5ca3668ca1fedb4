/* keys_object.c: OBJECT, which tells how Redis would keep a value: clients and
 * tests ask.  Here all are records. */
#include "command/keys.h"

#include "command/collection.h"
#include "command/copy.h"

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

/* ---- The words ----------------------------------------------------------- */

/* Of the key at argument 2; NULL if there is nothing to tell of it: the reply
 * is made. */
static const struct record *find(struct call *call)
{
    struct key key;
    if (!call_key(call, 2, &key)) {
        return NULL;
    }
    const struct record *record = call_find(call, &key);
    if (record == NULL) {
        resp_null(&call->reply);
    }
    return record;
}

static void encoding(struct call *call)
{
    const struct record *record = find(call);
    if (record != NULL) {
        resp_bulk_text(&call->reply,
            record->kind == KIND_STRING ? string_encoding(record)
            : record->kind == KIND_LIST ? "quicklist"
                                        : set_encoding(call, record));
    }
}

static void frequency(struct call *call)
{
    if (find(call) != NULL) {
        resp_error(&call->reply,
            "ERR An LFU maxmemory policy is not selected, "
            "access frequency not tracked. Please note that "
            "when switching between policies at runtime "
            "LRU and LFU data will take some time to "
            "adjust.");
    }
}

static void idle_time(struct call *call)
{
    if (find(call) != NULL) {
        resp_error(&call->reply, "ERR idle time not tracked.");
    }
}

static void references(struct call *call)
{
    if (find(call) != NULL) {
        resp_number(&call->reply, 1);
    }
}

static void help(struct call *call)
{
    subcommand_help(call, keys_object_words);
}

const struct subcommand keys_object_words[] = {
    {"object|encoding", 3, encoding, "ENCODING <key>",
        "How Redis would keep the value."},
    {"object|freq", 3, frequency, "FREQ <key>", "Not tracked: an error."},
    {"object|idletime", 3, idle_time, "IDLETIME <key>",
        "Not tracked: an error."},
    {"object|refcount", 3, references, "REFCOUNT <key>",
        "How many share the value: 1."},
    {"object|help", 2, help, "HELP", "These lines."},
    {0},
};

void keys_object(struct call *call)
{
    subcommand_run(call, keys_object_words);
}
