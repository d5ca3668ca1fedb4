/* mutate.c: a fuzzer's entrance, fed with changed copies of the files of its
 * corpus, in numbers: without coverage to guide it, and so without clang.
 *
 *     mutate [--seed N] [--part BYTES] UNITS DIRECTORY...
 *
 * A unit is an input, or with --part that many bytes of one: a message.  The
 * input that an entrance is busy with stands in memory that is shared: where
 * the entrance ends the process, or takes longer than a minute, it is printed
 * in hexadecimal, and the status is 1.  The last line says how many units there
 * were. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "bytes.h"
#include "support.h"

enum {
    INPUT_MAX = 32 * 1024,
    SAMPLES_MAX = 256,
    CHANGES_MAX = 8, /* of one input */
    RUN_SECONDS = 60,
    KEEP_MEMORY = 64 << 20, /* what is freed stays, rather than fault again */
    DIRECTORIES_MAX = 8
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct input {
    size_t size;
    uint8_t bytes[INPUT_MAX];
};

struct test {
    struct test_random random;
    uint64_t part;
    uint64_t units;
    uint32_t count;
    struct input *samples;
    struct input *input; /* shared */
};

/* ---- Inputs -------------------------------------------------------------- */

static void read_sample(struct test *test, const char *path)
{
    FILE *file = fopen(path, "rb");
    assert(file != NULL);
    struct input *sample = &test->samples[test->count];
    sample->size = fread(sample->bytes, 1, INPUT_MAX, file);
    test->count += sample->size > 0 ? 1 : 0;
    (void)fclose(file);
}

static bool read_samples(struct test *test, const char *directory)
{
    char path[TEST_PATH_MAX];
    DIR *names = opendir(directory);
    struct dirent *entry;
    while (names != NULL && test->count < SAMPLES_MAX &&
           (entry = readdir(names)) != NULL) {
        int length =
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] != '.' && length > 0 && length < TEST_PATH_MAX) {
            read_sample(test, path);
        }
    }
    if (names != NULL) {
        (void)closedir(names);
    }
    return names != NULL;
}

/* ---- Changes ------------------------------------------------------------- */

static size_t below(struct test *test, size_t limit)
{
    return (size_t)test_random_below(&test->random, limit);
}

/* Numbers that are the last of something, or the first that is not. */
static uint8_t edge(struct test *test)
{
    static const uint8_t edges[] = {
        0, 1, 16, 17, 18, 31, 63, 64, 65, 127, 128, 129, 255};
    return edges[below(test, sizeof edges)];
}

/* Part of another sample, at any place, or at the same. */
static void splice(struct test *test, struct input *input)
{
    const struct input *other = &test->samples[below(test, test->count)];
    size_t from = below(test, other->size);
    size_t to = below(test, 2) == 0 ? below(test, input->size + 1)
                                    : u64_min(from, input->size);
    size_t size = below(test, other->size - from) + 1;
    size = u64_min(size, INPUT_MAX - to);
    memcpy(input->bytes + to, other->bytes + from, size);
    input->size = u64_max(input->size, to + size);
}

static void repeat(struct test *test, struct input *input)
{
    size_t at = below(test, input->size);
    size_t size = below(test, input->size - at) + 1;
    size = u64_min(size, INPUT_MAX - input->size);
    memmove(input->bytes + at + size, input->bytes + at, input->size - at);
    input->size += size;
}

static void leave_out(struct test *test, struct input *input)
{
    size_t at = below(test, input->size);
    size_t size = below(test, u64_min(input->size - at, 600)) + 1;
    if (size < input->size) {
        memmove(input->bytes + at, input->bytes + at + size,
            input->size - at - size);
        input->size -= size;
    }
}

