/* SPDX-License-Identifier: Apache-2.0 */
#include "support/notified.h"

#include <stdatomic.h>

#include "metrics.h"
#include "outbox_store.h"

static void append(struct outbox_event event)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    outbox_store_append(&tx, &event);
    database_must(pg_tx_commit(&tx));
}

static struct outbox_event event_of(const char *subject)
{
    return (struct outbox_event){
        .id = crypto_uuid7(clock_wall_ms()),
        .subject = str_from(subject),
        .type = STR("user.verified"),
        .is_ordered = true,
        .data = STR("{\"email\":\"a@b.de\"}"),
    };
}

/* `each` events for each of `subjects` subjects, in turn. */
static void append_many(int subjects, int each)
{
    char sql[512];

    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO outbox (id, subject, type, is_ordered, data)"
                   " SELECT gen_random_uuid(), 's' || s, 'user.verified', true, '{}'"
                   " FROM generate_series(1, %d) AS n, generate_series(1, %d) AS s"
                   " ORDER BY n, s",
                   each, subjects);
    database_do(sql);
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE outbox");
    return 0;
}

/* Each event once, and those of a subject in order. */
static void assert_each_once_in_order(const struct receiver *receiver, size_t subjects, size_t each)
{
    static char last[64][32];
    static size_t counts[64];
    char subject[32];
    char sequence[32];

    memset(last, 0, sizeof(last));
    memset(counts, 0, sizeof(counts));
    assert_int_equal(receiver->count, subjects * each);
    for (size_t i = 0; i < receiver->count; i++) {
        size_t at;

        received_member(&receiver->requests[i], "subject", subject, sizeof(subject));
        received_member(&receiver->requests[i], "sequence", sequence, sizeof(sequence));
        at = strtoul(subject + 1, NULL, 10);
        assert_in_range(at, 1, subjects);
        assert_int_equal(strlen(sequence), 19);
        if (strcmp(sequence, last[at]) <= 0) {
            fail_msg("%s: %s came after %s", subject, sequence, last[at]);
        }
        memcpy(last[at], sequence, sizeof(sequence));
        counts[at]++;
    }
    for (size_t at = 1; at <= subjects; at++) {
        assert_int_equal(counts[at], each);
    }
}

/* All signatures are over what arrived. */
static void assert_signed_by(const struct webhook_secrets *secrets, const struct received *request)
{
    char id[64];
    char timestamp[32];
    char signature[256];
    char content[RECEIVER_BYTES_MAX];
    char expected[WEBHOOK_SIGNATURE_BYTES_MAX];
    struct buf buf = buf_over(content, sizeof(content));
    struct buf right = buf_over(expected, sizeof(expected));

    received_header(request, "webhook-id", id, sizeof(id));
    received_header(request, "webhook-timestamp", timestamp, sizeof(timestamp));
    received_header(request, "webhook-signature", signature, sizeof(signature));
    buf_printf(&buf, "%s.%s.%s", id, timestamp, request->body);
    webhook_sign(secrets, buf_str(&buf), &right);
    assert_str_equal(str_from(signature), buf_str(&right));
    assert_true(llabs(strtoll(timestamp, NULL, 10) - clock_wall_s()) < 60);
}

static void assert_signed(const struct received *request)
{
    assert_signed_by(&test_secrets, request);
}

static void an_event_arrives_as_a_signed_cloudevent(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);
    const struct outbox_event event = event_of("s1");
    char id[UUID_TEXT_BYTES + 1] = "";
    struct buf buf = buf_over(id, UUID_TEXT_BYTES);
    const struct received *request = &receiver->requests[0];
    char value[128];
    char expected[64];

    (void)state;
    codec_uuid(&buf, event.id);
    append(event);
    (void)snprintf(expected, sizeof(expected), "%019lld",
                   (long long)database_number("SELECT last_value FROM outbox_seq_seq"));
    relay_wake(relay);
    receiver_await(receiver, 1);
    notified_await_left(0);
    relay_stop(relay);
    assert_int_equal(receiver->count, 1);
    assert_string_equal(received_header(request, "content-type", value, sizeof(value)),
                        "application/cloudevents+json; charset=UTF-8");
    assert_string_equal(received_header(request, "webhook-id", value, sizeof(value)), id);
    assert_string_equal(received_member(request, "id", value, sizeof(value)), id);
    assert_string_equal(received_member(request, "sequence", value, sizeof(value)), expected);
    assert_string_equal(received_member(request, "source", value, sizeof(value)),
                        "https://auth.example.com");
    assert_string_equal(received_member(request, "type", value, sizeof(value)),
                        "com.mallhive.user.verified.v1");
    assert_string_equal(received_member(request, "subject", value, sizeof(value)), "s1");
    assert_non_null(strstr(request->body, "\"data\":{\"email\":\"a@b.de\"}}"));
    assert_signed(request);
    receiver_stop(receiver);
}

