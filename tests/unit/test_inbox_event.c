/* SPDX-License-Identifier: Apache-2.0 */
/* What the inbox makes of a delivery: the event's members, and whether its signature holds. */
#include "unit.h"

#include <stdlib.h>

#include "clock.h"
#include "inbox_box.h"
#include "json_in.h"

enum { ARENA_BYTES = 1024 * 1024, LIST_BYTES_MAX = 256 * 1024 };

#define HEAD "{\"specversion\":\"1.0\",\"id\":\"e1\",\"subject\":\"s1\",\"type\":"
#define MAIL "\"com.mallhive.user.verification_requested.v1\""

static unsigned char memory[ARENA_BYTES];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static struct inbox_event parsed(struct str body)
{
    struct inbox_event event;

    assert_int_equal(inbox_event_parse(&arena, body, &event), OK);
    return event;
}

static void test_a_mail_has_address_and_link(void **state)
{
    struct inbox_event event =
        parsed(STR(HEAD MAIL ",\"data\":{\"email\":\"a@b.c\",\"locale\":null,"
                             "\"link\":\"http://x/verify#token=t\"}}"));

    (void)state;
    assert_true(event.is_mail);
    assert_str_equal(event.id, STR("e1"));
    assert_str_equal(event.to, STR("a@b.c"));
    assert_str_equal(event.link, STR("http://x/verify#token=t"));
}

static void test_what_tells_services_is_no_mail(void **state)
{
    struct inbox_event event = parsed(STR(HEAD "\"com.mallhive.user.registered.v1\","
                                               "\"data\":{\"email\":\"a@b.c\"}}"));

    (void)state;
    assert_false(event.is_mail);
    event =
        parsed(STR(HEAD "\"com.mallhive.session.revoked.v1\",\"data\":{\"session_id\":\"1\"}}"));
    assert_false(event.is_mail);
}

/* The word elsewhere: as a value, escaped quotes around it, in nested objects, with spaces. */
static void test_data_is_found_where_it_is(void **state)
{
    (void)state;
    assert_str_equal(parsed(STR(HEAD MAIL ",\"a\":\"data\",\"data\":{\"email\":\"v\"}}")).to,
                     STR("v"));
    assert_str_equal(
        parsed(STR(HEAD MAIL ",\"a\":{\"data\":{\"email\":\"no\"}},\"data\":{\"email\":"
                             "\"v\"}}"))
            .to,
        STR("v"));
    assert_str_equal(
        parsed(STR(HEAD MAIL ",\"a\":[\"}\",{\"data\":1}],\"data\" : {\"email\":\"v\"} }")).to,
        STR("v"));
    assert_str_equal(
        parsed(STR(HEAD MAIL ",\"a\":\"\\\",\\\"data\\\":{\",\"data\":{\"email\":\"v\"}}")).to,
        STR("v"));
    assert_str_equal(parsed(STR(HEAD MAIL ",\"data\":{\"n\":{\"x\":[1]},\"email\":\"v\"}}")).to,
                     STR("v"));
}

static void test_what_is_no_event_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "{}",
        "\"data\"",
        "{\"data\":{}}",
        HEAD MAIL "}",
        HEAD MAIL ",\"data\":1}",
        HEAD "1,\"data\":{}}",
        "{\"specversion\":\"0.3\",\"id\":\"e\",\"subject\":\"s\",\"type\":\"t\",\"data\":{}}",
    };
    struct inbox_event event;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(inbox_event_parse(&arena, str_from(bodies[i]), &event), ERR_INVALID);
    }
}

static struct str sign(const struct webhook_secrets *secrets, struct str id, struct str timestamp,
                       struct str body)
{
    struct buf out = buf_in(&arena, WEBHOOK_SIGNATURE_BYTES_MAX);

    webhook_sign(
        secrets,
        arena_printf(&arena, "%.*s.%.*s.%.*s", STR_ARG(id), STR_ARG(timestamp), STR_ARG(body)),
        &out);
    return buf_str(&out);
}

