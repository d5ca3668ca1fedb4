/* copy.h: the records of a collection, made anew under another owner. */
#ifndef COMMAND_COPY_H
#define COMMAND_COPY_H

#include "command/collection.h"

/* How many inner records it has. */
uint64_t copy_list_parts(const struct collection *head);
uint64_t copy_set_parts(const struct collection *head);

/* Copies them to the owner of head to, whose rest and count become those of
 * from.  There must be room for all. */
void copy_list(
    struct view *view, const struct collection *from, struct collection *to);
void copy_set(
    struct view *view, const struct collection *from, struct collection *to);

/* Shows the record of each member of a set, in a view that sees all records at
 * one instant. */
void copy_set_see(struct view *view, const struct collection *head,
    void (*see)(void *context, const struct record *record), void *context);

#endif
