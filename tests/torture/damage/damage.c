/* damage.c: files of a store that were cut, flipped, lost, exchanged: all that
 * the families of cases.h list, one damage at a time, each against the
 * recovery of the library; and some of them against the programs.
 *
 *     damage [--seed N] [--build DIR] [--all] [CASE]
 *
 * What is opened holds the state after some LSN, and no less than the log's
 * marks tell was durable; what is refused is unchanged, and the damaged frame
 * is named.  Without --all a sample of each family; CASE, a number that a
 * failure has told, is one alone.
 *
 * Two processes share the cases.  One that dies, or takes too long for a case,
 * is replaced, and the case counts as a crash or a hang.  The last line is
 * "N passed, N failed", in cases. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "file.h"
#include "support.h"
#include "torture/damage/cases.h"

enum {
    RUNNERS = 2,
    CASE_SECONDS = 5,      /* before one counts as a hang */
    PROGRAM_SECONDS = 120, /* the same with the programs */
    AGAIN_EVERY = 8,       /* of those that open, opened twice */
    PROGRAMS_SHORT = 24,   /* cases that the programs see */
    PROGRAMS_LONG = 200,
    COMPLAINTS_MAX = 20
};

/* What a process of ours has found; shared. */
struct tally {
    uint64_t at; /* the case that is under way, a place in the order */
    uint64_t done[DAMAGES];
    uint64_t outcomes[OUTCOME_WRONG + 1];
    uint64_t programs;
    uint64_t complaints;
    uint64_t crashes;
    uint64_t hangs;
};

struct test {
    const char *build;
    uint64_t seed;
    bool all;
    struct world worlds[WORLDS];
    struct family families[FAMILIES_MAX];
    uint32_t family_count;
    uint64_t *cases; /* numbers of those to be played */
    uint64_t case_count;
    uint64_t programs_every;
    struct test_directory parent;
    struct tally *tallies; /* of each runner; shared */
};

/* ---- Which cases --------------------------------------------------------- */

static const struct family *family_of(const struct test *test, uint64_t *index)
{
    const struct family *family = test->families;
    while (*index >= family->count) {
        *index -= family->count;
        family++;
    }
    return family;
}

static void choose_cases(struct test *test)
{
    struct test_random random;
    uint64_t first = 0;
    uint64_t all = 0;
    test_random_init_seed(&random, test->seed);
    for (uint32_t i = 0; i < test->family_count; i++) {
        all += test->families[i].count;
    }
    assert(all > 0);
    test->cases = malloc(all * sizeof *test->cases);
    assert(test->cases != NULL);
    for (uint32_t i = 0; i < test->family_count; i++) {
        const struct family *family = &test->families[i];
        bool each = test->all || family->sample >= family->count;
        uint64_t count = each ? family->count : family->sample;
        for (uint64_t j = 0; j < count; j++) {
            test->cases[test->case_count++] =
                first + (each ? j : test_random_below(&random, family->count));
        }
        first += family->count;
    }
    uint64_t wanted = test->all ? PROGRAMS_LONG : PROGRAMS_SHORT;
    test->programs_every = test->case_count / wanted + 1;
}

/* ---- A case -------------------------------------------------------------- */

static void complain(struct tally *tally, const struct family *family,
    uint64_t number, const char *text, const char *why)
{
    if (tally->complaints++ < COMPLAINTS_MAX) {
        (void)printf("case %" PRIu64 ", store %d, %s: %s: %s\n", number,
            (int)family->world->name, family->name, text, why);
        (void)fflush(stdout);
    }
}

/* Damages the files anew; false if there is no such damage. */
static bool damage(const struct family *family, uint64_t index,
    struct patient *patient, int directory)
{
    *patient = (struct patient){.directory = directory};
    image_put(&family->world->image, directory);
    if (!family->apply(family, index, patient)) {
        return false;
    }
    patient->place.marked =
        u64_max(patient->place.marked, world_marked(directory));
    return true;
}

