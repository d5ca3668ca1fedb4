/* test_audit.c: the auditor finds what is wrong with collections: each fault is
 * planted in a store that is right. */
#include "audit.h"

#include <stdio.h>
#include <string.h>

#include "called.h"
#include "command/collection.h"
#include "command/set.h"
#include "storage/state.h"
#include "support.h"

enum { CAPACITY = 2000, SIZE = 40 };

/* A list, a set and a string, and what is left of another set. */
static void fill(struct called *called)
{
    char line[64];
    called_open(called, NULL, CAPACITY);
    for (int i = 0; i < SIZE; i++) {
        (void)snprintf(line, sizeof line, "RPUSH list %d", i);
        (void)called_run(called, line);
        (void)snprintf(line, sizeof line, "SADD set %d", i);
        (void)called_run(called, line);
    }
    CHECK_TEXT(called_run(called, "SET string v"), "+OK");
}

static struct audit audit_of(struct called *called)
{
    struct audit audit;
    lock(&called->storage->commit);
    CHECK(audit_storage(called->storage, &audit) == (audit.faults == 0));
    unlock(&called->storage->commit);
    return audit;
}

static void fill_key(uint8_t key[KV_KEY_SIZE], const char *name)
{
    memset(key, 0, KV_KEY_SIZE);
    for (size_t i = 0; name[i] != '\0'; i++) {
        key[i] = (uint8_t)name[i];
    }
}

/* The head of a key, and the view in which it may be changed. */
static struct view *begin(
    struct called *called, const char *name, struct collection *head)
{
    uint8_t key[KV_KEY_SIZE];
    struct view *view = &called->storage->view;
    fill_key(key, name);
    lock(&called->storage->commit);
    view_begin(view, 16);
    const struct record *record = view_find(view, view_name(view, key));
    REQUIRE(record != NULL);
    collection_read(record, head);
    return view;
}

static void end(struct called *called)
{
    view_publish(&called->storage->view);
    unlock(&called->storage->commit);
}

/* Writes a head anew. */
static void put_head(
    struct view *view, const char *name, const struct collection *head)
{
    uint8_t key[KV_KEY_SIZE];
    fill_key(key, name);
    REQUIRE(collection_write(view, view_name(view, key), head, 0));
}

static struct name tail_name(const struct view *view,
    const struct collection *head, int64_t number, uint8_t fill,
    uint8_t bytes[KV_KEY_SIZE])
{
    uint8_t tail[KV_KEY_SIZE - OWNER_SIZE];
    memset(tail, fill, sizeof tail);
    memcpy(tail, &number, sizeof number);
    return collection_name(view, head, tail, bytes);
}

static void expect_fault(struct called *called, const char *why)
{
    struct audit audit = audit_of(called);
    CHECK(audit.faults > 0);
    CHECK(strstr(audit.why, why) != NULL);
    if (strstr(audit.why, why) == NULL) {
        printf("    %s\n", audit.why);
    }
    called_close(called);
}

static void all_is_right(void)
{
    struct called called;
    fill(&called);
    struct audit audit = audit_of(&called);
    CHECK_TEXT(audit.why, "");
    CHECK_U64(audit.strings, 1);
    CHECK_U64(audit.lists, 1);
    CHECK_U64(audit.sets, 1);
    CHECK_U64(audit.inner, 2 * SIZE + (SIZE - 1) / SET_BLOCK);
    CHECK_U64(audit.owned, audit.inner);
    CHECK_TEXT(called_run(&called, "DEL list"), ":1");
    audit = audit_of(&called);
    CHECK_TEXT(audit.why, "");
    called_close(&called);
}

static void a_gap_in_a_list(void)
{
    struct called called;
    struct collection head;
    uint8_t bytes[KV_KEY_SIZE];
    fill(&called);
    struct view *view = begin(&called, "list", &head);
    CHECK(collection_drop(
        view, tail_name(view, &head, SIZE / 2, 0, bytes), KIND_ELEMENT));
    end(&called);
    expect_fault(&called, "a list of 40 has no element number 20");
}

