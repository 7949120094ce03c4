/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "key_plan.h"

/* Times of the cases are seconds, behind a moment in the past; now is 1000. */
enum {
    START_MS = 1700000000,
    NOW_S = 1000,
    DELAY_S = 600,
    KEEP_S = 900, /* a token's life and the leeway */
    KEYS_MAX = 5
};

struct key {
    const char *kid; /* NULL ends the case's keys */
    int rank;        /* FOREIGN: its private half is not here */
    int seen_s;
    int used_s; /* 0: never */
    bool revoked;
};

#define FOREIGN KEY_PLAN_FOREIGN

struct plan_case {
    const char *name;
    struct key keys[KEYS_MAX];
    const char *used;     /* NULL: none */
    const char *verifies; /* in their order */
    int wait_s;           /* -1: nothing to wait for */
};

static const struct plan_case signing[] = {
    {"nothing is known", {{NULL}}, NULL, "", -1},
    {"the first start", {{"a", 0, 1000, 0, false}}, "a", "a", 600},
    {"the first start with a set: its first",
     {{"a", 0, 1000, 0, false}, {"b", 1, 1000, 0, false}},
     "a",
     "ab",
     600},
    {"long in use", {{"a", 0, 1, 990, false}}, "a", "a", -1},
    /* Secrets Manager moves AWSCURRENT with no time between */
    {"a new key in the place of the old one",
     {{"b", 0, 900, 0, false}, {"a", 1, 1, 990, false}},
     "a",
     "ba",
     500},
    {"which is due to the second",
     {{"b", 0, 400, 0, false}, {"a", 1, 1, 990, false}},
     "b",
     "ba",
     -1},
    {"and one second before", {{"b", 0, 401, 0, false}, {"a", 1, 1, 990, false}}, "a", "ba", 1},
    {"two rotations within the delay",
     {{"c", 0, 950, 0, false}, {"b", 1, 900, 0, false}, {"a", 2, 1, 990, false}},
     "a",
     "cba",
     500},
    {"of which the first is due",
     {{"c", 0, 450, 0, false}, {"b", 1, 400, 0, false}, {"a", 2, 1, 990, false}},
     "b",
     "cba",
     50},
    {"both are due: the newest",
     {{"c", 0, 390, 0, false}, {"b", 1, 380, 0, false}, {"a", 2, 1, 990, false}},
     "c",
     "cba",
     -1},
    {"two rotations within the delay of a new system: the first key goes on",
     {{"c", 0, 995, 0, false}, {"b", 1, 990, 0, false}, {"a", 2, 985, 990, false}},
     "a",
     "cba",
     585},
    {"rolled back: the old key is due, whatever has come between",
     {{"a", 0, 1, 700, false}, {"b", 1, 200, 990, false}},
     "a",
     "ab",
     -1},
    {"restarted with the new key alone: better than nothing",
     {{"b", 0, 900, 0, false}, {"a", FOREIGN, 1, 990, false}},
     "b",
     "ba",
     500},
    {"others sign with a key that is not here yet",
     {{"b", FOREIGN, 100, 990, false}, {"a", 0, 1, 900, false}},
     "a",
     "ba",
     -1},
    {"the signer is revoked: the next one of the set, due or not",
     {{"b", 0, 1, 990, true}, {"a", 1, 900, 0, false}},
     "a",
     "a",
     500},
    {"the new one is revoked before it is due",
     {{"b", 0, 900, 0, true}, {"a", 1, 1, 990, false}},
     "a",
     "a",
     -1},
    {"all are revoked", {{"b", 0, 1, 990, true}, {"a", 1, 1, 0, true}}, NULL, "", -1},
    {"a set: the first one is the newest",
     {{"a", 2, 1, 0, false}, {"b", 0, 2, 990, false}, {"c", 1, 3, 0, false}},
     "b",
     "abc",
     -1},
    {"a foreign key verifies while its tokens live",
     {{"b", 0, 1, 990, false}, {"a", FOREIGN, -9000, 101, false}},
     "b",
     "ba",
     -1},
    {"and no longer", {{"b", 0, 1, 990, false}, {"a", FOREIGN, -9000, 100, false}}, "b", "b", -1},
    {"a foreign key that waits may sign by now, elsewhere",
     {{"b", 0, -9000, 990, false}, {"a", FOREIGN, -499, 0, false}, {"c", FOREIGN, -500, 0, false}},
     "b",
     "ba",
     -1},
    {"as does one that was seen anew",
     {{"b", 0, -9000, 990, false}, {"a", FOREIGN, -499, -5000, false}},
     "b",
     "ba",
     -1},
    {"ours verify however long ago they signed",
     {{"b", 0, 1, 990, false}, {"a", 1, 1, 2, false}},
     "b",
     "ba",
     -1},
    {"foreign keys alone", {{"a", FOREIGN, 1, 990, false}}, NULL, "a", -1},
};