static struct outbox_event mail_of(const char *kid)
{
    struct outbox_event mail = event_of("s1");

    mail.type = STR("user.verification_requested");
    mail.is_ordered = false;
    mail.token_kid = str_from(kid);
    mail.token_purpose = STR("registration");
    mail.token_id = crypto_uuid4();
    mail.expires_ms = clock_wall_ms() + 3600000;
    return mail;
}

static void a_mail_gets_its_token_as_it_is_sent(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);
    const struct outbox_event mail = mail_of("k1");
    const char *const before = "https://app.example.com/verify#token=";
    char link[256];
    char expires[64];
    char right[RFC3339_BYTES_MAX + 1] = "";
    struct buf buf = buf_over(right, RFC3339_BYTES_MAX);
    enum onetime_purpose purpose;
    struct uuid id;
    struct str rest;

    (void)state;
    append(mail);
    relay_wake(relay);
    receiver_await(receiver, 1);
    relay_stop(relay);
    received_member(&receiver->requests[0], "link", link, sizeof(link));
    assert_int_equal(strncmp(link, before, strlen(before)), 0);
    rest = str_from(link + strlen(before));
    assert_int_equal(onetime_check(test_keyring, str_cut(&rest, '&'), &purpose, &id), OK);
    assert_str_equal(rest, STR("x=1"));
    assert_int_equal(purpose, ONETIME_REGISTRATION);
    assert_true(uuid_equal(id, mail.token_id));
    codec_rfc3339(&buf, mail.expires_ms);
    assert_string_equal(
        received_member(&receiver->requests[0], "expires_at", expires, sizeof(expires)), right);
    assert_signed(&receiver->requests[0]);
    receiver_stop(receiver);
}

static void a_mail_that_expired_is_dropped(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);
    struct outbox_event mail = mail_of("k1");

    (void)state;
    mail.expires_ms = clock_wall_ms() - 1;
    append(mail);
    relay_wake(relay);
    notified_await_left(0);
    relay_stop(relay);
    assert_int_equal(receiver->count, 0);
    receiver_stop(receiver);
}

/* Another replica may know the key already: the mail is kept, and blocks nobody. */
static void a_mail_whose_key_is_unknown_waits(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    append(mail_of("k9"));
    append(event_of("s1"));
    relay_wake(relay);
    receiver_await(receiver, 1);
    database_await("SELECT count(*) FROM outbox WHERE attempts = 1 AND dead_at IS NULL"
                   " AND last_error LIKE 'cannot be made%'",
                   1);
    relay_stop(relay);
    assert_int_equal(receiver->count, 1);
    receiver_stop(receiver);
}

static void an_event_too_large_is_given_up(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    database_do("INSERT INTO outbox (id, subject, type, is_ordered, data) VALUES"
                " (gen_random_uuid(), 's1', 'user.verified', true,"
                " '{\"email\":\"' || repeat('a', 20480) || '\"}')");
    append(event_of("s1"));
    relay_wake(relay);
    receiver_await(receiver, 1);
    relay_stop(relay);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL"), 1);
    assert_int_equal(receiver->count, 1);
    receiver_stop(receiver);
}

static bool ok_after_a_while(struct receiver *self, int fd, const struct received *request)
{
    uint64_t seed = (request->index + 1) * 2654435761U;

    return receiver_pause(self, fd, (int64_t)(unit_random(&seed) % 8)) && receiver_status(fd, 202);
}