static void test_signatures(void **state)
{
    const struct webhook_secrets ours = {.items = {{.bytes = {1}, .len = 32}}, .count = 1};
    const struct webhook_secrets theirs = {.items = {{.bytes = {2}, .len = 32}}, .count = 1};
    struct str body = STR("{}");
    long long now_s = (long long)clock_wall_s();
    struct inbox_headers headers = {
        .id = STR("e1"),
        .timestamp = arena_printf(&arena, "%lld", now_s),
    };

    (void)state;
    headers.signature = sign(&ours, headers.id, headers.timestamp, body);
    assert_string_equal(inbox_event_signature(&arena, &ours, &headers, body), "valid");
    assert_string_equal(inbox_event_signature(&arena, &theirs, &headers, body), "wrong");
    assert_string_equal(inbox_event_signature(&arena, &ours, &headers, STR("{} ")), "wrong");

    headers.signature = arena_printf(&arena, "v1,AAAA %.*s", STR_ARG(headers.signature));
    assert_string_equal(inbox_event_signature(&arena, &ours, &headers, body), "valid");

    headers.timestamp = arena_printf(&arena, "%lld", now_s - INBOX_EVENT_TOLERANCE_S - 5);
    headers.signature = sign(&ours, headers.id, headers.timestamp, body);
    assert_string_equal(inbox_event_signature(&arena, &ours, &headers, body), "too old");

    headers.signature = STR_EMPTY;
    assert_string_equal(inbox_event_signature(&arena, &ours, &headers, body), "missing");
}

static bool add(struct inbox_box *box, int number, bool is_taken)
{
    struct inbox_event event = parsed(STR(HEAD MAIL ",\"data\":{\"email\":\"a@b.c\"}}"));
    const struct inbox_attempt attempt = {
        .signature = "valid", .is_taken = is_taken, .status = is_taken ? 204 : 503};

    event.id = arena_printf(&arena, "e%d", number);
    return inbox_box_add(box, &event, STR("{\"a\":1}"), &attempt);
}

static void test_an_event_is_taken_once(void **state)
{
    struct inbox_box *box = inbox_box_new();
    struct buf out = buf_in(&arena, LIST_BYTES_MAX);

    (void)state;
    assert_false(add(box, 1, false));
    inbox_box_mails(box, &out);
    assert_str_equal(buf_str(&out), STR("[]"));
    assert_true(add(box, 1, true));
    assert_false(add(box, 1, true));
    out = buf_in(&arena, LIST_BYTES_MAX);
    inbox_box_events(box, &out);
    assert_true(
        str_starts(buf_str(&out), STR("[{\"a\":1,\"attempts\":3,\"signature\":\"valid\","
                                      "\"mail\":true,\"taken\":true,\"last_status\":204,")));
    free(box);
}

static void test_the_oldest_are_forgotten(void **state)
{
    struct inbox_box *box = inbox_box_new();
    struct buf out = buf_in(&arena, LIST_BYTES_MAX);

    (void)state;
    for (int i = 0; i < INBOX_BOX_DELIVERIES_MAX + 2; i++) {
        assert_true(add(box, i, true));
    }
    inbox_box_mails(box, &out);
    assert_true(str_starts(buf_str(&out), STR("[{\"id\":\"e2\",")));
    assert_true(add(box, 0, true)); /* forgotten, so new */
    assert_false(add(box, INBOX_BOX_DELIVERIES_MAX, true));
    free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_mail_has_address_and_link, set_up),
        cmocka_unit_test_setup(test_what_tells_services_is_no_mail, set_up),
        cmocka_unit_test_setup(test_data_is_found_where_it_is, set_up),
        cmocka_unit_test_setup(test_what_is_no_event_is_refused, set_up),
        cmocka_unit_test_setup(test_signatures, set_up),
        cmocka_unit_test_setup(test_an_event_is_taken_once, set_up),
        cmocka_unit_test_setup(test_the_oldest_are_forgotten, set_up),
    };

    json_in_start();
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