static void run_case(
    struct test *test, struct tally *tally, uint64_t place, const char *path)
{
    uint64_t number = test->cases[place];
    uint64_t index = number;
    const struct family *family = family_of(test, &index);
    struct patient patient;
    struct opened opened;
    int directory = file_open_directory(path, true);
    if (directory < 0) {
        image_fail("cannot open", path, -directory);
    }
    (void)alarm(CASE_SECONDS);
    if (damage(family, index, &patient, directory)) {
        open_damaged(family->world, path, &patient.place,
            place % AGAIN_EVERY == 0, &opened);
        if (place % test->programs_every == 0 &&
            opened.outcome != OUTCOME_WRONG) {
            (void)alarm(PROGRAM_SECONDS);
            (void)damage(family, index, &patient, directory);
            (void)programs_agree(family->world, path, test->build, &opened);
            tally->programs++;
        }
        tally->done[family->kind]++;
        tally->outcomes[opened.outcome]++;
        if (opened.outcome == OUTCOME_WRONG) {
            complain(tally, family, number, patient.text, opened.why);
        } else if (test->case_count == 1) {
            (void)printf("%s: outcome %d, LSN %" PRIu64 " %s\n", patient.text,
                (int)opened.outcome, opened.lsn, opened.why);
        }
    }
    file_close(directory);
}

/* ---- The runners --------------------------------------------------------- */

_Noreturn static void run_rest(struct test *test, uint32_t runner)
{
    char path[TEST_PATH_MAX];
    struct tally *tally = &test->tallies[runner];
    int length = snprintf(
        path, sizeof path, "%s/at-%" PRIu32, test->parent.path, runner);
    if (length < 0 || length >= TEST_PATH_MAX) {
        image_fail("too long:", test->parent.path, ENAMETOOLONG);
    }
    while (tally->at < test->case_count) {
        run_case(test, tally, tally->at, path);
        tally->at += RUNNERS;
    }
    (void)fflush(stdout);
    _exit(EXIT_SUCCESS);
}

static pid_t start_runner(struct test *test, uint32_t runner)
{
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
            _exit(EXIT_FAILURE);
        }
        run_rest(test, runner);
    }
    if (pid < 0) {
        image_fail("cannot start", "a process", errno);
    }
    return pid;
}

/* True if it has to be replaced. */
static bool note_end(struct test *test, uint32_t runner, int status)
{
    struct tally *tally = &test->tallies[runner];
    uint64_t index = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
        return false;
    }
    if (!WIFSIGNALED(status)) {
        exit(EXIT_FAILURE); /* it has said why */
    }
    bool hangs = WTERMSIG(status) == SIGALRM;
    tally->hangs += hangs ? 1 : 0;
    tally->crashes += hangs ? 0 : 1;
    index = test->cases[tally->at];
    const struct family *family = family_of(test, &index);
    complain(tally, family, test->cases[tally->at],
        hangs ? "it hangs" : "it crashes", strsignal(WTERMSIG(status)));
    tally->at += RUNNERS;
    return true;
}

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    interrupted = signal;
}

/* Ends early where it is interrupted; the runners end with this process. */
static void run_all(struct test *test)
{
    pid_t pids[RUNNERS];
    for (uint32_t i = 0; i < RUNNERS; i++) {
        test->tallies[i].at = i;
        pids[i] = start_runner(test, i);
    }
    uint32_t running = RUNNERS;
    while (running > 0 && !interrupted) {
        int status;
        pid_t pid = wait(&status);
        for (uint32_t i = 0; i < RUNNERS; i++) {
            if (pids[i] == pid && note_end(test, i, status)) {
                pids[i] = start_runner(test, i);
            } else if (pids[i] == pid) {
                pids[i] = 0;
                running--;
            }
        }
        if (pid < 0 && errno != EINTR) {
            image_fail("cannot wait for", "a process", errno);
        }
    }
    for (uint32_t i = 0; i < RUNNERS; i++) {
        if (pids[i] != 0) {
            (void)kill(pids[i], SIGKILL);
        }
    }
}

/* ---- The program --------------------------------------------------------- */

