/* What this process may use of the machine, and the limits of cgroups read from
 * trees made up here. */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "bytes.h"
#include "machine.h"

enum { FILES_MAX = 4 };

struct tree {
    struct {
        const char *path;
        const char *text;
    } files[FILES_MAX];
    uint64_t limit;
};

static void make_file(
    const struct test_directory *root, const char *path, const char *text)
{
    char name[2 * TEST_PATH_MAX];
    (void)snprintf(name, sizeof name, "%s/%s", root->path, path);
    for (char *c = name + strlen(root->path) + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            CHECK(mkdir(name, 0700) == 0 || errno == EEXIST);
            *c = '/';
        }
    }
    FILE *file = fopen(name, "w");
    REQUIRE(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void the_lowest_limit_counts(void)
{
    static const struct tree trees[] = {
        /* none at all */
        {{{"unrelated", ""}}, UINT64_MAX},
        {{{"proc/self/cgroup", ""}}, UINT64_MAX},
        {{{"proc/self/cgroup", "nonsense\n:\n0:\n::\n0::x\n"}}, UINT64_MAX},
        /* version 2 */
        {{{"proc/self/cgroup", "0::/\n"},
             {"sys/fs/cgroup/memory.max", "1073741824\n"}},
            1073741824},
        {{{"proc/self/cgroup", "0::/a/b\n"},
             {"sys/fs/cgroup/a/b/memory.max", "max\n"},
             {"sys/fs/cgroup/a/memory.max", "4096000\n"},
             {"sys/fs/cgroup/c/memory.max", "1\n"}},
            4096000},
        {{{"proc/self/cgroup", "0::/a\n"},
             {"sys/fs/cgroup/a/memory.max", "max\n"}},
            UINT64_MAX},
        /* the path is the host's, the mount the container's */
        {{{"proc/self/cgroup", "0::/host/deep\n"},
             {"sys/fs/cgroup/memory.max", "77\n"}},
            77},
        /* version 1, as one of several controllers, and not another's */
        {{{"proc/self/cgroup", "5:cpu,memory:/x\n4:memoryless:/y\n"},
             {"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "5000\n"},
             {"sys/fs/cgroup/memory/y/memory.limit_in_bytes", "2\n"},
             {"sys/fs/cgroup/memory/memory.limit_in_bytes",
                 "9223372036854771712\n"}},
            5000},
        {{{"proc/self/cgroup", "4:memory:/\n"},
             {"sys/fs/cgroup/memory/memory.limit_in_bytes",
                 "9223372036854771712\n"}},
            UINT64_MAX},
        /* both: version 2 without that controller */
        {{{"proc/self/cgroup", "4:memory:/m\n0::/u\n"},
             {"sys/fs/cgroup/memory/m/memory.limit_in_bytes", "900\n"},
             {"sys/fs/cgroup/unified/u/memory.max", "800\n"}},
            800},
        /* what is no number is no limit */
        {{{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", "-5\n"}},
            UINT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
        struct test_directory root = {""};
        struct machine_memory memory;
        REQUIRE(test_directory_make(&root));
        for (size_t j = 0; j < FILES_MAX && trees[i].files[j].path; j++) {
            make_file(&root, trees[i].files[j].path, trees[i].files[j].text);
        }
        machine_memory(root.path, &memory);
        CHECK_U64(memory.limit, trees[i].limit);
        CHECK(memory.physical > 0);
        CHECK(test_directory_remove(&root));
    }
}

static void long_paths_do_no_harm(void)
{
    char line[3 * TEST_PATH_MAX * 16] = "0::";
    struct test_directory root = {""};
    struct machine_memory memory;
    REQUIRE(test_directory_make(&root));
    memset(line + strlen(line), '/', sizeof line - strlen(line) - 1);
    make_file(&root, "proc/self/cgroup", line);
    make_file(&root, "sys/fs/cgroup/memory.max", "12\n");
    machine_memory(root.path, &memory);
    CHECK_U64(memory.limit, 12);
    CHECK(test_directory_remove(&root));
}

static uint64_t addresses_under(rlim_t limit)
{
    struct machine_memory memory;
    struct rlimit limits;
    REQUIRE(getrlimit(RLIMIT_AS, &limits) == 0);
    limits.rlim_cur = limit;
    REQUIRE(setrlimit(RLIMIT_AS, &limits) == 0);
    machine_memory("", &memory);
    CHECK(memory.stack > 0);
    return memory.addresses;
}

static void the_limit_of_addresses_is_what_is_left(void)
{
    const rlim_t high = (rlim_t)1 << 60;
    const rlim_t low = (rlim_t)1 << 59;
    uint64_t of_high = addresses_under(high);
    uint64_t of_low = addresses_under(low);
    CHECK(of_high > 0 && of_high < high);
    CHECK(of_low > 0 && of_low < low);
    /* What the test itself allocates meanwhile is little. */
    CHECK(of_high - of_low > low - (1 << 30));
    CHECK(of_high - of_low < low + (1 << 30));
    CHECK_U64(addresses_under(RLIM_INFINITY), UINT64_MAX);
}

static void cores_are_those_this_process_may_run_on(void)
{
    cpu_set_t before;
    cpu_set_t one;
    int first = 0;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    CHECK_INT(machine_cores(), CPU_COUNT(&before));
    while (!CPU_ISSET(first, &before)) {
        first++;
    }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK_INT(machine_cores(), 1);
}

const struct test_case test_machine[] = {
    TEST_CASE(the_lowest_limit_counts),
    TEST_CASE(long_paths_do_no_harm),
    TEST_CASE(the_limit_of_addresses_is_what_is_left),
    TEST_CASE(cores_are_those_this_process_may_run_on),
    TEST_END,
};
