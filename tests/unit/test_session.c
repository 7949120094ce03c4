/* SPDX-License-Identifier: Apache-2.0 */
#include "support/accounts.h"

static const struct str user_text = STR("5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e");

static struct session_request request(void)
{
    struct session_request out = {
        .sub = user_text,
        .auth_ver = 1,
        .roles = STR("support"),
        .client_id = STR("first-party"),
        .ip = STR("192.0.2.7"),
        .user_agent = STR("test/1"),
    };

    assert_int_equal(codec_uuid_parse(user_text, &out.user_id), OK);
    return out;
}

static enum error try_open(const struct session_request *in, struct session_grant *out,
                           bool *has_events)
{
    struct work work = account_work();
    struct pg_tx tx;

    pg_tx_begin(&tx, work.pg);
    TRY(session_open(&account_sessions, &work, &tx, in, out));
    TRY(pg_tx_commit(&tx));
    *has_events = work.has_events;
    return OK;
}

static struct session_grant open_one(void)
{
    struct session_request in = request();
    struct session_grant grant;
    bool has_events;

    database_must(try_open(&in, &grant, &has_events));
    return grant;
}

static struct token_claims claims_of(const struct session_grant *grant)
{
    struct token_claims claims;

    assert_int_equal(token_check(&account_tokens, &auth_arena, grant->access_token, &claims), OK);
    return claims;
}

static void the_access_token_names_the_session(void **state)
{
    struct session_grant grant = open_one();
    struct token_claims claims = claims_of(&grant);

    (void)state;
    assert_true(uuid_equal(claims.sid, grant.session_id));
    assert_str_equal(claims.sub, user_text);
    assert_str_equal(claims.client_id, STR("first-party"));
    assert_int_equal(claims.auth_ver, 1);
    assert_int_equal(grant.expires_in_s, 300);
    assert_int_equal(grant.refresh_expires_in_s, 3600);
    assert_int_equal(grant.session_id.bytes[6] >> 4, 7); /* UUIDv7 */
}

/* Of the idle and the absolute time-out the one that comes first. */
static void what_ends_first_is_told(void **state)
{
    struct session_grant grant;

    (void)state;
    account_sessions.absolute_ttl_s = 600;
    grant = open_one();
    assert_int_equal(grant.refresh_expires_in_s, 600);
    account_sessions.absolute_ttl_s = 86400;
}

/* rt1.<kid>.<sid>.<generation>.<secret>.<tag> */
static void the_refresh_token_is_of_its_form(void **state)
{
    struct session_grant grant = open_one();
    struct str rest = grant.refresh_token;
    char sid[UUID_TEXT_BYTES + 1];
    struct str head;
    struct str tag;
    struct str secret;
    uint8_t bytes[32];
    struct buf covered = buf_in(&auth_arena, 512);
    struct crypto_digest mac;

    (void)state;
    assert_str_equal(str_cut(&rest, '.'), STR("rt1"));
    assert_str_equal(str_cut(&rest, '.'), STR("k1"));
    assert_str_equal(str_cut(&rest, '.'), str_from(account_uuid(sid, grant.session_id)));
    assert_str_equal(str_cut(&rest, '.'), STR("0"));
    secret = str_cut(&rest, '.');
    tag = str_cut(&rest, '.');
    assert_int_equal(rest.len, 0);
    assert_int_equal(codec_base64url_decode_exact(secret, bytes, 32), OK);
    head = str_sub(grant.refresh_token, 0, grant.refresh_token.len - tag.len - 1);
    buf_append(&covered, head);
    buf_append(&covered, STR("."));
    buf_append(&covered, STR("first-party"));
    mac = crypto_hmac(keyring_key(account_keyring, STR("k1"), KEYRING_REFRESH), buf_str(&covered));
    assert_int_equal(codec_base64url_decode_exact(tag, bytes, 16), OK);
    assert_memory_equal(bytes, mac.bytes, 16);
}

