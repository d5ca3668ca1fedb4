/* state.h: what the files of the generator's loop share.
 *
 *     loop.c     connections, times, the loop
 *     batch.c    which requests, sending them, receiving the replies */
#ifndef STATE_H
#define STATE_H

#include "compare/loop.h"

enum { INPUT_SIZE = 256 * 1024 };

struct request {
    uint32_t number;
    enum exchange_kind kind;
};

struct connection {
    int fd;
    uint64_t depth;
    uint64_t reads; /* percent */
    size_t sent;    /* requests of this batch */
    size_t answered;
    int64_t since_ns; /* when this batch was sent, or was due */
    int64_t due_ns;   /* the next one; paced connections have it */
    bool paced;
    bool warm; /* has had its first batch answered */
    struct request *requests;
    uint8_t *unsent; /* what send did not take; NULL: it always did */
    size_t unsent_from;
    size_t unsent_to;
    size_t rest_size;
    uint8_t rest[EXCHANGE_MAX]; /* the beginning of a reply */
};

struct loop {
    const struct loop_settings *settings;
    const struct exchange *exchanges;
    struct loop_result *result;
    struct zipf zipf;
    int epoll;
    int timer;
    int signals;
    struct connection *connections;
    size_t count;
    size_t busy; /* connections that wait for replies */
    size_t cold; /* those that are not paced and not warm */
    uint64_t random;
    uint64_t next; /* of those that take keys in an order */
    int64_t now_ns;
    int64_t step_ns;   /* from one batch that is due to the next */
    int64_t turn_ns;   /* when the next one is */
    size_t turn;       /* and whose */
    size_t paced_from; /* the connections that are paced: from here on */
    bool measuring;
    bool over;
    bool failed;
    uint8_t *input;
    uint8_t *output;
    size_t output_size;
};

/* Notes what ends the run too early, the first time; false. */
__attribute__((format(printf, 2, 3))) bool loop_fail(
    struct loop *loop, const char *format, ...);

/* Has epoll tell of a connection, also of room to send if it needs that. */
bool loop_watch(
    struct loop *loop, int operation, struct connection *connection);

/* Sends a batch whose duration counts from a time; there may be none left. */
bool batch_send(
    struct loop *loop, struct connection *connection, int64_t since_ns);
/* There is room to send what was not sent before. */
bool batch_send_rest(struct loop *loop, struct connection *connection);
/* Takes the replies that are there, and sends the next batch if it is time. */
bool batch_receive(struct loop *loop, struct connection *connection);

#endif
