/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto.h"
#include "event.h"

static unsigned char memory[262144];

static struct arena fresh(void)
{
    struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    return arena;
}

static struct uuid session_id(void)
{
    struct uuid id;

    assert_int_equal(codec_uuid_parse(STR("01890a5d-ac96-774b-bcce-b302099a8057"), &id), OK);
    return id;
}

static void every_type_has_a_name_that_reads_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        const enum event_type type = (enum event_type)i;
        enum event_type read = EVENT_TYPE_COUNT;

        assert_int_equal(event_type_parse(str_from(event_type_name(type)), &read), OK);
        assert_int_equal(read, type);
        assert_false(event_is_ordered(type) && event_has_token(type));
    }
}

static void an_unknown_name_is_refused(void **state)
{
    static const char *const names[] = {"",
                                        "user.registered ",
                                        "user.registere",
                                        "User.registered",
                                        "com.mallhive.user.registered.v1",
                                        "session.deleted"};
    enum event_type type = EVENT_SESSION_CREATED;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(event_type_parse(str_from(names[i]), &type), ERR_INVALID);
    }
    assert_int_equal(type, EVENT_SESSION_CREATED);
}

static void mails_with_a_link_have_a_token(void **state)
{
    (void)state;
    assert_true(event_has_token(EVENT_USER_PASSWORD_RESET_REQUESTED));
    assert_false(event_has_token(EVENT_USER_PASSWORD_CHANGED));
    assert_true(event_has_token(EVENT_USER_VERIFICATION_REQUESTED));
    assert_false(event_has_token(EVENT_USER_REGISTRATION_REPEATED));
    assert_false(event_has_token(EVENT_USER_REGISTERED));
}

/* A stranger can cause mails, and must not get a place before somebody's own events. */
static void mails_are_not_in_the_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        const bool is_mail = i == EVENT_USER_VERIFICATION_REQUESTED ||
                             i == EVENT_USER_REGISTRATION_REPEATED ||
                             i == EVENT_USER_PASSWORD_RESET_REQUESTED;

        assert_int_equal(event_is_ordered((enum event_type)i), !is_mail);
    }
}

static void data_holds_what_the_schema_says(void **state)
{
    struct arena arena = fresh();
    const struct event_registered full = {STR("Ann@Example.com"), true, STR("Ann \"A\""),
                                          STR("de-CH")};
    const struct event_registered bare = {STR("a@b.de"), false, STR_EMPTY, STR_EMPTY};
    struct event event;

    (void)state;
    event = event_user_registered(&arena, STR("s1"), &full);
    assert_int_equal(event.type, EVENT_USER_REGISTERED);
    assert_str_equal(event.subject, STR("s1"));
    assert_str_equal(event.data, STR("{\"email\":\"Ann@Example.com\",\"email_verified\":true,"
                                     "\"name\":\"Ann \\\"A\\\"\",\"locale\":\"de-CH\"}"));
    event = event_user_registered(&arena, STR("s1"), &bare);
    assert_str_equal(event.data, STR("{\"email\":\"a@b.de\",\"email_verified\":false,"
                                     "\"name\":null,\"locale\":null}"));
    event = event_user_verified(&arena, STR("s1"), STR("a@b.de"));
    assert_str_equal(event.data, STR("{\"email\":\"a@b.de\"}"));
    event = event_user_disabled(&arena, STR("s1"), "disabled_by_admin");
    assert_int_equal(event.type, EVENT_USER_DISABLED);
    assert_str_equal(event.data, STR("{\"reason\":\"disabled_by_admin\"}"));
    event =
        event_mail(&arena, EVENT_USER_REGISTRATION_REPEATED, STR("s1"), STR("a@b.de"), STR_EMPTY);
    assert_str_equal(event.data, STR("{\"email\":\"a@b.de\",\"locale\":null}"));
    event = event_user_password_changed(&arena, STR("s1"),
                                        &(struct event_owner){STR("a@b.de"), STR("de")}, "reset");
    assert_int_equal(event.type, EVENT_USER_PASSWORD_CHANGED);
    assert_str_equal(event.data,
                     STR("{\"email\":\"a@b.de\",\"locale\":\"de\",\"reason\":\"reset\"}"));
    event = event_session_created(&arena, STR("s1"), session_id(), STR("first-party"));
    assert_str_equal(event.data, STR("{\"session_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                                     "\"client_id\":\"first-party\"}"));
    event = event_session_revoked(&arena, STR("s1"), session_id(), "logout");
    assert_str_equal(event.data, STR("{\"session_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                                     "\"reason\":\"logout\"}"));
    event = event_session_reuse_detected(&arena, STR("s1"), session_id(), STR("first-party"));
    assert_int_equal(event.type, EVENT_SESSION_REUSE_DETECTED);
    assert_str_equal(event.data, STR("{\"session_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                                     "\"client_id\":\"first-party\"}"));
}

