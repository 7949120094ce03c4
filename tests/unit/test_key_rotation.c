/* SPDX-License-Identifier: Apache-2.0 */
/* Processes with keys of their own, over one table. */
#include "support/database.h"

#include "json_in.h"
#include "key_rotation.h"
#include "key_store.h"
#include "log.h"

enum { TTL_S = 60, REPLICAS_MAX = 2 };

struct replica {
    struct signers *signers;
    struct key_rotation rotation;
};

static unsigned char memory[512 * 1024];
static struct replica replicas[REPLICAS_MAX];
static struct signing_key *a, *b, *c;

/* One that has just started with these keys in its secret. */
static struct replica *started(size_t index, struct signing_key *first, struct signing_key *second)
{
    struct replica *self = &replicas[index];
    struct signing_key *keys[2] = {signing_key_hold(first)};
    size_t count = 1;

    if (self->signers != NULL) {
        key_rotation_free(&self->rotation);
        signers_free(self->signers);
    }
    if (second != NULL) {
        keys[count++] = signing_key_hold(second);
    }
    self->signers = signers_new();
    key_rotation_init(&self->rotation, &(struct key_rotation_options){
                                           .signers = self->signers,
                                           .delay_s = 600,
                                           .token_ttl_s = TTL_S,
                                       });
    key_rotation_take(&self->rotation, keys, count);
    return self;
}

static void take(struct replica *self, struct signing_key *key)
{
    struct signing_key *keys[] = {signing_key_hold(key)};

    key_rotation_take(&self->rotation, keys, 1);
}

static int64_t sync_of(struct replica *self)
{
    struct arena arena;
    int64_t wait_ms = -2;

    arena_init(&arena, memory, sizeof(memory));
    database_must(key_rotation_sync(&self->rotation, database(), &arena, &wait_ms));
    return wait_ms;
}

static void assert_signs(const struct replica *self, const struct signing_key *key)
{
    const struct signing_key *signer = signers_now(self->signers)->signer;

    assert_non_null(signer);
    assert_string_equal(signing_key_kid(signer), signing_key_kid(key));
    assert_true(signing_key_can_sign(signer));
}

static const struct signing_key *found(const struct replica *self, const struct signing_key *key)
{
    return signers_find(signers_now(self->signers), str_from(signing_key_kid(key)));
}

static void age(const struct signing_key *key, const char *column, const char *interval)
{
    char sql[256];

    (void)snprintf(sql, sizeof(sql),
                   "UPDATE signing_keys SET %s = now() - interval '%s'"
                   " WHERE kid = '%s'",
                   column, interval, signing_key_kid(key));
    database_do(sql);
}

static void revoke_key(const struct signing_key *key)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    key_store_revoke(&tx, str_from(signing_key_kid(key)), 600);
    database_must(pg_tx_commit(&tx));
}

static int64_t marks(void)
{
    return database_number("SELECT count(*) FROM signing_keys WHERE last_signed_at IS NOT NULL");
}

static void the_secret_is_in_force_before_the_database_is(void **state)
{
    struct replica *self = started(0, a, b);

    (void)state;
    assert_signs(self, a);
    assert_non_null(found(self, b));
}

static void the_first_start_signs_at_once(void **state)
{
    struct replica *self = started(0, a, NULL);
    int64_t wait_ms = sync_of(self);

    (void)state;
    assert_signs(self, a);
    assert_int_equal(marks(), 1);
    assert_true(wait_ms > 590000 && wait_ms <= 600000);
}

static void nothing_changes_when_nothing_has_changed(void **state)
{
    struct replica *self = started(0, a, NULL);
    uint64_t generation;

    (void)state;
    (void)sync_of(self);
    generation = signers_now(self->signers)->generation;
    (void)sync_of(self);
    take(self, a);
    (void)sync_of(self);
    assert_int_equal(signers_now(self->signers)->generation, generation);
}