static void order_holds_for_each_subject(void **state)
{
    struct receiver *receiver = receiver_start(0, ok_after_a_while, NULL);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    append_many(40, 10);
    relay_wake(relay);
    notified_await_left(0);
    relay_stop(relay);
    assert_each_once_in_order(receiver, 40, 10);
    assert_true(receiver->connection_count <= OUTBOX_CLAIM_MAX); /* kept, and not one an event */
    receiver_stop(receiver);
}

static void several_relays_send_each_event_once(void **state)
{
    struct receiver *receiver = receiver_start(0, ok_after_a_while, NULL);
    struct relay *relays[3];

    (void)state;
    append_many(40, 20);
    for (size_t i = 0; i < 3; i++) {
        relays[i] = notified_relay(receiver->url);
    }
    notified_await_left(0);
    for (size_t i = 0; i < 3; i++) {
        relay_stop(relays[i]);
    }
    assert_each_once_in_order(receiver, 40, 20);
    receiver_stop(receiver);
}

/* The first so many requests get a status, the rest 200. */
struct first {
    atomic_size_t count;
    int status;
    const char *header;
};

static bool fail_the_first(struct receiver *self, int fd, const struct received *request)
{
    struct first *first = self->context;
    char text[160];

    if (request->index >= atomic_load(&first->count)) {
        return receiver_status(fd, 200);
    }
    (void)snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\n%sContent-Length: 0\r\n\r\n",
                   first->status, first->header != NULL ? first->header : "");
    return receiver_say(fd, text);
}

static void a_server_error_is_tried_again_under_the_same_id(void **state)
{
    struct first first = {.count = 3, .status = 500};
    struct receiver *receiver = receiver_start(0, fail_the_first, &first);
    struct relay *relay = notified_relay(receiver->url);
    char id[64];
    char again[64];

    (void)state;
    append(event_of("s1"));
    append(event_of("s1"));
    relay_wake(relay);
    notified_await_left(0);
    relay_stop(relay);
    assert_int_equal(receiver->count, 5);
    received_header(&receiver->requests[0], "webhook-id", id, sizeof(id));
    for (size_t i = 1; i < 5; i++) {
        received_header(&receiver->requests[i], "webhook-id", again, sizeof(again));
        assert_int_equal(strcmp(id, again) == 0, i < 4);
        assert_signed(&receiver->requests[i]);
    }
    receiver_stop(receiver);
}

static void retry_after_is_respected(void **state)
{
    struct first first = {.count = 1, .status = 429, .header = "Retry-After: 100\r\n"};
    struct receiver *receiver = receiver_start(0, fail_the_first, &first);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    append(event_of("s1"));
    relay_wake(relay);
    database_await("SELECT count(*) FROM outbox WHERE attempts = 1"
                   " AND due_at BETWEEN now() + interval '80 s' AND now() + interval '100 s'",
                   1);
    notified_await_left(0);
    relay_stop(relay);
    receiver_stop(receiver);
}

static void three_rejections_make_a_dead_letter(void **state)
{
    struct first first = {.count = 3, .status = 422};
    struct receiver *receiver = receiver_start(0, fail_the_first, &first);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    append(event_of("s1"));
    append(event_of("s1"));
    relay_wake(relay);
    notified_await_left(1);
    relay_stop(relay);
    assert_int_equal(receiver->count, 4); /* the successor is not blocked by the dead */
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL"
                                     " AND rejections = 3 AND last_error = 'status 422'"),
                     1);
    /* An operator sends it again. */
    relay = notified_relay(receiver->url);
    database_do("UPDATE outbox SET dead_at = NULL, rejections = 0, due_at = now()");
    notified_await_left(0);
    relay_stop(relay);
    receiver_stop(receiver);
}

static bool fail_the_poisoned(struct receiver *self, int fd, const struct received *request)
{
    (void)self;
    return receiver_status(fd, strstr(request->body, "poison") != NULL ? 500 : 200);
}