static void an_element_too_many(void)
{
    struct called called;
    struct collection head;
    uint8_t bytes[KV_KEY_SIZE];
    fill(&called);
    struct view *view = begin(&called, "list", &head);
    const struct part part = {.name = tail_name(view, &head, SIZE, 0, bytes),
        .kind = KIND_ELEMENT,
        .bytes = "x",
        .size = 1};
    CHECK(collection_put(view, &part));
    end(&called);
    expect_fault(&called, "84 inner records, of which 83 have an owner");
    fill(&called);
    view = begin(&called, "list", &head);
    head.count--;
    put_head(view, "list", &head);
    end(&called);
    expect_fault(&called, "83 inner records, of which 82 have an owner");
}

static void a_head_that_is_gone(void)
{
    struct called called;
    struct collection head;
    uint8_t key[KV_KEY_SIZE] = "set";
    fill(&called);
    struct view *view = begin(&called, "set", &head);
    CHECK(view_remove(view, view_name(view, key)));
    end(&called);
    expect_fault(&called, "inner records, of which 40 have an owner");
}

static void two_heads_of_one(void)
{
    struct called called;
    struct collection head;
    fill(&called);
    struct view *view = begin(&called, "list", &head);
    put_head(view, "other", &head);
    end(&called);
    expect_fault(&called, "two collections have one owner");
}

static void a_block_that_is_missing(void)
{
    struct called called;
    struct collection head;
    uint8_t bytes[KV_KEY_SIZE];
    fill(&called);
    struct view *view = begin(&called, "set", &head);
    CHECK(collection_drop(
        view, tail_name(view, &head, 1, 0xff, bytes), KIND_BLOCK));
    end(&called);
    expect_fault(&called, "a set of 40 has no block for member 13");
}

/* The member of the last number says another one, or holds other bytes. */
static void change_member(
    struct called *called, int64_t number, const char *bytes)
{
    struct collection head;
    uint8_t key[KV_KEY_SIZE];
    fill(called);
    struct view *view = begin(called, "set", &head);
    const struct part part = {
        .name = collection_name(view, &head,
            head.rest + (SIZE - 1) % SET_BLOCK * SET_HASH_SIZE, key),
        .kind = KIND_MEMBER,
        .bytes = bytes,
        .size = strlen(bytes),
        .number = -1 - number,
    };
    CHECK(collection_put(view, &part));
    end(called);
}

static void a_member_of_another_number(void)
{
    struct called called;
    change_member(&called, 3, "39");
    expect_fault(&called, "member number 39 says that it is 3");
}

static void a_member_of_other_bytes(void)
{
    struct called called;
    change_member(&called, SIZE - 1, "38");
    expect_fault(&called, "member number 39 has another's hash");
}

static void remains_that_do_not_expire(void)
{
    struct called called;
    struct collection head;
    uint8_t bytes[KV_KEY_SIZE];
    fill(&called);
    struct view *view = begin(&called, "list", &head);
    uint8_t key[KV_KEY_SIZE] = "list";
    const struct part part = {.name = tail_name(view, &head, -1, 0xff, bytes),
        .kind = KIND_REMAINS,
        .bytes = &head,
        .size = sizeof head};
    CHECK(collection_put(view, &part));
    CHECK(view_remove(view, view_name(view, key)));
    end(&called);
    expect_fault(&called, "nobody takes them away");
}

const struct test_case test_audit[] = {
    TEST_CASE(all_is_right),
    TEST_CASE(a_gap_in_a_list),
    TEST_CASE(an_element_too_many),
    TEST_CASE(a_head_that_is_gone),
    TEST_CASE(two_heads_of_one),
    TEST_CASE(a_block_that_is_missing),
    TEST_CASE(a_member_of_another_number),
    TEST_CASE(a_member_of_other_bytes),
    TEST_CASE(remains_that_do_not_expire),
    TEST_END,
};