/* The other one knows the key before it is used, and the old key for as long as it was. */
static void a_new_key_is_known_to_all_before_it_signs(void **state)
{
    struct replica *self = started(0, a, NULL);
    struct replica *other = started(1, a, NULL);

    (void)state;
    (void)sync_of(self);
    (void)sync_of(other);
    age(a, "first_seen_at", "1 d");
    take(self, b);
    (void)sync_of(self);
    (void)sync_of(other);
    assert_signs(self, a);
    assert_non_null(found(other, b));
    assert_false(signing_key_can_sign(found(other, b)));

    age(b, "first_seen_at", "601 s");
    assert_int_equal(sync_of(self), -1);
    assert_signs(self, b);
    assert_int_equal(self->rotation.held.count, 1); /* the old private key is gone */
    (void)sync_of(self);
    assert_non_null(found(self, a));
    assert_false(signing_key_can_sign(found(self, a)));
    (void)sync_of(other);
    assert_signs(other, a); /* it has not read the secret yet */
}

static void two_rotations_in_a_row_kill_no_key(void **state)
{
    struct replica *self = started(0, a, NULL);

    (void)state;
    (void)sync_of(self);
    age(a, "first_seen_at", "1 d");
    take(self, b);
    (void)sync_of(self);
    take(self, c);
    (void)sync_of(self);
    assert_signs(self, a);
    assert_non_null(found(self, b));
    assert_non_null(found(self, c));
    age(b, "first_seen_at", "600 s");
    (void)sync_of(self);
    assert_signs(self, b);
    age(c, "first_seen_at", "600 s");
    (void)sync_of(self);
    assert_signs(self, c);
    (void)sync_of(self);
    assert_non_null(found(self, a));
    assert_non_null(found(self, b));
}

static void a_key_is_dropped_when_its_tokens_are_dead(void **state)
{
    struct replica *self = started(0, b, NULL);

    (void)state;
    (void)sync_of(started(1, a, NULL));
    (void)sync_of(self);
    age(a, "first_seen_at", "2 d");
    age(b, "first_seen_at", "1 d");
    age(a, "last_signed_at", "359 s");
    (void)sync_of(self);
    assert_non_null(found(self, a));
    age(a, "last_signed_at", "361 s");
    (void)sync_of(self);
    assert_null(found(self, a));
    assert_signs(self, b);
}

/* A new system, rolled back within the delay: what may be needed yet is held. */
static void no_key_is_given_up_before_a_newer_one_is_due(void **state)
{
    struct replica *self = started(0, a, NULL);

    (void)state;
    (void)sync_of(self);
    take(self, b);
    (void)sync_of(self);
    take(self, a);
    (void)sync_of(self);
    assert_signs(self, a);
    assert_int_equal(self->rotation.held.count, 2);
    age(a, "first_seen_at", "600 s");
    (void)sync_of(self);
    assert_int_equal(self->rotation.held.count, 1);
}

/* Long after its last token nobody has the old key any more: it waits like a new one. */
static void a_late_roll_back_waits(void **state)
{
    struct replica *self = started(0, b, NULL);
    int64_t wait_ms;

    (void)state;
    (void)sync_of(started(1, a, NULL));
    (void)sync_of(self);
    age(a, "first_seen_at", "30 d");
    age(b, "first_seen_at", "20 d");
    age(a, "last_signed_at", "10 d");
    take(self, a);
    wait_ms = sync_of(self);
    assert_true(wait_ms > 590000 && wait_ms <= 600000);
    assert_signs(self, b);
    assert_non_null(found(self, a));
}

/* And at once while it is published yet. */
static void a_roll_back_is_followed_at_once(void **state)
{
    struct replica *self = started(0, b, NULL);

    (void)state;
    (void)sync_of(started(1, a, NULL));
    (void)sync_of(self);
    age(a, "first_seen_at", "30 d");
    age(b, "first_seen_at", "20 d");
    take(self, a);
    (void)sync_of(self);
    assert_signs(self, a);
}