static void a_head_that_fails_for_long_is_parked(void **state)
{
    struct receiver *receiver = receiver_start(0, fail_the_poisoned, NULL);
    struct relay *relay = notified_relay(receiver->url);
    struct outbox_event poison = event_of("s1");

    (void)state;
    poison.data = STR("{\"email\":\"poison\"}");
    append(poison);
    append(event_of("s1"));
    relay_wake(relay);
    database_await("SELECT count(*) FROM outbox WHERE attempts >= 1", 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 2);
    database_do("UPDATE outbox SET first_failed_at = first_failed_at - interval '5 min',"
                " due_at = now() WHERE attempts >= 1");
    notified_await_left(1);
    database_await("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL AND dead_at IS NULL",
                   1);
    relay_stop(relay);
    receiver_stop(receiver);
}

static void the_endpoints_fault_opens_the_circuit(void **state)
{
    static const int statuses[] = {401, 403, 410, 301};

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct first first = {.count = SIZE_MAX, .status = statuses[i]};
        struct receiver *receiver = receiver_start(0, fail_the_first, &first);
        struct relay *relay = notified_relay(receiver->url);

        append_many(40, 1);
        relay_wake(relay);
        receiver_await(receiver, OUTBOX_CLAIM_MAX + 1); /* the first lot, and a probe */
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE attempts > 0"
                                         " OR first_failed_at IS NOT NULL"
                                         " OR dead_at IS NOT NULL OR parked_at IS NOT NULL"),
                         0);
        assert_true(receiver_count(receiver) < 30); /* not all forty, over and over */
        atomic_store(&first.count, 0);
        notified_await_left(0);
        relay_stop(relay);
        receiver_stop(receiver);
    }
}

static bool refuse_the_poisoned(struct receiver *self, int fd, const struct received *request)
{
    (void)self;
    return receiver_status(fd, strstr(request->body, "poison") != NULL ? 403 : 204);
}

/* A filter before the endpoint that dislikes one event: the rest flows, and it is given up. */
static void a_fault_that_one_event_alone_meets_is_its_own(void **state)
{
    static const char *const left = "SELECT count(*) FROM outbox WHERE subject LIKE 'good%'";
    struct receiver *receiver = receiver_start(0, refuse_the_poisoned, NULL);
    struct relay *relay = notified_relay(receiver->url);
    const int64_t until_ms = clock_mono_ms() + 30000;
    struct outbox_event poison = event_of("bad");
    int64_t refused = 0;
    char subject[16];

    (void)state;
    poison.data = STR("{\"email\":\"poison\"}");
    append(poison);
    append(event_of("bad")); /* waits behind it */
    relay_wake(relay);
    database_await("SELECT count(*) FROM outbox WHERE faulted_at IS NOT NULL AND attempts = 0", 1);
    for (int i = 0; refused < 1; i++) {
        const int64_t began_ms = clock_mono_ms();

        assert_true(began_ms < until_ms);
        (void)snprintf(subject, sizeof(subject), "good%d", i);
        append(event_of(subject));
        relay_wake(relay);
        database_await(left, 0);
        /* The first one may find the circuit open, which is closed for good then. */
        assert_true(i == 0 || clock_mono_ms() - began_ms < 900);
        refused = database_number("SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL");
        (void)poll(NULL, 0, 10);
    }
    database_await("SELECT count(*) FROM outbox WHERE dead_at IS NULL", 0);
    relay_stop(relay);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE attempts = 3"
                                     " AND rejections = 3 AND last_error = 'status 403'"),
                     1);
    receiver_stop(receiver);
}

static void no_connection_loses_nothing(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    const uint16_t port = receiver_port(receiver);
    char url[64];
    struct relay *relay;

    (void)state;
    (void)snprintf(url, sizeof(url), "%s", receiver->url);
    receiver_stop(receiver);
    relay = notified_relay(url);
    append_many(20, 2);
    relay_wake(relay);
    database_await("SELECT count(*) FROM outbox WHERE last_error LIKE '%connect%'", 16);
    assert_int_equal(database_number("SELECT max(attempts)::bigint FROM outbox"), 0);
    receiver = receiver_start(port, notified_ok, NULL);
    notified_await_left(0);
    relay_stop(relay);
    assert_each_once_in_order(receiver, 20, 2);
    receiver_stop(receiver);
}

static bool hang(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    (void)receiver_pause(self, fd, 60000);
    return false;
}

