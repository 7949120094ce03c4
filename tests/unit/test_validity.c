/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "clock.h"
#include "crypto.h"
#include "validity.h"

enum { KEPT_S = 600 };

static struct revocations *revocations;
static struct clients *clients;
static struct validity validity;

static int fresh(void **state)
{
    (void)state;
    revocations = revocation_new(60000);
    clients = clients_new();
    revocation_read(revocations, clock_mono_ms());
    validity = (struct validity){revocations, clients, KEPT_S};
    return 0;
}

static int gone(void **state)
{
    (void)state;
    clients_free(clients);
    revocation_free(revocations);
    return 0;
}

static struct token_claims claims(int64_t age_s)
{
    return (struct token_claims){
        .sub = STR("eve"),
        .client_id = STR("first-party"),
        .sid = {{1, 2, 3}},
        .auth_ver = 4,
        .iat_s = clock_wall_s() - age_s,
        .exp_s = clock_wall_s() + 60,
    };
}

static void a_token_counts_until_its_session_ends(void **state)
{
    const struct token_claims one = claims(1);

    (void)state;
    assert_int_equal(validity_judge(&validity, &one), OK);
    revocation_add_session(revocations, one.sid, clock_wall_s() + KEPT_S);
    assert_int_equal(validity_judge(&validity, &one), ERR_UNAUTHENTICATED);
}

static void a_token_counts_until_its_user_has_a_later_one(void **state)
{
    const struct token_claims one = claims(1);

    (void)state;
    revocation_add_subject(revocations, STR("eve"), 4, clock_wall_s() + KEPT_S);
    assert_int_equal(validity_judge(&validity, &one), OK);
    revocation_add_subject(revocations, STR("eve"), 5, clock_wall_s() + KEPT_S);
    assert_int_equal(validity_judge(&validity, &one), ERR_UNAUTHENTICATED);
}

static void stale_memory_has_the_database_asked(void **state)
{
    const struct token_claims one = claims(1);

    (void)state;
    revocation_read(revocations, clock_mono_ms() - 60001);
    assert_int_equal(validity_judge(&validity, &one), ERR_DEFER);
}

/* What was revoked while it was young may have been forgotten by now. */
static void so_does_a_token_older_than_memory(void **state)
{
    const struct token_claims young = claims(KEPT_S - 5);
    const struct token_claims old = claims(KEPT_S);

    (void)state;
    assert_int_equal(validity_judge(&validity, &young), OK);
    assert_int_equal(validity_judge(&validity, &old), ERR_DEFER);
    revocation_add_session(revocations, old.sid, clock_wall_s() + KEPT_S);
    assert_int_equal(validity_judge(&validity, &old), ERR_UNAUTHENTICATED);
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_counts_until_its_session_ends),
        TEST(a_token_counts_until_its_user_has_a_later_one),
        TEST(stale_memory_has_the_database_asked),
        TEST(so_does_a_token_older_than_memory),
    };

    return cmocka_run_group_tests_name("validity", tests, set_up, NULL);
}