/* Neither the keys nor the database can make a token: the row has the digest of its secret. */
static void the_row_has_a_digest_alone(void **state)
{
    struct session_grant grant = open_one();
    struct str rest = grant.refresh_token;
    struct str secret = STR_EMPTY;
    struct buf hex = buf_in(&auth_arena, 65);
    uint8_t bytes[32];
    struct crypto_digest digest;
    char text[65] = {0};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        secret = str_cut(&rest, '.');
    }
    assert_int_equal(codec_base64url_decode_exact(secret, bytes, 32), OK);
    digest = crypto_sha256((struct str){(const char *)bytes, 32});
    codec_hex(&hex, (struct str){(const char *)digest.bytes, 32});
    memcpy(text, hex.ptr, 64);
    assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE token_hash = '\\x%s'"
                                    " AND generation = 0 AND kid = 'k1' AND prev_hash IS NULL"
                                    " AND rotated_at IS NULL AND revoked_at IS NULL",
                                    text),
                     1);
}

static void the_row_says_who_and_from_where(void **state)
{
    (void)state;
    (void)open_one();
    assert_int_equal(
        database_number("SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id"
                        " WHERE s.client_id = 'first-party' AND s.auth_ver = 1"
                        " AND s.amr = ARRAY['pwd'] AND s.ip = '192.0.2.7'"
                        " AND s.user_agent = 'test/1'"
                        " AND s.auth_time = s.created_at"
                        " AND s.idle_expires_at - s.created_at = interval '3600 s'"
                        " AND s.absolute_expires_at - s.created_at = interval '86400 s'"
                        " AND abs(extract(epoch FROM clock_timestamp() - s.created_at)) < 60"),
        1);
}

static void what_is_not_known_is_null(void **state)
{
    struct session_request in = request();
    struct session_grant grant;
    bool has_events;

    (void)state;
    in.ip = STR_EMPTY;
    in.user_agent = STR_EMPTY;
    database_must(try_open(&in, &grant, &has_events));
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE ip IS NULL"
                                     " AND user_agent IS NULL"),
                     1);
}

static void no_two_sessions_are_alike(void **state)
{
    char first[256];
    struct session_grant grant = open_one();
    size_t len = grant.refresh_token.len;

    (void)state;
    memcpy(first, grant.refresh_token.ptr, len);
    grant = open_one();
    assert_false(str_equal(grant.refresh_token, (struct str){first, len}));
    assert_int_equal(database_number("SELECT count(DISTINCT token_hash) FROM sessions"), 2);
}

/* The change of a credential that came between the check of the password and the session. */
static void nothing_is_opened_for_another_auth_ver(void **state)
{
    struct session_request in = request();
    struct session_grant grant;
    bool has_events;

    (void)state;
    in.auth_ver = 2;
    assert_int_equal(try_open(&in, &grant, &has_events), ERR_NO_MATCH);
    database_do("UPDATE users SET auth_ver = 2, status = 'disabled'");
    assert_int_equal(try_open(&in, &grant, &has_events), ERR_NO_MATCH);
    database_do("UPDATE users SET status = 'active'");
    assert_int_equal(try_open(&in, &grant, &has_events), OK);
    in.user_id.bytes[0] ^= 1;
    assert_int_equal(try_open(&in, &grant, &has_events), ERR_NO_MATCH);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 1); /* of the one */
}

static void a_session_is_told_of_if_that_is_wanted(void **state)
{
    struct session_request in = request();
    struct session_grant grant;
    bool has_events = false;

    (void)state;
    account_sessions.published = 0;
    database_must(try_open(&in, &grant, &has_events));
    assert_false(has_events);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    account_sessions.published = EVENT_BIT(EVENT_SESSION_CREATED);
    database_must(try_open(&in, &grant, &has_events));
    assert_true(has_events);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'session.created'"
                                     " AND is_ordered AND subject ="
                                     " '5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e'"),
                     1);
}