static void ids_differ_and_are_version_7(void **state)
{
    struct arena arena = fresh();
    const struct event a = event_user_verified(&arena, STR("s"), STR("a@b.de"));
    const struct event b = event_user_verified(&arena, STR("s"), STR("a@b.de"));

    (void)state;
    assert_false(uuid_equal(a.id, b.id));
    assert_int_equal(a.id.bytes[6] >> 4, 7);
}

static void the_envelope_is_cloudevents_1_0(void **state)
{
    const struct event_envelope in = {
        .id = STR("01890a5d-ac96-774b-bcce-b302099a8057"),
        .source = STR("https://auth.example.com"),
        .type = STR("user.verified"),
        .subject = STR("s\"1"),
        .time_ms = 1704067199123,
        .sequence = 42,
        .data = STR("{\"email\":\"a@b.de\"}"),
    };
    char text[1024];
    struct buf buf = buf_over(text, sizeof(text));

    (void)state;
    event_write(&buf, &in);
    assert_false(buf.overflowed);
    assert_str_equal(
        buf_str(&buf),
        STR("{\"specversion\":\"1.0\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
            "\"source\":\"https://auth.example.com\",\"type\":\"com.mallhive.user.verified.v1\","
            "\"subject\":\"s\\\"1\",\"time\":\"2023-12-31T23:59:59.123Z\","
            "\"datacontenttype\":\"application/json\",\"sequence\":\"0000000000000000042\","
            "\"data\":{\"email\":\"a@b.de\"}}"));
}

static void the_sequence_has_19_digits_up_to_the_last(void **state)
{
    struct event_envelope in = {.sequence = INT64_MAX, .data = STR("{}")};
    char text[1024];
    struct buf buf = buf_over(text, sizeof(text));

    (void)state;
    event_write(&buf, &in);
    assert_non_null(strstr(text, "\"sequence\":\"9223372036854775807\""));
}

static void an_envelope_that_does_not_fit_says_so(void **state)
{
    const struct event_envelope in = {
        .id = STR("1"), .type = STR("user.verified"), .data = STR("{\"email\":\"a@b.de\"}")};
    char text[1024];

    (void)state;
    for (size_t cap = 0; cap < 180; cap++) {
        struct buf buf = buf_over(text, cap);
        struct str whole;

        event_write(&buf, &in);
        assert_int_equal(buf_finish(&buf, &whole), ERR_NO_SPACE);
    }
}

static void the_link_comes_in_behind_the_data(void **state)
{
    struct arena arena = fresh();

    (void)state;
    assert_str_equal(event_data_with_link(&arena, STR("{\"email\":\"a@b.de\"}"),
                                          STR("https://x.example/v#token=ot1.k1"), 1704067199123),
                     STR("{\"email\":\"a@b.de\",\"link\":\"https://x.example/v#token=ot1.k1\","
                         "\"expires_at\":\"2023-12-31T23:59:59.123Z\"}"));
    assert_str_equal(event_data_with_link(&arena, STR("{}"), STR("l\""), 0),
                     STR("{\"link\":\"l\\\"\",\"expires_at\":\"1970-01-01T00:00:00.000Z\"}"));
}

static void a_full_arena_gives_no_half_event(void **state)
{
    unsigned char small[256];
    struct arena arena;
    struct event event;

    (void)state;
    arena_init(&arena, small, sizeof(small));
    event = event_user_verified(&arena, STR("s"), STR("a@b.de"));
    assert_int_equal(event.data.len, 0);
    assert_true(arena_overflowed(&arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_name_that_reads_back),
        cmocka_unit_test(an_unknown_name_is_refused),
        cmocka_unit_test(mails_with_a_link_have_a_token),
        cmocka_unit_test(mails_are_not_in_the_order),
        cmocka_unit_test(data_holds_what_the_schema_says),
        cmocka_unit_test(ids_differ_and_are_version_7),
        cmocka_unit_test(the_envelope_is_cloudevents_1_0),
        cmocka_unit_test(the_sequence_has_19_digits_up_to_the_last),
        cmocka_unit_test(an_envelope_that_does_not_fit_says_so),
        cmocka_unit_test(the_link_comes_in_behind_the_data),
        cmocka_unit_test(a_full_arena_gives_no_half_event),
    };

    crypto_start();
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
