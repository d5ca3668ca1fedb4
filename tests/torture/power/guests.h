/* guests.h: what those who changed collections beside the writers, see
 * collections/guests.h, must have left in an image: collections that are
 * whole, and one number that a list agrees with. */
#ifndef POWER_GUESTS_H
#define POWER_GUESTS_H

#include <stdbool.h>
#include <stddef.h>

/* True if all is right in the directory, as it would be opened; else what is
 * not. */
bool power_guests_right(const char *path, char *why, size_t size);

#endif
