/* exchanges.h: commands and the replies that are expected, line by line. */
#ifndef EXCHANGES_H
#define EXCHANGES_H

#include "called.h"

struct exchange {
    const char *line; /* as called_run has it; NULL behind the last */
    const char *reply;
};

/* Runs them one after the other; a wrong reply is shown with its line. */
#define CHECK_EXCHANGES(called, ...)                                           \
    exchanges_check((called),                                                  \
        (const struct exchange[]){__VA_ARGS__, {NULL, NULL}}, __LINE__)

static inline void exchanges_check(
    struct called *called, const struct exchange *exchange, unsigned line)
{
    for (; exchange->line != NULL; exchange++) {
        const struct test_place place = {"exchanges", line, exchange->line};
        test_check_text(
            &place, called_run(called, exchange->line), exchange->reply);
    }
}

#endif