static enum error logout(const struct token_claims *claims, bool *has_events)
{
    struct work work = account_work();
    enum error error = session_logout(&account_sessions, &work, claims);

    *has_events = work.has_events;
    return error;
}

/* Texts of the claims are in the arena, which the next work takes. */
static struct token_claims kept_claims(const struct session_grant *grant)
{
    struct token_claims claims = claims_of(grant);

    claims.sub = user_text;
    claims.client_id = STR("first-party");
    return claims;
}

static void logout_ends_it_and_tells_once(void **state)
{
    struct session_grant grant = open_one();
    struct token_claims claims = kept_claims(&grant);
    struct user_session session = {.session_id = grant.session_id, .auth_ver = 1};
    struct user_profile profile;
    bool has_events = false;

    (void)state;
    database_must(user_store_profile(database(), auth_fresh_arena(), &session, &profile));
    database_must(logout(&claims, &has_events));
    assert_true(has_events);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"),
                     1);
    assert_int_equal(user_store_profile(database(), auth_fresh_arena(), &session, &profile),
                     ERR_UNAUTHENTICATED);
    database_must(logout(&claims, &has_events)); /* 204 for one that has ended, too */
    assert_false(has_events);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'session.revoked'"),
                     1);
}

static void logout_ends_that_session_alone(void **state)
{
    struct session_grant other = open_one();
    struct session_grant grant = open_one();
    struct token_claims claims = kept_claims(&grant);
    char sid[UUID_TEXT_BYTES + 1];
    bool has_events;

    (void)state;
    database_must(logout(&claims, &has_events));
    assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE id = '%s'"
                                    " AND revoked_at IS NULL",
                                    account_uuid(sid, other.session_id)),
                     1);
}

static void a_session_that_is_gone_can_be_logged_out(void **state)
{
    struct session_grant grant = open_one();
    struct token_claims claims = kept_claims(&grant);
    bool has_events = true;

    (void)state;
    database_do("DELETE FROM sessions");
    database_must(logout(&claims, &has_events));
    assert_false(has_events);
}

static void logout_without_events_tells_nobody(void **state)
{
    struct session_grant grant = open_one();
    struct token_claims claims = kept_claims(&grant);
    bool has_events;

    (void)state;
    account_sessions.published = 0;
    database_do("DELETE FROM outbox");
    database_must(logout(&claims, &has_events));
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 0);
}

/* What /v1/me asks: it counts only while all of it is true. */
static void a_session_counts_while_all_is_well(void **state)
{
    static const char *const ends[][2] = {
        {"UPDATE sessions SET revoked_at = clock_timestamp()",
         "UPDATE sessions SET revoked_at = NULL"},
        {"UPDATE sessions SET idle_expires_at = clock_timestamp() - interval '1 s'",
         "UPDATE sessions SET idle_expires_at = clock_timestamp() + interval '1 h'"},
        {"UPDATE sessions SET absolute_expires_at = clock_timestamp() - interval '1 s'",
         "UPDATE sessions SET absolute_expires_at = clock_timestamp() + interval '1 h'"},
        {"UPDATE users SET status = 'disabled'", "UPDATE users SET status = 'active'"},
        {"UPDATE users SET auth_ver = 2", "UPDATE users SET auth_ver = 1"},
        {"UPDATE sessions SET auth_ver = 2", "UPDATE sessions SET auth_ver = 1"},
    };
    struct session_grant grant = open_one();
    struct user_session session = {.session_id = grant.session_id, .auth_ver = 1};
    struct user_session other = {.session_id = grant.session_id, .auth_ver = 2};
    const struct user_patch patch = {.has_name = true, .name = STR("Eve")};
    struct user_profile profile;

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        database_must(user_store_profile(database(), auth_fresh_arena(), &session, &profile));
        database_do(ends[i][0]);
        assert_int_equal(user_store_profile(database(), auth_fresh_arena(), &session, &profile),
                         ERR_UNAUTHENTICATED);
        assert_int_equal(
            user_store_patch(database(), auth_fresh_arena(), &session, &patch, &profile),
            ERR_UNAUTHENTICATED);
        database_do(ends[i][1]);
    }
    assert_int_equal(user_store_profile(database(), auth_fresh_arena(), &other, &profile),
                     ERR_UNAUTHENTICATED);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE name = 'Eve'"), 0);
}