/* True if all passed. */
static bool report(const struct test *test)
{
    struct tally sum = {.at = 0};
    for (uint32_t i = 0; i < RUNNERS; i++) {
        const struct tally *tally = &test->tallies[i];
        for (uint32_t j = 0; j < DAMAGES; j++) {
            sum.done[j] += tally->done[j];
        }
        for (uint32_t j = 0; j <= OUTCOME_WRONG; j++) {
            sum.outcomes[j] += tally->outcomes[j];
        }
        sum.programs += tally->programs;
        sum.crashes += tally->crashes;
        sum.hangs += tally->hangs;
    }
    uint64_t failed = sum.outcomes[OUTCOME_WRONG] + sum.crashes + sum.hangs;
    (void)printf("figure: %" PRIu64 " cuts, %" PRIu64 " flipped bits, %" PRIu64
                 " pages and frames, %" PRIu64 " files\n",
        sum.done[DAMAGE_CUT], sum.done[DAMAGE_FLIP], sum.done[DAMAGE_PAGE],
        sum.done[DAMAGE_FILE]);
    (void)printf("figure: opened whole %" PRIu64 ", without an end %" PRIu64
                 ", refused %" PRIu64 "\n",
        sum.outcomes[OUTCOME_WHOLE], sum.outcomes[OUTCOME_PREFIX],
        sum.outcomes[OUTCOME_REFUSED]);
    (void)printf("figure: wrong %" PRIu64 ", crashes %" PRIu64
                 ", hangs %" PRIu64 "\n",
        sum.outcomes[OUTCOME_WRONG], sum.crashes, sum.hangs);
    (void)printf(
        "figure: server and client check agree in %" PRIu64 "\n", sum.programs);
    uint64_t passed = sum.outcomes[OUTCOME_WHOLE] +
                      sum.outcomes[OUTCOME_PREFIX] +
                      sum.outcomes[OUTCOME_REFUSED];
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return passed > 0 && failed == 0;
}

/* *only: the case that is asked for. */
static bool parse_arguments(char **argv, struct test *test, uint64_t *only)
{
    const struct argument known[] = {
        {.name = "--seed", .number = &test->seed},
        {.name = "--build", .text = &test->build},
        {.name = "--all", .flag = &test->all},
        {.name = "", .number = only},
        {.name = NULL},
    };
    return arguments_seed(&test->seed) && arguments_take(argv, known);
}

/* Its directories are in memory, where there is any. */
static void make_parent(struct test *test)
{
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 1);
    }
    test->tallies = mmap(NULL, RUNNERS * sizeof *test->tallies,
        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (test->tallies == MAP_FAILED || !test_directory_make(&test->parent)) {
        image_fail("cannot make", "a directory", errno);
    }
}

int main(int argc, char **argv)
{
    struct test test = {.build = "build"};
    uint64_t only = UINT64_MAX; /* all */
    if (argc < 1 || !parse_arguments(argv, &test, &only)) {
        (void)fprintf(
            stderr, "usage: damage [--seed N] [--build DIR] [--all] [CASE]\n");
        return EXIT_USAGE;
    }
    (void)printf("seed %" PRIu64 "\n", test.seed);
    const struct sigaction action = {.sa_handler = interrupt};
    if (sigaction(SIGINT, &action, NULL) != 0 ||
        sigaction(SIGTERM, &action, NULL) != 0) {
        image_fail("cannot take", "signals", errno);
    }
    make_parent(&test);
    for (int i = 0; i < WORLDS; i++) {
        world_make(&test.worlds[i], (enum world_name)i, test.parent.path);
    }
    test.family_count = cases_list(test.worlds, test.families);
    choose_cases(&test);
    if (only != UINT64_MAX) {
        test.cases[0] = only;
        test.case_count = 1;
        test.programs_every = 1;
    }
    run_all(&test);
    bool passed = report(&test);
    for (int i = 0; i < WORLDS; i++) {
        world_free(&test.worlds[i]);
    }
    free(test.cases);
    bool removed = test_directory_remove(&test.parent);
    return passed && removed && !interrupted ? EXIT_SUCCESS : EXIT_FAILURE;
}