static void change(struct test *test, struct input *input)
{
    size_t at = below(test, input->size);
    switch (below(test, 10)) {
    case 0:
        splice(test, input);
        break;
    case 1:
        repeat(test, input);
        break;
    case 2:
        leave_out(test, input);
        break;
    case 3:
        test_random_fill(&test->random, input->bytes + at,
            u64_min(below(test, 64) + 1, input->size - at));
        break;
    case 4:
        memset(input->bytes + at, 0,
            u64_min(below(test, 300) + 1, input->size - at));
        break;
    case 5:
    case 6:
        input->bytes[at] = edge(test);
        break;
    default:
        input->bytes[at] ^= (uint8_t)(1u << below(test, 8));
        break;
    }
}

/* One change for each so many bytes, so that most of a long input is sound. */
static void make_input(struct test *test, struct input *input)
{
    const struct input *sample = &test->samples[below(test, test->count)];
    size_t changes = below(test, CHANGES_MAX) + 1;
    input->size = sample->size;
    memcpy(input->bytes, sample->bytes, sample->size);
    for (size_t i = 0; i < changes; i++) {
        change(test, input);
    }
    /* The first byte says how the others are to be taken. */
    if (below(test, 2) == 0) {
        input->bytes[0] = (uint8_t)below(test, UINT8_MAX + 1);
    }
}

/* ---- Running ------------------------------------------------------------- */

_Noreturn static void run(struct test *test, pid_t parent)
{
    uint64_t done = 0;
    struct input *input = test->input;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    (void)mallopt(M_MMAP_THRESHOLD, KEEP_MEMORY);
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_MEMORY);
    while (done < test->units) {
        make_input(test, input);
        uint64_t units = test->part == 0 ? 1 : input->size / test->part;
        (void)alarm(RUN_SECONDS);
        if (units > 0) {
            (void)LLVMFuzzerTestOneInput(input->bytes, input->size);
        }
        done += units;
    }
    _exit(EXIT_SUCCESS);
}

static int watch(struct test *test)
{
    int status = 0;
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run(test, parent);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("a process");
        return EXIT_FAILURE;
    }
    if (status != 0) {
        (void)printf("finding: %s: ",
            WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended");
        for (size_t i = 0; i < test->input->size; i++) {
            (void)printf("%02x", test->input->bytes[i]);
        }
        (void)putchar('\n');
        return EXIT_FAILURE;
    }
    (void)printf("units: %" PRIu64 "\n", test->units);
    return EXIT_SUCCESS;
}

static bool parse_arguments(char **argv, struct test *test)
{
    enum { OTHERS = 3 };
    uint64_t seed = 0;
    const char *directories[DIRECTORIES_MAX] = {NULL};
    struct argument known[OTHERS + DIRECTORIES_MAX + 1] = {
        {.name = "--seed", .number = &seed},
        {.name = "--part", .number = &test->part},
        {.name = "", .number = &test->units},
    };
    for (size_t i = 0; i < DIRECTORIES_MAX; i++) {
        known[OTHERS + i] =
            (struct argument){.name = "", .text = &directories[i]};
    }
    bool valid = arguments_seed(&seed) && arguments_take(argv, known);
    for (size_t i = 0; valid && i < DIRECTORIES_MAX && directories[i] != NULL;
         i++) {
        valid = read_samples(test, directories[i]);
    }
    (void)printf("seed %" PRIu64 "\n", seed);
    test_random_init_seed(&test->random, seed);
    return valid && test->units > 0 && test->count > 0;
}

int main(int argc, char **argv)
{
    struct test test = {.part = 0};
    test.samples = calloc(SAMPLES_MAX, sizeof *test.samples);
    test.input = mmap(NULL, sizeof *test.input, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(argc > 0 && test.samples != NULL && test.input != MAP_FAILED);
    if (!parse_arguments(argv, &test)) {
        (void)fprintf(stderr, "usage: mutate [--seed N] [--part BYTES] UNITS "
                              "DIRECTORY...\n");
        return EXIT_USAGE;
    }
    int status = watch(&test);
    free(test.samples);
    return status;
}
