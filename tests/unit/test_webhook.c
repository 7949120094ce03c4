/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "json_in.h"
#include "webhook.h"

static unsigned char memory[65536];

static enum error parse(struct str json, struct webhook_secrets *out, const char **why)
{
    struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    return webhook_secrets_parse(&arena, json, out, why);
}

static struct webhook_secrets parsed(struct str json)
{
    struct webhook_secrets secrets;
    const char *why = "";

    if (parse(json, &secrets, &why) != OK) {
        fail_msg("%s", why);
    }
    return secrets;
}

/* The vector of the test "sign function works" in the reference libraries of
 * github.com/standard-webhooks/standard-webhooks. */
static void the_reference_vector(void **state)
{
    const struct webhook_secrets secrets =
        parsed(STR("{\"secrets\":[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]}"));
    char text[WEBHOOK_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(text, sizeof(text));

    (void)state;
    webhook_sign(&secrets, STR("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"),
                 &signature);
    assert_str_equal(buf_str(&signature), STR("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
}

static void one_signature_for_each_secret(void **state)
{
    const struct webhook_secrets secrets =
        parsed(STR("{\"secrets\":[\"whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\","
                   "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"],\"note\":1}"));
    char text[WEBHOOK_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(text, sizeof(text));
    struct str rest;
    struct str first;

    (void)state;
    webhook_sign(&secrets, STR("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"),
                 &signature);
    rest = buf_str(&signature);
    first = str_cut(&rest, ' ');
    assert_str_equal(rest, STR("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    assert_int_equal(first.len, rest.len);
    assert_false(str_equal(first, rest));
}

static void four_signatures_fit(void **state)
{
    struct webhook_secrets secrets = {.count = WEBHOOK_SECRETS_MAX};
    char text[WEBHOOK_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(text, sizeof(text));

    (void)state;
    for (size_t i = 0; i < WEBHOOK_SECRETS_MAX; i++) {
        secrets.items[i].len = WEBHOOK_SECRET_BYTES_MAX;
    }
    webhook_sign(&secrets, STR("1.2.{}"), &signature);
    assert_false(signature.overflowed);
}

static void what_is_wrong_is_said_and_no_secret_is(void **state)
{
    static const struct {
        const char *json;
        const char *says;
    } rows[] = {
        {"", "must be {\"secrets\":[\"whsec_…\"]}"},
        {"{}", "must be {\"secrets\":[\"whsec_…\"]}"},
        {"[]", "must be {\"secrets\":[\"whsec_…\"]}"},
        {"{\"secrets\":{}}", "must be {"},
        {"{\"secrets\":[1]}", "must be"},
        {"{\"secrets\":[]}", "1 to 4 secrets, got 0"},
        {"{\"secrets\":[\"a\",\"a\",\"a\",\"a\",\"a\"]}", "1 to 4 secrets, got 5"},
        {"{\"secrets\":[\"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]}", "number 1 must be whsec_"},
        {"{\"secrets\":[\"whsec_\"]}", "number 1 must be whsec_"},
        {"{\"secrets\":[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa\"]}", "of 24 to 64 bytes"},
        {"{\"secrets\":[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\",\"whsec_MfKQ9r8GKYqrTwj!\"]}",
         "number 2 must be whsec_"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct webhook_secrets secrets = {.count = 77};
        const char *why = "";

        assert_int_equal(parse(str_from(rows[i].json), &secrets, &why), ERR_CONFIG);
        assert_int_equal(secrets.count, 77);
        if (strstr(why, rows[i].says) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].json, why, rows[i].says);
        }
        assert_null(strstr(why, "MfKQ9r8"));
    }
}

static void wiped_is_wiped(void **state)
{
    static const struct webhook_secrets zero;
    struct webhook_secrets secrets =
        parsed(STR("{\"secrets\":[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]}"));

    (void)state;
    webhook_secrets_wipe(&secrets);
    assert_memory_equal(&secrets, &zero, sizeof(zero));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vector),
        cmocka_unit_test(one_signature_for_each_secret),
        cmocka_unit_test(four_signatures_fit),
        cmocka_unit_test(what_is_wrong_is_said_and_no_secret_is),
        cmocka_unit_test(wiped_is_wiped),
    };

    crypto_start();
    json_in_start();
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