static void a_time_out_is_an_attempt(void **state)
{
    struct receiver *receiver = receiver_start(0, hang, NULL);
    struct relay_options options = notified_options(receiver->url);
    struct relay *relay;

    (void)state;
    options.timeout_ms = 200;
    relay = relay_start(&options);
    append(event_of("s1"));
    relay_wake(relay);
    database_await(
        "SELECT count(*) FROM outbox WHERE attempts = 1 AND last_error LIKE '%timed out%'", 1);
    relay_stop(relay);
    receiver_stop(receiver);
}

/* One that hangs does not keep the others. */
static bool hang_for_the_poisoned(struct receiver *self, int fd, const struct received *request)
{
    return strstr(request->body, "poison") != NULL ? hang(self, fd, request)
                                                   : receiver_status(fd, 200);
}

static void a_slow_call_does_not_hold_up_the_rest(void **state)
{
    struct receiver *receiver = receiver_start(0, hang_for_the_poisoned, NULL);
    struct relay_options options = notified_options(receiver->url);
    struct outbox_event poison = event_of("slow");
    struct relay *relay;

    (void)state;
    options.timeout_ms = 15000;
    options.lease_ms = 60000;
    relay = relay_start(&options);
    poison.data = STR("{\"email\":\"poison\"}");
    append(poison);
    relay_wake(relay);
    receiver_await(receiver, 1);
    append_many(40, 5);
    relay_wake(relay);
    notified_await_left(1);
    database_do("TRUNCATE outbox");
    receiver_stop(receiver); /* ends the call */
    relay_stop(relay);
}

/* A relay that died with its lease. */
static void a_lease_that_ends_is_taken_over(void **state)
{
    static unsigned char memory[65536];
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct outbox_batch batch;
    struct arena arena;
    struct relay *relay;

    (void)state;
    append(event_of("s1"));
    arena_init(&arena, memory, sizeof(memory));
    database_must(outbox_store_claim(database(), &arena, 500, 1, &batch));
    assert_int_equal(batch.count, 1);
    relay = notified_relay(receiver->url);
    notified_await_left(0);
    relay_stop(relay);
    assert_int_equal(receiver->count, 1);
    receiver_stop(receiver);
}

static bool ok_after_half_a_second(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    return receiver_pause(self, fd, 500) && receiver_status(fd, 200);
}

static void a_stop_waits_for_what_is_under_way(void **state)
{
    struct receiver *receiver = receiver_start(0, ok_after_half_a_second, NULL);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    append(event_of("s1"));
    relay_wake(relay);
    receiver_await(receiver, 1);
    relay_stop(relay);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    receiver_stop(receiver);
}

static void a_stop_gives_back_what_hangs(void **state)
{
    struct receiver *receiver = receiver_start(0, hang, NULL);
    struct relay *relay = notified_relay(receiver->url);
    const int64_t began_ms = clock_mono_ms();

    (void)state;
    append(event_of("s1"));
    relay_wake(relay);
    receiver_await(receiver, 1);
    relay_stop(relay);
    assert_true(clock_mono_ms() - began_ms < 9000);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE due_at <= now()"
                                     " AND attempts = 0"),
                     1);
    receiver_stop(receiver);
    relay_stop(NULL);
}

static void a_connection_that_is_cut_costs_nothing(void **state)
{
    struct receiver *receiver = receiver_start(0, ok_after_a_while, NULL);
    struct relay *relay = notified_relay(receiver->url);

    (void)state;
    for (int round = 0; round < 10; round++) {
        append_many(10, 3);
        relay_wake(relay);
        database_do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'test' AND pid <> pg_backend_pid()");
    }
    /* A lease that was committed but not answered ends by itself. */
    database_do("UPDATE outbox SET due_at = now()");
    notified_await_left(0);
    relay_stop(relay);
    assert_true(receiver->count >= 300);
    receiver_stop(receiver);
}

static double metric_of(const char *line)
{
    static char text[65536];
    struct buf buf = buf_over(text, sizeof(text) - 1);
    const char *at;

    metrics_render(&buf);
    text[buf.len] = '\0';
    at = strstr(text, line);
    return at != NULL ? strtod(at + strlen(line), NULL) : -1;
}

