/* record.c: runs a server under a load, and has all written down that it
 * does to its disk and what its clients are answered (trace.h).
 *
 *     record --sync MODE --trace FILE --data DIR [--build DIR]
 *         [--seconds N] [--seed N] [--plant data|names] [--cells FILE]
 *         [--guests]
 *
 * DIR may hold what a loss of power left; then FILE, the cells as somebody else
 * has read them there, must be what the server shows.  The server is killed in
 * the middle of the time and goes on after a restart; at the end it stops in an
 * orderly way.  Exit status 0: all went as it should.
 *
 * With --guests others change collections beside the writers, by the Redis
 * protocol. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "bytes.h"
#include "clock.h"
#include "crash_server.h"
#include "torture/collections/guests.h"
#include "torture/power/history.h"
#include "torture/power/trace.h"
#include "torture/preload/preload.h"

enum {
    BURST = 6,
    BURSTS_A_SECOND = 1000, /* of each writer, at the most */
    BACKUP_EVERY_MS = 300,
    CLIENT_MS = 60000,
    PAUSE_MS = 4, /* of guests */
    MANY = 70,    /* members that they add at once */
    BASE_MAX = 64 << 20
};

#define NS_A_SECOND INT64_C(1000000000)

struct recorder {
    const char *sync;
    const char *path;
    const char *data;
    const char *build;
    const char *plant;
    const char *cells;
    uint64_t seconds;
    uint64_t seed;
    char server[PATH_MAX];
    char library[PATH_MAX];
    const char *more[6][2];
    struct crash_settings settings;
    struct crash_server process;
    struct power_trace trace;
    struct crash_writer writers[POWER_WRITERS];
    bool guests;
    struct adder adder;
    struct churner churner;
    bool backs_up;        /* the load asks for backups */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool ends; /* the load does */
};

static bool complain(
    const struct recorder *recorder, const char *what, const char *more)
{
    (void)fprintf(stderr, "%s: %s: %s\n", recorder->path, what, more);
    return false;
}

/* ---- The load ------------------------------------------------------------ */

struct task {
    struct recorder *recorder;
    struct crash_writer *writer;
    int64_t next_ns; /* when the next request is due */
    int64_t late_ns;
};

/* Keeps to the pace.  A thread that slept too long tells how busy the machine
 * is. */
static void pace(struct task *task)
{
    int64_t now_ns = clock_steady_ns();
    int64_t step_ns = NS_A_SECOND / (BURSTS_A_SECOND * BURST / 2);
    task->next_ns =
        (task->next_ns > now_ns - NS_A_SECOND ? task->next_ns : now_ns) +
        step_ns;
    if (task->next_ns > now_ns) {
        struct timespec until = {.tv_sec = task->next_ns / NS_A_SECOND,
            .tv_nsec = task->next_ns % NS_A_SECOND};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t late_ns = clock_steady_ns() - task->next_ns;
        task->late_ns = late_ns > task->late_ns ? late_ns : task->late_ns;
    }
}

static void tell(
    void *context, const struct crash_request *request, bool answered)
{
    struct task *task = context;
    struct power_event event = {.file = task->writer->number};
    if (!answered) {
        pace(task);
        event.flags = request->kind;
        event.of = request->cell;
        event.length = request->length;
        event.number = request->number;
    }
    (void)power_trace_add(
        &task->recorder->trace, answered ? POWER_ANSWERED : POWER_SENT, &event);
}

static void *write_cells(void *context)
{
    struct task *task = context;
    task->writer->tell = tell;
    task->writer->context = task;
    crash_writer_run(task->writer, task->recorder->process.port);
    return NULL;
}

