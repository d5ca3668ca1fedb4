/* test_lists.c: every command of lists, its options and its errors; the replies
 * are those of Redis 7.0. */
#include "called.h"

/* A request and its reply. */
struct line {
    const char *request;
    const char *reply;
};

#define WRONG_TYPE                                                             \
    "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define NOT_INTEGER "-ERR value is not an integer or out of range"
#define NOT_POSITIVE "-ERR value is out of range, must be positive"
#define SYNTAX "-ERR syntax error"

static void run_lines(
    struct called *called, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct test_place place = {__FILE__, __LINE__, lines[i].request};
        test_check_text(
            &place, called_run(called, lines[i].request), lines[i].reply);
    }
}

/* Executes them in a new store; returns it. */
#define RUN(called, lines)                                                     \
    do {                                                                       \
        called_open(&(called), NULL, 1000);                                    \
        run_lines(&(called), lines, ARRAY_SIZE(lines));                        \
    } while (false)

static void both_ends_push_and_pop(void)
{
    static const struct line lines[] = {
        {"LLEN l", ":0"},
        {"LPUSHX l a", ":0"},
        {"RPUSHX l a b", ":0"},
        {"RPUSH l a", ":1"},
        {"LPUSH l b c", ":3"},
        {"RPUSHX l d e", ":5"},
        {"lpushx l f", ":6"},
        {"LLEN l", ":6"},
        {"TYPE l", "+list"},
        {"DBSIZE", ":1"},
        {"LRANGE l 0 -1", "*6 $1 f $1 c $1 b $1 a $1 d $1 e"},
        {"LPOP l", "$1 f"},
        {"RPOP l", "$1 e"},
        {"LPOP l 2", "*2 $1 c $1 b"},
        {"RPOP l 5", "*2 $1 d $1 a"},
        {"TYPE l", "+none"},
        {"LPOP l", "$-1"},
        {"RPOP l", "$-1"},
        {"LPOP l 1", "*-1"},
        {"LPOP l 0", "*-1"},
        {"RPUSH l \"\" \"a b\"", ":2"},
        {"RPOP l 0", "*0"},
        {"RPOP l", "$3 a b"},
        {"RPOP l", "$0 "},
        {"DBSIZE", ":0"},
        {"SET s x", "+OK"},
        {"LPUSH s a", WRONG_TYPE},
        {"LPUSHX s a", WRONG_TYPE},
        {"LLEN s", WRONG_TYPE},
        {"LPOP s", WRONG_TYPE},
        {"LPOP s 0", WRONG_TYPE},
        {"LPOP s x", NOT_POSITIVE},
        {"RPOP l -1", NOT_POSITIVE},
        {"RPOP l 9223372036854775808", NOT_POSITIVE},
        {"LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command"},
        {"RPOP s 1 x", "-ERR wrong number of arguments for 'rpop' command"},
        {"LPUSH l", "-ERR wrong number of arguments for 'lpush' command"},
        {"GET s", "$1 x"},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void an_element_by_its_index(void)
{
    static const struct line lines[] = {
        {"LINDEX l 0", "$-1"},
        {"LINDEX l x", "$-1"},
        {"LSET l 0 x", "-ERR no such key"},
        {"LSET l x x", "-ERR no such key"},
        {"RPUSH l a b c", ":3"},
        {"LPUSH l z", ":4"},
        {"LINDEX l 0", "$1 z"},
        {"LINDEX l -1", "$1 c"},
        {"LINDEX l -4", "$1 z"},
        {"LINDEX l -5", "$-1"},
        {"LINDEX l 4", "$-1"},
        {"LINDEX l x", NOT_INTEGER},
        {"LINDEX l -9223372036854775808", "$-1"},
        {"LINDEX l 9223372036854775807", "$-1"},
        {"LSET l 0 first", "+OK"},
        {"LSET l -1 \"\"", "+OK"},
        {"LSET l 4 x", "-ERR index out of range"},
        {"LSET l -5 x", "-ERR index out of range"},
        {"LSET l 01 x", NOT_INTEGER},
        {"LRANGE l 0 -1", "*4 $5 first $1 a $1 b $0 "},
        {"SET s x", "+OK"},
        {"LINDEX s x", WRONG_TYPE},
        {"LSET s x x", WRONG_TYPE},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void a_range_is_read(void)
{
    static const struct line lines[] = {
        {"LRANGE l 0 -1", "*0"},
        {"LRANGE l x -1", NOT_INTEGER},
        {"RPUSH l a b c d", ":4"},
        {"LRANGE l 1 2", "*2 $1 b $1 c"},
        {"LRANGE l -2 -1", "*2 $1 c $1 d"},
        {"LRANGE l -100 0", "*1 $1 a"},
        {"LRANGE l 3 100", "*1 $1 d"},
        {"LRANGE l 4 100", "*0"},
        {"LRANGE l 2 1", "*0"},
        {"LRANGE l 0 -5", "*0"},
        {"LRANGE l -9223372036854775808 9223372036854775807",
            "*4 $1 a $1 b $1 c $1 d"},
        {"LRANGE l 9223372036854775807 -9223372036854775808", "*0"},
        {"LRANGE l 0 1.5", NOT_INTEGER},
        {"SET s x", "+OK"},
        {"LRANGE s 0 x", NOT_INTEGER},
        {"LRANGE s 0 -1", WRONG_TYPE},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void an_element_goes_between_others(void)
{
    static const struct line lines[] = {
        {"LINSERT l BEFORE a x", ":0"},
        {"EXISTS l", ":0"},
        {"RPUSH l a b c d e", ":5"},
        {"LINSERT l before a 1", ":6"},
        {"LINSERT l AFTER e 2", ":7"},
        {"LINSERT l AFTER a 3", ":8"},
        {"LINSERT l BEFORE e 4", ":9"},
        {"LINSERT l BEFORE c 5", ":10"},
        {"LINSERT l BEFORE x 6", ":-1"},
        {"LRANGE l 0 -1",
            "*10 $1 1 $1 a $1 3 $1 b $1 5 $1 c $1 d $1 4 $1 e $1 2"},
        {"RPUSH m a", ":1"},
        {"LINSERT m AFTER a b", ":2"},
        {"LINSERT m AFTER a c", ":3"},
        {"LRANGE m 0 -1", "*3 $1 a $1 c $1 b"},
        {"LINSERT m BEHIND a c", SYNTAX},
        {"SET s x", "+OK"},
        {"LINSERT s BEHIND a c", SYNTAX},
        {"LINSERT s AFTER a c", WRONG_TYPE},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void equal_elements_go(void)
{
    static const struct line lines[] = {
        {"LREM l 0 a", ":0"},
        {"RPUSH l a b a c a d a e a", ":9"},
        {"LREM l 0 x", ":0"},
        {"LREM l 2 a", ":2"},
        {"LRANGE l 0 -1", "*7 $1 b $1 c $1 a $1 d $1 a $1 e $1 a"},
        {"LREM l -1 a", ":1"},
        {"LRANGE l 0 -1", "*6 $1 b $1 c $1 a $1 d $1 a $1 e"},
        {"LREM l -9223372036854775808 a", ":2"},
        {"LRANGE l 0 -1", "*4 $1 b $1 c $1 d $1 e"},
        {"LREM l 9223372036854775807 b", ":1"},
        {"LREM l 0 e", ":1"},
        {"LRANGE l 0 -1", "*2 $1 c $1 d"},
        {"LREM l 1 c", ":1"},
        {"LREM l 1 d", ":1"},
        {"EXISTS l", ":0"},
        {"RPUSH l a a a", ":3"},
        {"LREM l -2 a", ":2"},
        {"LREM l 0 a", ":1"},
        {"DBSIZE", ":0"},
        {"SET s x", "+OK"},
        {"LREM s x a", NOT_INTEGER},
        {"LREM s 0 a", WRONG_TYPE},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void a_range_is_left(void)
{
    static const struct line lines[] = {
        {"LTRIM l 0 1", "+OK"},
        {"RPUSH l a b c d e f", ":6"},
        {"LTRIM l 0 -1", "+OK"},
        {"LTRIM l -100 100", "+OK"},
        {"LLEN l", ":6"},
        {"LTRIM l 1 -2", "+OK"},
        {"LRANGE l 0 -1", "*4 $1 b $1 c $1 d $1 e"},
        {"LTRIM l 2 9223372036854775807", "+OK"},
        {"LRANGE l 0 -1", "*2 $1 d $1 e"},
        {"LTRIM l 0 0", "+OK"},
        {"LPUSH l x", ":2"},
        {"LRANGE l 0 -1", "*2 $1 x $1 d"},
        {"LTRIM l 2 5", "+OK"},
        {"EXISTS l", ":0"},
        {"RPUSH l a b", ":2"},
        {"LTRIM l 1 0", "+OK"},
        {"DBSIZE", ":0"},
        {"SET s x", "+OK"},
        {"LTRIM s 0 x", NOT_INTEGER},
        {"LTRIM s 0 1", WRONG_TYPE},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void places_are_found(void)
{
    static const struct line lines[] = {
        {"LPOS l a", "$-1"},
        {"LPOS l a COUNT 1", "*0"},
        {"RPUSH l a b c 1 2 3 c c", ":8"},
        {"LPOS l c", ":2"},
        {"LPOS l x", "$-1"},
        {"LPOS l x COUNT 0", "*0"},
        {"LPOS l c RANK 2", ":6"},
        {"LPOS l c RANK -1", ":7"},
        {"LPOS l c RANK -3", ":2"},
        {"LPOS l c RANK 4", "$-1"},
        {"LPOS l c RANK -9223372036854775807", "$-1"},
        {"LPOS l c COUNT 2", "*2 :2 :6"},
        {"LPOS l c COUNT 0", "*3 :2 :6 :7"},
        {"LPOS l c count 0 rank -1", "*3 :7 :6 :2"},
        {"LPOS l c RANK -2 COUNT 1", "*1 :6"},
        {"LPOS l c RANK 3 COUNT 9223372036854775807", "*1 :7"},
        {"LPOS l c MAXLEN 2", "$-1"},
        {"LPOS l c MAXLEN 3", ":2"},
        {"LPOS l c MAXLEN 0 COUNT 0", "*3 :2 :6 :7"},
        {"LPOS l c MAXLEN 2 RANK -1 COUNT 0", "*2 :7 :6"},
        {"LPOS l a MAXLEN 7 RANK -1", "$-1"},
        {"LPOS l c RANK 1 RANK 2", ":6"},
        {"LPOS l c COUNT", SYNTAX},
        {"LPOS l c FOO 1", SYNTAX},
        {"LPOS l c RANK 0",
            "-ERR RANK can't be zero: use 1 to start from the first match, 2 "
            "from the second ... or use negative to start from the end of the "
            "list"},
        {"LPOS l c RANK x", NOT_INTEGER},
        {"LPOS l c RANK -9223372036854775808",
            "-ERR value is out of range, value must between "
            "-9223372036854775807 and 9223372036854775807"},
        {"LPOS l c COUNT -1", "-ERR COUNT can't be negative"},
        {"LPOS l c COUNT x", "-ERR COUNT can't be negative"},
        {"LPOS l c MAXLEN -1", "-ERR MAXLEN can't be negative"},
        {"SET s x", "+OK"},
        {"LPOS s c MAXLEN x", "-ERR MAXLEN can't be negative"},
        {"LPOS s c", WRONG_TYPE},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void elements_move(void)
{
    static const struct line lines[] = {
        {"LMOVE l m LEFT RIGHT", "$-1"},
        {"RPOPLPUSH l m", "$-1"},
        {"RPUSH l a b c d", ":4"},
        {"LMOVE l m LEFT RIGHT", "$1 a"},
        {"LMOVE l m RIGHT LEFT", "$1 d"},
        {"LMOVE l m left left", "$1 b"},
        {"LRANGE m 0 -1", "*3 $1 b $1 d $1 a"},
        {"RPOPLPUSH l m", "$1 c"},
        {"EXISTS l", ":0"},
        {"LRANGE m 0 -1", "*4 $1 c $1 b $1 d $1 a"},
        {"LMOVE m m LEFT RIGHT", "$1 c"},
        {"LRANGE m 0 -1", "*4 $1 b $1 d $1 a $1 c"},
        {"RPOPLPUSH m m", "$1 c"},
        {"LMOVE m m RIGHT RIGHT", "$1 a"},
        {"LMOVE m m LEFT LEFT", "$1 c"},
        {"LRANGE m 0 -1", "*4 $1 c $1 b $1 d $1 a"},
        {"RPUSH n x", ":1"},
        {"LMOVE n n LEFT RIGHT", "$1 x"},
        {"RPOPLPUSH n n", "$1 x"},
        {"LRANGE n 0 -1", "*1 $1 x"},
        {"SET s x", "+OK"},
        {"LMOVE l s LEFT RIGHT", "$-1"},
        {"LMOVE m s LEFT RIGHT", WRONG_TYPE},
        {"LMOVE s m LEFT RIGHT", WRONG_TYPE},
        {"LMOVE s s LEFT RIGHT", WRONG_TYPE},
        {"RPOPLPUSH m s", WRONG_TYPE},
        {"LMOVE s m LEFT UP", SYNTAX},
        {"LMOVE l m X RIGHT", SYNTAX},
        {"LLEN m", ":4"},
        {"GET s", "$1 x"},
        {"LMOVE m \"a\\x00\" LEFT RIGHT",
            "-ERR a key of 2 bytes ends in a NUL byte: trailing NUL bytes do "
            "not tell two keys apart here"},
    };
    struct called called;
    RUN(called, lines);
    called_close(&called);
}

static void version_3_has_one_null(void)
{
    static const struct line lines[] = {
        {"LPOP l", "_"},
        {"RPOP l 2", "_"},
        {"LINDEX l 0", "_"},
        {"LPOS l a", "_"},
        {"LPOS l a COUNT 1", "*0"},
        {"LRANGE l 0 -1", "*0"},
        {"LMOVE l m LEFT RIGHT", "_"},
        {"RPUSH l a", ":1"},
        {"LPOP l 2", "*1 $1 a"},
    };
    struct called called;
    called_open(&called, NULL, 100);
    called.version = 3;
    run_lines(&called, lines, ARRAY_SIZE(lines));
    called_close(&called);
}

const struct test_case test_lists[] = {
    TEST_CASE(both_ends_push_and_pop),
    TEST_CASE(an_element_by_its_index),
    TEST_CASE(a_range_is_read),
    TEST_CASE(an_element_goes_between_others),
    TEST_CASE(equal_elements_go),
    TEST_CASE(a_range_is_left),
    TEST_CASE(places_are_found),
    TEST_CASE(elements_move),
    TEST_CASE(version_3_has_one_null),
    TEST_END,
};