/* A replica that never had the key, long before its first token. */
static void a_key_that_waits_for_long_stays_published(void **state)
{
    struct replica *self = started(0, b, NULL);

    (void)state;
    (void)sync_of(started(1, a, NULL));
    database_do("UPDATE signing_keys SET last_signed_at = NULL");
    age(a, "first_seen_at", "599 s");
    (void)sync_of(self);
    assert_non_null(found(self, a));
    age(a, "first_seen_at", "959 s");
    (void)sync_of(self);
    assert_non_null(found(self, a));
    age(a, "first_seen_at", "961 s");
    (void)sync_of(self);
    assert_null(found(self, a));
}

/* More rotations than a process holds keys: the one that signs is not given up. */
static void many_rotations_within_the_delay_leave_the_signer(void **state)
{
    struct replica *self = started(0, a, NULL);

    (void)state;
    (void)sync_of(self);
    age(a, "first_seen_at", "1 d");
    for (int i = 0; i < 2 * HELD_KEYS_MAX; i++) {
        struct signing_key *key = signing_key_generate();

        take(self, key);
        (void)sync_of(self);
        assert_signs(self, a);
        assert_non_null(found(self, key));
        signing_key_free(key);
    }
    assert_int_equal(self->rotation.held.count, HELD_KEYS_MAX);
}

static void a_revoked_signer_gives_way_to_the_next(void **state)
{
    struct replica *self = started(0, a, b);

    (void)state;
    (void)sync_of(self);
    assert_signs(self, a);
    revoke_key(a);
    (void)sync_of(self);
    assert_signs(self, b);
    assert_null(found(self, a));
}

static void none_signs_when_all_are_revoked(void **state)
{
    struct replica *self = started(0, a, NULL);

    (void)state;
    (void)sync_of(self);
    revoke_key(a);
    (void)sync_of(self);
    assert_null(signers_now(self->signers)->signer);
    assert_int_equal(signers_now(self->signers)->count, 0);
    take(self, b);
    (void)sync_of(self);
    assert_signs(self, b);
}

static void a_signer_that_cannot_be_marked_does_not_sign(void **state)
{
    struct replica *self = started(0, a, NULL);
    struct arena arena;
    int64_t wait_ms = 0;

    (void)state;
    (void)sync_of(self);
    age(a, "first_seen_at", "1 d");
    take(self, b);
    (void)sync_of(self);
    age(b, "first_seen_at", "1 d");
    database_do("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
                "CREATE TRIGGER refuse BEFORE UPDATE ON signing_keys EXECUTE FUNCTION refuse()");
    arena_init(&arena, memory, sizeof(memory));
    assert_int_not_equal(key_rotation_sync(&self->rotation, database(), &arena, &wait_ms), OK);
    assert_signs(self, a);
    database_do("DROP TRIGGER refuse ON signing_keys; DROP FUNCTION refuse");
    (void)sync_of(self);
    assert_signs(self, b);
}

/* The same key under another kid. */
static struct signing_key *named(const struct signing_key *key, const char *kid)
{
    char text[SIGNING_JWK_BYTES_MAX];
    char renamed[2 * SIGNING_JWK_BYTES_MAX];
    struct buf jwk = buf_over(text, sizeof(text));
    struct buf out = buf_over(renamed, sizeof(renamed));
    struct signing_key *loaded = NULL;
    const char *why = "";

    assert_int_equal(signing_key_private_jwk(key, &jwk), OK);
    buf_printf(&out, "{\"kid\":\"%s\"", kid);
    for (struct str rest = str_sub(buf_str(&jwk), 1, jwk.len - 1); rest.len > 0;) {
        struct str member = str_cut(&rest, ',');

        if (!str_starts(member, STR("\"kid\""))) {
            buf_printf(&out, ",%.*s", STR_ARG(member));
        }
    }
    buf_append_byte(&out, '}');
    if (signing_key_load(buf_str(&out), &loaded, &why) != OK) {
        fail_msg("%s: %.*s", why, STR_ARG(buf_str(&out)));
    }
    return loaded;
}