/* Waits for so long, or until the load ends; false then. */
static bool wait_for_time(struct recorder *recorder, int64_t wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_ms * 1000000;
    until.tv_sec += ns / NS_A_SECOND;
    until.tv_nsec = ns % NS_A_SECOND;
    pthread_mutex_lock(&recorder->lock);
    int error = 0;
    while (!recorder->ends && error != ETIMEDOUT) {
        error =
            pthread_cond_timedwait(&recorder->changed, &recorder->lock, &until);
    }
    bool goes_on = !recorder->ends;
    pthread_mutex_unlock(&recorder->lock);
    return goes_on;
}

static void *ask_for_backups(void *context)
{
    struct task *task = context;
    struct recorder *recorder = task->recorder;
    kv_client_t *client = kv_client_create("127.0.0.1", recorder->process.port);
    assert(client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    while (wait_for_time(recorder, BACKUP_EVERY_MS) && recorder->backs_up) {
        struct power_event event = {.file = 0};
        event.of = power_trace_add(&recorder->trace, POWER_BACKUP, &event);
        if (kv_client_backup(client, NULL) != KV_SUCCESS) {
            break;
        }
        (void)power_trace_add(&recorder->trace, POWER_BACKED_UP, &event);
    }
    kv_client_destroy(client);
    return NULL;
}

static void *add_numbers(void *context)
{
    struct task *task = context;
    adder_run(&task->recorder->adder);
    return NULL;
}

static void *make_collections(void *context)
{
    struct task *task = context;
    churner_run(&task->recorder->churner);
    return NULL;
}

/* What the cells are from which the writers begin. */
static void note_cells(struct recorder *recorder)
{
    struct power_cells *cells = malloc(sizeof *cells);
    struct power_event event = {.size = sizeof *cells};
    assert(cells != NULL);
    for (size_t i = 0; i < POWER_WRITERS; i++) {
        memcpy(cells->of[i], recorder->writers[i].sure, sizeof cells->of[i]);
    }
    event.bytes = power_trace_keep(&recorder->trace, cells, sizeof *cells);
    (void)power_trace_add(&recorder->trace, POWER_EPOCH, &event);
    free(cells);
}

/* Has clients write for so long, then ends the server. */
static bool load(struct recorder *recorder, int64_t ms, int signal)
{
    static void *(*const others[])(void *context) = {
        ask_for_backups, add_numbers, make_collections};
    enum { ALL = POWER_WRITERS + ARRAY_SIZE(others) };
    struct task tasks[ALL];
    pthread_t threads[ALL];
    uint32_t count = recorder->guests ? ALL : POWER_WRITERS + 1;
    note_cells(recorder);
    recorder->ends = false;
    recorder->adder.port = recorder->process.port;
    recorder->churner.port = recorder->process.port;
    for (uint32_t i = 0; i < count; i++) {
        tasks[i] = (struct task){.recorder = recorder};
        tasks[i].writer = i < POWER_WRITERS ? &recorder->writers[i] : NULL;
        int error = pthread_create(&threads[i], NULL,
            i < POWER_WRITERS ? write_cells : others[i - POWER_WRITERS],
            &tasks[i]);
        assert(error == 0);
    }
    bool lives = true;
    int64_t until_ms = clock_steady_ms() + ms;
    while (lives && clock_steady_ms() < until_ms &&
           power_trace_has_room(&recorder->trace)) {
        lives = crash_server_listen(&recorder->process, 50);
    }
    atomic_store(&recorder->trace.head->halted, signal == SIGKILL);
    while (lives && signal == SIGKILL &&
           atomic_load(&recorder->trace.head->under_way) > 0) {
        lives = crash_server_listen(&recorder->process, 1);
    }
    if (signal == SIGTERM) {
        const struct power_event event = {.file = 0};
        (void)power_trace_add(&recorder->trace, POWER_STOP, &event);
    }
    int status = crash_server_end(&recorder->process, signal);
    atomic_store(&recorder->trace.head->halted, false);
    pthread_mutex_lock(&recorder->lock);
    recorder->ends = true;
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->lock);
    bool right = true;
    for (uint32_t i = 0; i < count; i++) {
        int error = pthread_join(threads[i], NULL);
        assert(error == 0);
        recorder->trace.head->late_ns =
            (int64_t)u64_max((uint64_t)recorder->trace.head->late_ns,
                (uint64_t)tasks[i].late_ns);
        right =
            right && (i >= POWER_WRITERS || !recorder->writers[i].complained);
    }
    bool ended = signal == SIGKILL
                     ? WIFSIGNALED(status)
                     : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    right =
        right && !recorder->adder.complained && !recorder->churner.complained;
    return lives && ended && right
               ? true
               : complain(recorder, "the load failed", recorder->process.said);
}

