/* kind.h: what a record is: a value of its own, the head of a collection, or a
 * part of one.
 *
 * Kinds of keys that a client can name are below KIND_INNER; a collection is
 * one such record, its head, and any number of inner ones, whose keys live in a
 * name space of their own.  How each is laid out stands where it is kept
 * (command/list.h, command/set.h, command/remains.h).
 *
 * The number stands in the record, in the frame that sets it, and in backups,
 * in the byte that is the status of a message. */
#ifndef KIND_H
#define KIND_H

#include <stdbool.h>
#include <stdint.h>

/* number, name, what TYPE answers */
#define KIND_MAP(X)                                                            \
    X(0, STRING, "string")                                                     \
    X(1, LIST, "list")                                                         \
    X(2, SET, "set")                                                           \
    X(64, ELEMENT, "element of a list")                                        \
    X(65, MEMBER, "member of a set")                                           \
    X(66, BLOCK, "index of a set")                                             \
    X(67, REMAINS, "remains of a collection")

enum kind {
#define X(number, name, text) KIND_##name = (number),
    KIND_MAP(X)
#undef X
        KIND_INNER = 64 /* from here on no client names them */
};

static inline bool kind_inner(unsigned kind)
{
    return kind >= KIND_INNER;
}

static inline bool kind_known(unsigned kind)
{
    switch (kind) {
#define X(number, name, text) case (number):
        KIND_MAP(X)
#undef X
        return true;
    default:
        return false;
    }
}

/* The name of a kind that is known. */
static inline const char *kind_name(unsigned kind)
{
    switch (kind) {
#define X(number, name, text)                                                  \
    case (number):                                                             \
        return text;
        KIND_MAP(X)
#undef X
    default:
        return "unknown";
    }
}

#endif