/* In the process, and in the table. */
static void a_kid_names_one_key_for_ever(void **state)
{
    struct signing_key *first = named(a, "mine");
    struct signing_key *second = named(b, "mine");
    struct replica *self = started(0, first, NULL);
    struct replica *other = started(1, second, c);

    (void)state;
    (void)sync_of(self);
    take(self, second);
    (void)sync_of(self);
    assert_true(signing_key_is_same(signers_now(self->signers)->signer, a));
    (void)sync_of(other);
    assert_signs(other, c);
    assert_true(signing_key_is_same(found(other, first), a));
    signing_key_free(first);
    signing_key_free(second);
}

static void what_is_no_key_in_the_table_is_left_aside(void **state)
{
    struct replica *self = started(0, a, NULL);

    (void)state;
    database_do("INSERT INTO signing_keys (kid, public_jwk) VALUES ('x', '{}'), ('y', 'y')");
    (void)sync_of(self);
    assert_signs(self, a);
    assert_int_equal(signers_now(self->signers)->count, 1);
}

static void the_oldest_do_not_fit(void **state)
{
    struct replica *self = started(0, a, NULL);
    struct signing_key *last = NULL;

    (void)state;
    for (int i = 0; i < SIGNERS_KEYS_MAX + 3; i++) {
        struct signing_key *key = signing_key_generate();
        char jwk[SIGNING_JWK_BYTES_MAX];
        struct buf out = buf_over(jwk, sizeof(jwk));
        struct pg_tx tx;

        signing_key_public_jwk(key, &out);
        pg_tx_begin(&tx, database());
        key_store_register_signing(&tx, &(struct key_registration){
                                            .kid = str_from(signing_key_kid(key)),
                                            .public_jwk = buf_str(&out),
                                            .delay_s = 600,
                                            .keep_s = 60,
                                        });
        database_must(pg_tx_commit(&tx));
        signing_key_free(last);
        last = key;
    }
    (void)sync_of(self);
    assert_int_equal(signers_now(self->signers)->count, SIGNERS_KEYS_MAX);
    assert_signs(self, a);
    assert_non_null(found(self, last));
    signing_key_free(last);
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE signing_keys, revocations");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    database_start();
    json_in_start();
    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    a = signing_key_generate();
    b = signing_key_generate();
    c = signing_key_generate();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        key_rotation_free(&replicas[i].rotation);
        signers_free(replicas[i].signers);
    }
    signing_key_free(a);
    signing_key_free(b);
    signing_key_free(c);
    database_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_secret_is_in_force_before_the_database_is),
        TEST(the_first_start_signs_at_once),
        TEST(nothing_changes_when_nothing_has_changed),
        TEST(a_new_key_is_known_to_all_before_it_signs),
        TEST(two_rotations_in_a_row_kill_no_key),
        TEST(a_key_is_dropped_when_its_tokens_are_dead),
        TEST(no_key_is_given_up_before_a_newer_one_is_due),
        TEST(a_late_roll_back_waits),
        TEST(a_roll_back_is_followed_at_once),
        TEST(a_key_that_waits_for_long_stays_published),
        TEST(many_rotations_within_the_delay_leave_the_signer),
        TEST(a_revoked_signer_gives_way_to_the_next),
        TEST(none_signs_when_all_are_revoked),
        TEST(a_signer_that_cannot_be_marked_does_not_sign),
        TEST(a_kid_names_one_key_for_ever),
        TEST(what_is_no_key_in_the_table_is_left_aside),
        TEST(the_oldest_do_not_fit),
    };

    return cmocka_run_group_tests_name("key_rotation", tests, set_up, tear_down);
}