/* ---- What was there at first --------------------------------------------- */

static bool keep_file(
    struct recorder *recorder, int directory, const char *name)
{
    struct stat status;
    uint8_t *bytes = malloc(BASE_MAX);
    size_t name_size = strlen(name) + 1;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    bool right = bytes != NULL && fd >= 0 && fstat(fd, &status) == 0 &&
                 (size_t)status.st_size < BASE_MAX - name_size;
    if (right) {
        struct power_event event = {.size = (uint64_t)status.st_size};
        memcpy(bytes, name, name_size);
        right = read(fd, bytes + name_size, event.size) == status.st_size;
        event.bytes =
            power_trace_keep(&recorder->trace, bytes, name_size + event.size);
        (void)power_trace_add(&recorder->trace, POWER_BASE, &event);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(bytes);
    return right;
}

/* Keeps what is in the directory; makes it if it is not there. */
static bool keep_files(struct recorder *recorder)
{
    bool right = mkdir(recorder->data, 0700) == 0 || errno == EEXIST;
    DIR *list = right ? opendir(recorder->data) : NULL;
    const struct dirent *entry;
    right = list != NULL;
    while (right && (entry = readdir(list)) != NULL) {
        right = entry->d_name[0] == '.' ||
                keep_file(recorder, dirfd(list), entry->d_name);
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return right ? true : complain(recorder, recorder->data, strerror(errno));
}

/* Compares the cells that the server has shown with those in the file. */
static bool compare_cells(const struct recorder *recorder)
{
    FILE *file = fopen(recorder->cells, "re");
    if (file == NULL) {
        return complain(recorder, recorder->cells, strerror(errno));
    }
    bool same = true;
    for (size_t i = 0; i < POWER_WRITERS; i++) {
        int64_t cells[CRASH_CELLS];
        same = same && fread(cells, sizeof cells, 1, file) == 1 &&
               memcmp(cells, recorder->writers[i].sure, sizeof cells) == 0;
    }
    (void)fclose(file);
    return same ? true
                : complain(recorder,
                      "the server shows other cells than the library",
                      recorder->data);
}

/* ---- The run ------------------------------------------------------------- */

/* Starts the server; takes its cells for right if adopt, else compares. */
static bool start(struct recorder *recorder, bool adopt)
{
    const struct power_event event = {.file = 0};
    (void)power_trace_add(&recorder->trace, POWER_START, &event);
    bool right = crash_server_start(&recorder->process, &recorder->settings) &&
                 crash_server_await(&recorder->process);
    if (!right) {
        return complain(
            recorder, "the server does not start", recorder->process.said);
    }
    for (uint32_t i = 0; i < POWER_WRITERS && right; i++) {
        struct crash_writer *writer = &recorder->writers[i];
        if (adopt) {
            crash_writer_adopt(writer, recorder->process.port);
        } else {
            (void)crash_writer_check(writer, recorder->process.port);
        }
        right = !writer->complained;
    }
    return right ? true
                 : complain(recorder, "the cells are not right",
                       recorder->process.said);
}

/* With KV_SYNC=everysec the first half has no backups, which would sync more
 * often than once in a second. */
static bool run(struct recorder *recorder)
{
    bool everysec = recorder->trace.head->sync == KV_SYNC_EVERYSEC;
    int64_t half_ms = (int64_t)recorder->seconds * 1000 / 2;
    for (uint32_t i = 0; i < POWER_WRITERS; i++) {
        crash_writer_init(&recorder->writers[i], i, recorder->seed + i);
        recorder->writers[i].burst = BURST;
    }
    recorder->trace.head->guests = recorder->guests ? 1 : 0;
    recorder->adder.pause_ms = PAUSE_MS;
    recorder->churner.pause_ms = PAUSE_MS;
    recorder->churner.many = MANY;
    test_random_init_seed(&recorder->churner.random, recorder->seed);
    if (!keep_files(recorder) || !start(recorder, true) ||
        (recorder->cells != NULL && !compare_cells(recorder))) {
        return false;
    }
    recorder->backs_up = !everysec;
    if (!load(recorder, half_ms, SIGKILL) || !start(recorder, false)) {
        return false;
    }
    recorder->backs_up = true;
    return load(recorder, half_ms, SIGTERM);
}

static bool prepare(struct recorder *recorder)
{
    char build[PATH_MAX];
    pthread_condattr_t steady;
    int error = power_trace_open(&recorder->trace, recorder->path, true);
    if (error != 0 || realpath(recorder->build, build) == NULL) {
        return complain(
            recorder, "cannot begin", strerror(error != 0 ? -error : errno));
    }
    while (
        recorder->trace.head->sync < TEST_SYNCS &&
        strcmp(test_syncs[recorder->trace.head->sync], recorder->sync) != 0) {
        recorder->trace.head->sync++;
    }
    (void)snprintf(recorder->server, PATH_MAX, "%.4000s/bin/server", build);
    (void)snprintf(
        recorder->library, PATH_MAX, "%.4000s/torture/preload/power.so", build);
    const char *const more[][2] = {
        {"LD_PRELOAD", recorder->library},
        {PRELOAD_DIRECTORY, recorder->data},
        {POWER_FILE, recorder->path},
        {"KV_BACKUP_INTERVAL", "0"},
        {recorder->plant == NULL ? NULL : POWER_PLANT, recorder->plant},
        {NULL, NULL},
    };
    _Static_assert(sizeof more == sizeof recorder->more, "one and the same");
    memcpy(recorder->more, more, sizeof more);
    recorder->settings = (struct crash_settings){
        .program = recorder->server,
        .directory = recorder->data,
        .sync = recorder->sync,
        .segment = "2M",
        .more = recorder->more,
    };
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&recorder->changed, &steady);
    pthread_mutex_init(&recorder->lock, NULL);
    return recorder->trace.head->sync < TEST_SYNCS;
}

static bool parse_arguments(char **argv, struct recorder *recorder)
{
    const struct argument known[] = {
        {.name = "--sync", .text = &recorder->sync},
        {.name = "--trace", .text = &recorder->path},
        {.name = "--data", .text = &recorder->data},
        {.name = "--build", .text = &recorder->build},
        {.name = "--seconds", .number = &recorder->seconds},
        {.name = "--seed", .number = &recorder->seed},
        {.name = "--plant", .text = &recorder->plant},
        {.name = "--cells", .text = &recorder->cells},
        {.name = "--guests", .flag = &recorder->guests},
        {.name = NULL},
    };
    return arguments_take(argv, known) && recorder->sync != NULL &&
           recorder->path != NULL && recorder->data != NULL;
}

int main(int argc, char **argv)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    assert(argc > 0 && recorder != NULL);
    recorder->build = "build";
    recorder->seconds = 3;
    if (!parse_arguments(argv, recorder)) {
        (void)fprintf(stderr,
            "usage: record --sync MODE --trace FILE --data DIR\n"
            "    [--build DIR] [--seconds N] [--seed N] [--plant data|names] "
            "[--cells FILE] [--guests]\n");
        free(recorder);
        return EXIT_USAGE;
    }
    /* It does not outlive the script. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool right = prepare(recorder) && run(recorder);
    if (recorder->process.pid != 0) {
        (void)crash_server_end(&recorder->process, SIGKILL);
    }
    free(recorder);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