static void what_happens_is_measured(void **state)
{
    static const char delivered[] = "events_delivered_total{type=\"user.verified\"} ";
    static const char failed[] = "events_failed_total{reason=\"rejected\"} ";
    const double delivered_before = metric_of(delivered);
    const double failed_before = metric_of(failed);
    const int64_t until_ms = clock_mono_ms() + 10000;
    struct first first = {.count = 3, .status = 400};
    struct receiver *receiver = receiver_start(0, fail_the_first, &first);
    struct relay *relay;

    (void)state;
    append(event_of("s1"));
    append(event_of("s1"));
    relay = notified_relay(receiver->url);
    notified_await_left(1);
    relay_stop(relay);
    relay = notified_relay(receiver->url); /* counts the backlog as it starts */
    while (metric_of("\nuser_service_outbox_dead ") < 1 && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, 5);
    }
    relay_stop(relay);
    assert_true(metric_of("\nuser_service_outbox_dead ") == 1);
    assert_true(metric_of("\nuser_service_outbox_pending ") == 0);
    assert_true(metric_of("\nuser_service_notification_circuit_open ") == 0);
    assert_true(metric_of("\nuser_service_notification_request_duration_seconds_count ") >= 4);
    assert_true(metric_of(delivered) - delivered_before == 1);
    assert_true(metric_of(failed) - failed_before == 3);
    receiver_stop(receiver);
}

static int set_up(void **state)
{
    (void)state;
    notified_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    notified_stop();
    return 0;
}

static void new_secrets_sign_from_the_next_event_on(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);
    struct webhook_secrets fresh = {.items = {{.bytes = {7}, .len = 32}}, .count = 1};

    (void)state;
    append(event_of("s1"));
    relay_wake(relay);
    receiver_await(receiver, 1);
    relay_take_secrets(relay, &fresh);
    append(event_of("s2"));
    relay_wake(relay);
    receiver_await(receiver, 2);
    notified_await_left(0);
    relay_stop(relay);
    assert_signed(&receiver->requests[0]);
    assert_signed_by(&fresh, &receiver->requests[1]);
    receiver_stop(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_event_arrives_as_a_signed_cloudevent, empty),
        cmocka_unit_test_setup(new_secrets_sign_from_the_next_event_on, empty),
        cmocka_unit_test_setup(a_mail_gets_its_token_as_it_is_sent, empty),
        cmocka_unit_test_setup(a_mail_that_expired_is_dropped, empty),
        cmocka_unit_test_setup(a_mail_whose_key_is_unknown_waits, empty),
        cmocka_unit_test_setup(an_event_too_large_is_given_up, empty),
        cmocka_unit_test_setup(order_holds_for_each_subject, empty),
        cmocka_unit_test_setup(several_relays_send_each_event_once, empty),
        cmocka_unit_test_setup(a_server_error_is_tried_again_under_the_same_id, empty),
        cmocka_unit_test_setup(retry_after_is_respected, empty),
        cmocka_unit_test_setup(three_rejections_make_a_dead_letter, empty),
        cmocka_unit_test_setup(a_head_that_fails_for_long_is_parked, empty),
        cmocka_unit_test_setup(the_endpoints_fault_opens_the_circuit, empty),
        cmocka_unit_test_setup(a_fault_that_one_event_alone_meets_is_its_own, empty),
        cmocka_unit_test_setup(no_connection_loses_nothing, empty),
        cmocka_unit_test_setup(a_time_out_is_an_attempt, empty),
        cmocka_unit_test_setup(a_slow_call_does_not_hold_up_the_rest, empty),
        cmocka_unit_test_setup(a_lease_that_ends_is_taken_over, empty),
        cmocka_unit_test_setup(a_stop_waits_for_what_is_under_way, empty),
        cmocka_unit_test_setup(a_stop_gives_back_what_hangs, empty),
        cmocka_unit_test_setup(a_connection_that_is_cut_costs_nothing, empty),
        cmocka_unit_test_setup(what_happens_is_measured, empty),
    };

    return cmocka_run_group_tests_name("relay", tests, set_up, tear_down);
}
