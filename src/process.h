/* process.h: what a program asks of the kernel for its own process, before it
 * has threads. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Opens /dev/null for each standard stream that is closed: else a data file
 * would get its number, and diagnostics would be written into it.  False if it
 * cannot. */
bool process_hold_streams(void);

/* Ignores SIGPIPE and SIGXFSZ: what they tell is told by a call too. */
void process_ignore_signals(void);

/* For a client.  The numbers of standard streams that are closed go to no other
 * file or connection, which would get what is meant for a stream; to use these
 * streams fails as before. */
void process_reserve_streams(void);
/* A write past the limit of a file's size fails, and is no signal. */
void process_ignore_size_limit(void);

/* Of both below: another allocator than the C library's does as it likes.
 *
 * Large blocks of memory (32 KiB) go back to the system when they are freed:
 * by its own choice malloc keeps more and more of them. */
void process_return_memory(void);
/* Has all threads allocate from one heap, where addresses are limited: each
 * heap would reserve 64 MiB of them. */
void process_share_heap(void);

/* Has SIGTERM and SIGINT call stop; or, if it is NULL, blocks them here and in
 * threads made later, so that they can be read (signalfd). */
void process_on_stop(void (*stop)(int signal));

/* Raises the limit of open files to wanted if it is lower.  Returns how many
 * this process may have: less than wanted if that is refused. */
uint64_t process_raise_files(uint64_t wanted);

#endif