static const struct plan_case keyring[] = {
    {"nothing is known", {{NULL}}, NULL, NULL, -1},
    {"the first start", {{"a", 0, 1000, 0, false}}, "a", NULL, 600},
    {"the first start with several: the secret's",
     {{"a", 1, 1000, 0, false}, {"b", 0, 1000, 0, false}},
     "b",
     NULL,
     600},
    {"a new current one waits", {{"b", 0, 900, 0, false}, {"a", 1, 1, 990, false}}, "a", NULL, 500},
    {"and is used when it is due",
     {{"b", 0, 400, 0, false}, {"a", 1, 1, 990, false}},
     "b",
     NULL,
     -1},
    {"a restart meanwhile: the due one that was current last, not an older one",
     {{"c", 0, 900, 0, false}, {"b", 1, 300, 990, false}, {"a", 1, 1, 300, false}},
     "b",
     NULL,
     500},
    {"one that was never current is not chosen for its age",
     {{"c", 0, 900, 0, false}, {"b", 1, 1, 0, false}, {"a", 1, 2, 990, false}},
     "a",
     NULL,
     500},
    {"none is due: the first that was seen",
     {{"b", 0, 900, 0, false}, {"a", 1, 890, 990, false}},
     "a",
     NULL,
     490},
    {"rolled back", {{"a", 0, 1, 700, false}, {"b", 1, 200, 990, false}}, "a", NULL, -1},
    {"an id that others use and we lack is not ours to use",
     {{"b", FOREIGN, 1, 990, false}, {"a", 0, 1, 300, false}},
     "a",
     NULL,
     -1},
};

static size_t facts_of(const struct plan_case *plan, struct key_facts *out)
{
    size_t count = 0;

    for (; count < KEYS_MAX && plan->keys[count].kid != NULL; count++) {
        const struct key *key = &plan->keys[count];

        out[count] = (struct key_facts){
            .first_seen_ms = START_MS + key->seen_s * 1000LL,
            .last_used_ms = key->used_s == 0 ? 0 : START_MS + key->used_s * 1000LL,
            .is_revoked = key->revoked,
            .rank = key->rank,
        };
    }
    return count;
}

static const struct key_times times = {
    .now_ms = START_MS + NOW_S * 1000LL,
    .delay_ms = DELAY_S * 1000LL,
    .keep_ms = KEEP_S * 1000LL,
};

static void assert_used(const struct plan_case *plan, size_t index)
{
    const char *kid = index == KEY_PLAN_NONE ? NULL : plan->keys[index].kid;

    if ((kid == NULL) != (plan->used == NULL) || (kid != NULL && strcmp(kid, plan->used) != 0)) {
        fail_msg("%s: %s is used, not %s", plan->name, kid == NULL ? "none" : kid,
                 plan->used == NULL ? "none" : plan->used);
    }
}

static void assert_wait(const struct plan_case *plan, const struct key_facts *facts, size_t count)
{
    int64_t wait_ms = key_plan_wait_ms(facts, count, &times);

    if (wait_ms != (plan->wait_s < 0 ? -1 : plan->wait_s * 1000LL)) {
        fail_msg("%s: waits %lld ms, not %d s", plan->name, (long long)wait_ms, plan->wait_s);
    }
}

static void the_signer_is_the_newest_due_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(signing) / sizeof(signing[0]); i++) {
        const struct plan_case *plan = &signing[i];
        struct key_facts facts[KEYS_MAX];
        size_t count = facts_of(plan, facts);
        char verifies[KEYS_MAX + 1] = "";

        for (size_t k = 0; k < count; k++) {
            if (key_plan_verifies(&facts[k], &times)) {
                verifies[strlen(verifies)] = plan->keys[k].kid[0];
            }
        }
        assert_used(plan, key_plan_signer(facts, count, &times));
        if (strcmp(verifies, plan->verifies) != 0) {
            fail_msg("%s: \"%s\" verify, not \"%s\"", plan->name, verifies, plan->verifies);
        }
        assert_wait(plan, facts, count);
    }
}

static void a_new_current_key_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(keyring) / sizeof(keyring[0]); i++) {
        struct key_facts facts[KEYS_MAX];
        size_t count = facts_of(&keyring[i], facts);

        assert_used(&keyring[i], key_plan_current(facts, count, &times));
        assert_wait(&keyring[i], facts, count);
    }
}

/* Whoever signs can be verified by whoever has the table. */
static void the_signer_verifies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(signing) / sizeof(signing[0]); i++) {
        struct key_facts facts[KEYS_MAX];
        size_t count = facts_of(&signing[i], facts);
        size_t signer = key_plan_signer(facts, count, &times);

        assert_true(signer == KEY_PLAN_NONE || key_plan_verifies(&facts[signer], &times));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signer_is_the_newest_due_key),
        cmocka_unit_test(a_new_current_key_waits),
        cmocka_unit_test(the_signer_verifies),
    };

    return cmocka_run_group_tests_name("key_plan", tests, NULL, NULL);
}