static void a_full_arena_opens_nothing(void **state)
{
    static unsigned char memory[32768];
    struct session_request in = request();
    bool fitted = false;

    (void)state;
    for (size_t bytes = 64; bytes < sizeof(memory) && !fitted; bytes += 333) {
        struct session_grant grant;
        struct arena arena;
        struct work work = {.pg = database(), .arena = &arena};
        struct pg_tx tx;
        enum error error;

        arena_init(&arena, memory, bytes);
        pg_tx_begin(&tx, work.pg);
        error = session_open(&account_sessions, &work, &tx, &in, &grant);
        assert_true(error == OK || error == ERR_NO_SPACE);
        if (error == OK) {
            fitted = true;
            database_must(pg_tx_commit(&tx));
        }
    }
    assert_true(fitted);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE length(token_hash) = 32"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data::json IS NOT NULL"
                                     " AND length(data) > 20"),
                     1);
}

/* However often somebody logs in, what ends all sessions of a user has no more than so many to end. */
static void the_oldest_of_too_many_ends(void **state)
{
    struct session_grant newest = {0};

    (void)state;
    account_do("TRUNCATE revocations");
    for (int i = 0; i < SESSION_STORE_LIVE_MAX + 3; i++) {
        newest = open_one();
    }
    assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
                     SESSION_STORE_LIVE_MAX);
    assert_int_equal(account_number("SELECT count(*) FROM revocations r JOIN sessions s"
                                    " ON s.id = r.session_id WHERE s.revoked_at IS NOT NULL"),
                     3);
    assert_int_equal(claims_of(&newest).auth_ver, 1);
    assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"
                                    " AND id = (SELECT max(id::text)::uuid FROM sessions)"),
                     1);
}

static int set_up(void **state)
{
    (void)state;
    account_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    account_stop();
    return 0;
}

static int one_user(void **state)
{
    (void)state;
    account_reset();
    database_do("INSERT INTO users (id, email, email_canonical, password_hash)"
                " VALUES ('5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e', 'a@example.com',"
                " 'a@example.com', 'x')");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_access_token_names_the_session, one_user),
        cmocka_unit_test_setup(what_ends_first_is_told, one_user),
        cmocka_unit_test_setup(the_refresh_token_is_of_its_form, one_user),
        cmocka_unit_test_setup(the_row_has_a_digest_alone, one_user),
        cmocka_unit_test_setup(the_row_says_who_and_from_where, one_user),
        cmocka_unit_test_setup(what_is_not_known_is_null, one_user),
        cmocka_unit_test_setup(no_two_sessions_are_alike, one_user),
        cmocka_unit_test_setup(nothing_is_opened_for_another_auth_ver, one_user),
        cmocka_unit_test_setup(a_session_is_told_of_if_that_is_wanted, one_user),
        cmocka_unit_test_setup(logout_ends_it_and_tells_once, one_user),
        cmocka_unit_test_setup(logout_ends_that_session_alone, one_user),
        cmocka_unit_test_setup(a_session_that_is_gone_can_be_logged_out, one_user),
        cmocka_unit_test_setup(logout_without_events_tells_nobody, one_user),
        cmocka_unit_test_setup(a_session_counts_while_all_is_well, one_user),
        cmocka_unit_test_setup(a_full_arena_opens_nothing, one_user),
        cmocka_unit_test_setup(the_oldest_of_too_many_ends, one_user),
    };

    return cmocka_run_group_tests_name("session", tests, set_up, tear_down);
}
