/* keys_object.c: OBJECT, which tells how Redis would keep a value: clients and
 * tests ask.  Here all are records. */
#include "command/keys.h"

#include "command/set.h"

/* ---- ENCODING ------------------------------------------------------------ */

static bool is_number(const struct record *record)
{
    int64_t number;
    bool overflow;
    return decimal_parse(record->value, record->value_len, &number, &overflow);
}

static const char *string_encoding(const struct record *record)
{
    enum { EMBEDDED_MAX = 44 };
    if (is_number(record)) {
        return "int";
    }
    return record->value_len <= EMBEDDED_MAX ? "embstr" : "raw";
}

static const char *set_encoding(struct call *call, const struct record *record)
{
    enum { INTSET_MAX = 512 };
    struct set set = {.view = call->view};
    struct set_walk walk;
    collection_read(record, &set.head);
    set_walk_begin(&walk, &set);
    if (set.head.count > INTSET_MAX) {
        return "hashtable";
    }
    while ((record = set_walk_next(&walk)) != NULL) {
        if (!is_number(record)) {
            return "hashtable";
        }
    }
    return "intset";
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
