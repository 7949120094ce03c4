/* SPDX-License-Identifier: Apache-2.0 */
#include "support/accounts.h"

#include <pthread.h>

#include "onetime.h"

static const struct str good_password = STR("correct horse battery staple");
static const struct str other_password = STR("another password of mine");

static const struct account_origin origin = {
    .client_id = {"first-party", 11},
    .ip = {"192.0.2.7", 9},
    .user_agent = {"test/1", 6},
};

/* In static memory, since each work takes the arena anew. */
static struct email address(const char *text)
{
    static unsigned char memory[2][2048];
    static struct arena arenas[2];
    static size_t at;
    struct arena *arena = &arenas[at % 2];
    struct email email;
    const char *why = "";

    arena_init(arena, memory[at++ % 2], sizeof(memory[0]));
    if (email_parse(arena, str_from(text), &email, &why) != OK) {
        fail_msg("%s: %s", text, why);
    }
    return email;
}

static enum error try_register(const char *email, struct str password, struct work *work)
{
    const struct account_registration in = {
        .email = address(email),
        .password = password,
        .name = STR("Ada"),
        .locale = STR("de-AT"),
    };

    return account_register(&account_service, work, &in);
}

/* The id of the newest attempt. */
static struct uuid newest_attempt(void)
{
    static const struct pg_statement newest = {
        .sql = "SELECT id FROM registrations ORDER BY id DESC LIMIT 1"};
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &newest, &args, &rows));
    assert_int_equal(rows.count, 1);
    return pg_uuid(&rows, 0, 0);
}

static struct uuid start_registration(const char *email, struct str password)
{
    struct work work = account_work();

    database_must(try_register(email, password, &work));
    return newest_attempt();
}

/* The token of the mail, in static memory. */
static struct str token_of(enum onetime_purpose purpose, struct uuid id)
{
    static char text[ONETIME_TOKEN_BYTES_MAX];
    struct buf out = buf_over(text, sizeof(text));

    assert_int_equal(onetime_token(account_keyring, STR("k1"), purpose, id, &out), OK);
    return buf_str(&out);
}

static enum error try_confirm(struct str token, struct str password, struct session_grant *out)
{
    const struct account_confirmation in = {token, password, origin};
    struct work work = account_work();

    return account_confirm(&account_service, &work, &in, out);
}

static enum error confirm(struct str token, struct str password)
{
    struct session_grant grant;

    return try_confirm(token, password, &grant);
}

static enum error try_login(const char *email, struct str password, struct session_grant *out)
{
    const struct account_login in = {address(email), password, origin};
    struct work work = account_work();

    return account_login(&account_service, &work, &in, out);
}

static enum error login(const char *email, struct str password)
{
    struct session_grant grant;

    return try_login(email, password, &grant);
}

/* An account of its own, by the front door. */
static void make_account(const char *email, struct str password)
{
    struct uuid id = start_registration(email, password);

    database_must(confirm(token_of(ONETIME_REGISTRATION, id), password));
}

static void a_registration_is_an_attempt_and_a_mail(void **state)
{
    struct work work = account_work();

    (void)state;
    database_must(try_register("Ada@Example.com", good_password, &work));
    assert_true(work.has_events);
    assert_int_equal(
        database_number("SELECT count(*) FROM registrations r JOIN mail_requests m"
                        " ON m.registration_id = r.id AND m.kind = 'registration'"
                        " WHERE r.email = 'Ada@Example.com' AND r.email_canonical ="
                        " 'ada@example.com' AND m.email = r.email AND m.email_canonical ="
                        " r.email_canonical AND m.locale = 'de-AT' AND r.name = 'Ada'"
                        " AND r.locale = 'de-AT' AND r.pepper_kid = 'k1'"
                        " AND r.password_hash LIKE '$argon2id$%'"
                        " AND r.expires_at BETWEEN clock_timestamp() + interval '3590 s'"
                        " AND clock_timestamp() + interval '3601 s'"),
        1);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
}

/* The same statements, whoever is asked about: what differs is the mailroom's affair. */
static void a_known_address_registers_alike(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    database_do("TRUNCATE registrations, mail_requests, outbox");
    (void)start_registration("ada@example.com", other_password);
    (void)start_registration("eve@example.com", other_password);
    assert_int_equal(database_number("SELECT count(*) FROM registrations"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(login("ada@example.com", good_password), OK); /* nothing has changed */
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
}

static void a_resend_is_one_row_alike(void **state)
{
    static const char *const emails[] = {"ada@example.com", "nobody@example.com"};

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("TRUNCATE mail_requests, outbox");
    for (size_t i = 0; i < 2; i++) {
        struct email email = address(emails[i]);
        struct work work = account_work();

        database_must(account_resend(&account_service, &work, &email));
        assert_true(work.has_events);
    }
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests WHERE kind ="
                                     " 'verification' AND registration_id IS NULL"
                                     " AND locale IS NULL"),
                     2);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
}

static void a_confirmation_makes_the_account(void **state)
{
    struct uuid id = start_registration("Ada@Example.com", good_password);
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    assert_int_equal(account_number("SELECT count(*) FROM users"), 0);
    database_must(try_confirm(token_of(ONETIME_REGISTRATION, id), good_password, &grant));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_true(uuid_equal(claims.sid, grant.session_id));
    assert_int_equal(
        database_number("SELECT count(*) FROM users u JOIN sessions s ON s.user_id = u.id"
                        " WHERE u.email = 'Ada@Example.com' AND u.email_canonical ="
                        " 'ada@example.com' AND u.email_verified_at IS NOT NULL"
                        " AND u.name = 'Ada' AND u.locale = 'de-AT' AND u.roles = '{}'"
                        " AND u.status = 'active' AND u.auth_ver = 1 AND u.subject IS NULL"
                        " AND s.auth_ver = 1 AND s.ip = '192.0.2.7' AND s.user_agent = 'test/1'"),
        1);
    assert_int_equal(database_number("SELECT count(*) FROM registrations"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox o JOIN users u"
                                     " ON o.subject = u.id::text WHERE o.type ="
                                     " 'user.registered' AND o.data::json->>'email' = u.email"
                                     " AND o.data::json->>'email_verified' = 'true'"),
                     1);
    assert_int_equal(login("ada@example.com", good_password), OK);
}

/* The id that the mail spoke of is the one that the account gets. */
static void the_account_has_the_id_of_the_attempt(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);
    int64_t same;

    (void)state;
    database_do("CREATE TABLE kept AS SELECT user_id FROM registrations");
    database_must(confirm(token_of(ONETIME_REGISTRATION, id), good_password));
    same = database_number("SELECT count(*) FROM users u JOIN kept k ON k.user_id = u.id");
    database_do("DROP TABLE kept");
    assert_int_equal(same, 1);
}

static void a_wrong_password_leaves_the_token_usable(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);
    struct str token = token_of(ONETIME_REGISTRATION, id);

    (void)state;
    assert_int_equal(confirm(token, other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
    assert_int_equal(confirm(token, good_password), OK);
}

static void a_token_is_used_once(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);
    struct str token = token_of(ONETIME_REGISTRATION, id);

    (void)state;
    assert_int_equal(confirm(token, good_password), OK);
    assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
    assert_int_equal(confirm(token, other_password), ERR_INVALID_TOKEN);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.registered'"),
                     1);
}

static void an_attempt_expires(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);

    (void)state;
    database_do("UPDATE registrations SET expires_at = clock_timestamp() - interval '1 s'");
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), good_password), ERR_INVALID_TOKEN);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
}

static void what_is_no_token_confirms_nothing(void **state)
{
    static const struct str bad[] = {STR(""), STR("x"), STR("ot1.k1.registration.x.y"),
                                     STR("ot1.k9.registration.01890a5d-ac96-774b-bcce-b302099a8057."
                                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")};
    struct uuid id = start_registration("ada@example.com", good_password);
    struct uuid unknown = id;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(confirm(bad[i], good_password), ERR_INVALID_TOKEN);
    }
    unknown.bytes[15] ^= 1;
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, unknown), good_password),
                     ERR_INVALID_TOKEN);
    /* a genuine token of another purpose with the same id: its row is in another table */
    assert_int_equal(confirm(token_of(ONETIME_VERIFICATION, id), good_password), ERR_INVALID_TOKEN);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
}

/* An attacker registers the victim's address first; the victim's click and password make the
 * victim's account, and the attacker's password is worth nothing. */
static void each_attempt_has_its_own_password(void **state)
{
    struct uuid attacker = start_registration("ada@example.com", other_password);
    struct uuid victim = start_registration("ada@example.com", good_password);

    (void)state;
    /* the victim clicks the attacker's mail and gives the password that they chose */
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, attacker), good_password),
                     ERR_INVALID_CREDENTIALS);
    /* the attacker has their password but no mail: they would need this token */
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, victim), other_password),
                     ERR_INVALID_CREDENTIALS);
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, victim), good_password), OK);
    assert_int_equal(login("ada@example.com", good_password), OK);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    /* the attempt that is left makes no second account and changes nothing of the first */
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, attacker), other_password),
                     ERR_INVALID_TOKEN);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.registered'"),
                     1);
}

/* What a racing worker has for itself. */
struct racer {
    pthread_t thread;
    struct pg *pg;
    struct password_hasher *hasher;
    unsigned char memory[65536];
    const struct str *token;
    struct str password;
    pthread_barrier_t *start;
    enum error error;
};

static void *race(void *context)
{
    struct racer *self = context;
    struct arena arena;
    struct work work = {.pg = self->pg, .hasher = self->hasher, .arena = &arena};
    struct account_confirmation in = {*self->token, self->password, origin};
    struct session_grant grant;

    arena_init(&arena, self->memory, sizeof(self->memory));
    (void)pthread_barrier_wait(self->start);
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    self->error = account_confirm(&account_service, &work, &in, &grant);
    return NULL;
}

enum { RACERS = 4 };

static void run_race(struct racer *racers)
{
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        pg_deadline(racers[i].pg, clock_mono_ms() + POSTGRES_CALL_MS);
        assert_int_equal(pg_ready(racers[i].pg), OK);
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static size_t count_of(const struct racer *racers, enum error error)
{
    size_t count = 0;

    for (size_t i = 0; i < RACERS; i++) {
        count += racers[i].error == error ? 1 : 0;
    }
    return count;
}

static void make_racers(struct racer *racers)
{
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){
            .pg = pg_new(&test_options),
            .hasher = password_hasher_new(auth_cheap()),
            .password = good_password,
        };
    }
}

static void free_racers(struct racer *racers)
{
    for (size_t i = 0; i < RACERS; i++) {
        pg_free(racers[i].pg);
        password_hasher_free(racers[i].hasher);
    }
}

static void a_confirmation_that_races_itself_happens_once(void **state)
{
    static struct racer racers[RACERS];
    struct str token;

    (void)state;
    make_racers(racers);
    for (unsigned round = 0; round < 20; round++) {
        account_reset();
        token =
            token_of(ONETIME_REGISTRATION, start_registration("ada@example.com", good_password));
        for (size_t i = 0; i < RACERS; i++) {
            racers[i].token = &token;
        }
        run_race(racers);
        assert_int_equal(count_of(racers, OK), 1);
        assert_int_equal(count_of(racers, ERR_INVALID_TOKEN), RACERS - 1);
        assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                         " 'user.registered'"),
                         1);
    }
    free_racers(racers);
}

/* Different attempts of one address at once: one account, and the others are told as ever. */
static void attempts_that_race_make_one_account(void **state)
{
    static struct racer racers[RACERS];
    static char texts[RACERS][ONETIME_TOKEN_BYTES_MAX];
    struct str tokens[RACERS];

    (void)state;
    make_racers(racers);
    for (unsigned round = 0; round < 20; round++) {
        account_reset();
        for (size_t i = 0; i < RACERS; i++) {
            tokens[i] = token_of(ONETIME_REGISTRATION,
                                 start_registration("ada@example.com", good_password));
            memcpy(texts[i], tokens[i].ptr, tokens[i].len);
            tokens[i].ptr = texts[i];
            racers[i].token = &tokens[i];
        }
        run_race(racers);
        assert_int_equal(count_of(racers, OK), 1);
        assert_int_equal(count_of(racers, ERR_INVALID_TOKEN), RACERS - 1);
        assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
        assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                         " 'user.registered'"),
                         1);
    }
    free_racers(racers);
}

static void a_login_opens_a_session(void **state)
{
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET roles = '{admin,support}', auth_ver = 5");
    database_must(try_login("ADA@example.com", good_password, &grant));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_int_equal(claims.auth_ver, 5);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE auth_ver = 5"), 1);
}

/* One answer for all of them; the disabled one gets it after the right password, too. */
static void who_may_not_log_in_is_told_one_thing(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    (void)start_registration("pending@example.com", good_password);
    assert_int_equal(login("nobody@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("pending@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", STR("")), ERR_INVALID_CREDENTIALS);
    database_do("UPDATE users SET status = 'disabled'");
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    database_do("UPDATE users SET email_verified_at = NULL");
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1); /* the confirmation's */
}

static void an_unverified_account_is_told_after_the_right_password(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET email_verified_at = NULL");
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", good_password), ERR_EMAIL_UNVERIFIED);
    account_service.verification_required = false;
    assert_int_equal(login("ada@example.com", good_password), OK);
}

static void *change_credentials(void *context)
{
    return pg_execute(context, "SELECT change_credentials()") == OK ? NULL : context;
}

/* The password is changed between the look-up and the session. The change holds the user's row until
 * the login has to wait for it, which it does with its last statement. */
static void a_login_that_meets_a_change_of_credentials_fails(void **state)
{
    struct pg *pg = pg_new(&test_options);
    void *failed = NULL;
    pthread_t change;

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("DELETE FROM sessions");
    database_do("CREATE OR REPLACE FUNCTION change_credentials() RETURNS void LANGUAGE plpgsql AS"
                " $$ BEGIN"
                " UPDATE users SET auth_ver = auth_ver + 1;"
                " FOR i IN 1 .. 800 LOOP"
                "  EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
                "  PERFORM pg_sleep(0.01);"
                " END LOOP; END $$");
    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_ready(pg), OK);
    assert_int_equal(pthread_create(&change, NULL, change_credentials, pg), 0);
    database_await("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1);
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(pthread_join(change, &failed), 0);
    assert_null(failed);
    pg_free(pg);
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 0);
}

static enum error try_create(const char *email, struct user_profile *out)
{
    const struct account_registration in = {
        .email = address(email),
        .password = good_password,
        .name = STR_EMPTY,
        .locale = STR_EMPTY,
    };
    struct work work = account_work();

    return account_create(&account_service, &work, &in, out);
}

static void where_verification_is_optional_the_account_is_there_at_once(void **state)
{
    struct user_profile profile;

    (void)state;
    account_service.verification_required = false;
    database_must(try_create("Ada@Example.com", &profile));
    assert_str_equal(profile.email, STR("Ada@Example.com"));
    assert_false(profile.email_verified);
    assert_int_equal(profile.sub.len, UUID_TEXT_BYTES);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.registered'"
                                     " AND data::json->>'email_verified' = 'false'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests WHERE kind ="
                                     " 'verification'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at IS NULL"
                                     " AND name IS NULL AND locale IS NULL"),
                     1);
    assert_int_equal(login("ada@example.com", good_password), OK);
    account_service.verification_required = true;
    assert_int_equal(login("ada@example.com", good_password), ERR_EMAIL_UNVERIFIED);
}

/* In whatever form the address is written; and nothing of the second attempt stays. */
static void an_address_has_one_account(void **state)
{
    struct user_profile profile = {.sub = STR("untouched")};

    (void)state;
    database_must(try_create("ada@m\xc3\xbcnchen.de", &profile));
    profile.sub = STR("untouched");
    assert_int_equal(try_create("Ada@xn--mnchen-3ya.de", &profile), ERR_EMAIL_TAKEN);
    assert_int_equal(try_create("ADA@M\xc3\x9cNCHEN.DE", &profile), ERR_EMAIL_TAKEN);
    assert_str_equal(profile.sub, STR("untouched"));
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests"), 1);
}

/* The row that the mailroom makes for a verification mail. */
static struct uuid mailed_token(void)
{
    static const struct str id_text = STR("0197c3e8-0000-7000-8000-000000000001");
    struct uuid id;

    assert_int_equal(codec_uuid_parse(id_text, &id), OK);
    database_do("INSERT INTO one_time_tokens (id, user_id, purpose, auth_ver, expires_at)"
                " SELECT '0197c3e8-0000-7000-8000-000000000001', id, 'verification', auth_ver,"
                " clock_timestamp() + interval '1 h' FROM users");
    return id;
}

static void an_existing_account_is_verified(void **state)
{
    struct user_profile profile;
    struct str token;

    (void)state;
    database_must(try_create("ada@example.com", &profile));
    token = token_of(ONETIME_VERIFICATION, mailed_token());
    assert_int_equal(confirm(token, other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at IS NULL"),
                     1);
    assert_int_equal(confirm(token, good_password), OK);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at IS NOT"
                                     " NULL"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.verified'"
                                     " AND data::json->>'email' = 'ada@example.com'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
    assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
    assert_int_equal(login("ada@example.com", good_password), OK);
}

/* Each of these, done between mail and click, leaves the token without effect. */
static void what_outlives_a_verification_token(void **state)
{
    static const char *const changes[] = {
        "UPDATE users SET auth_ver = auth_ver + 1",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET email_verified_at = clock_timestamp()",
        "UPDATE one_time_tokens SET expires_at = clock_timestamp() - interval '1 s'",
        "UPDATE one_time_tokens SET purpose = 'password-reset'",
        "DELETE FROM one_time_tokens",
        "DELETE FROM users",
    };
    struct user_profile profile;

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct str token;

        account_reset();
        database_must(try_create("ada@example.com", &profile));
        token = token_of(ONETIME_VERIFICATION, mailed_token());
        database_do(changes[i]);
        assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
        assert_int_equal(database_number("SELECT count(*) FROM sessions"), 0);
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                         " 'user.verified'"),
                         0);
    }
}

/* A purpose is part of the MAC and of the row: neither opens the other's door. */
static void a_verification_id_is_no_registration(void **state)
{
    struct user_profile profile;
    struct uuid id;

    (void)state;
    database_must(try_create("ada@example.com", &profile));
    id = mailed_token();
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), good_password), ERR_INVALID_TOKEN);
}

static void events_that_nobody_wants_are_not_written(void **state)
{
    (void)state;
    account_service.published = 0;
    account_sessions.published = 0;
    make_account("ada@example.com", good_password);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests"), 1); /* no choice */
}

static enum error try_patch(const struct user_session *session, const struct user_patch *patch,
                            struct user_profile *out)
{
    return user_store_patch(database(), auth_fresh_arena(), session, patch, out);
}

static void a_profile_is_read_and_patched(void **state)
{
    struct session_grant grant;
    struct user_session session = {.auth_ver = 1};
    const struct user_patch rename = {.has_name = true, .name = STR("Ada Lovelace")};
    const struct user_patch remove = {.has_name = true, .has_locale = true};
    const struct user_patch nothing = {0};
    struct user_profile profile;

    (void)state;
    make_account("Ada@example.com", good_password);
    database_must(try_login("ada@example.com", good_password, &grant));
    session.session_id = grant.session_id;
    database_must(user_store_profile(database(), auth_fresh_arena(), &session, &profile));
    assert_str_equal(profile.email, STR("Ada@example.com"));
    assert_true(profile.email_verified);
    assert_str_equal(profile.name, STR("Ada"));
    assert_in_range(profile.created_ms, clock_wall_ms() - 60000, clock_wall_ms() + 1000);
    database_must(try_patch(&session, &rename, &profile));
    assert_str_equal(profile.name, STR("Ada Lovelace"));
    assert_str_equal(profile.locale, STR("de-AT"));
    database_must(try_patch(&session, &nothing, &profile));
    assert_str_equal(profile.name, STR("Ada Lovelace"));
    database_must(try_patch(&session, &remove, &profile));
    assert_int_equal(profile.name.len, 0);
    assert_int_equal(profile.locale.len, 0);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE name IS NULL"
                                     " AND locale IS NULL AND auth_ver = 1"),
                     1);
}

/* `sub` of an imported user is kept wherever a token, an answer or an event names them. */
static void an_imported_subject_is_kept(void **state)
{
    struct session_grant grant;
    struct token_claims claims;
    struct user_profile profile;
    struct user_session session = {.auth_ver = 1};

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET subject = 'legacy|42'");
    database_must(try_login("ada@example.com", good_password, &grant));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_str_equal(claims.sub, STR("legacy|42"));
    session.session_id = grant.session_id;
    database_must(user_store_profile(database(), auth_fresh_arena(), &session, &profile));
    assert_str_equal(profile.sub, STR("legacy|42"));
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE subject = 'legacy|42'"
                                     " AND type = 'session.created'"),
                     1);
}

/* Texts of an attacker are data wherever they go. */
static void texts_are_data(void **state)
{
    struct account_registration in = {
        .email = address("o'brien!#$%&*+-/=?^_`{|}~@example.com"),
        .password = STR("'; DROP TABLE users; -- and more"),
        .name = STR("\"'\\{}$1%s\xf0\x9f\x94\x91"),
        .locale = STR("de"),
    };
    struct work work = account_work();

    (void)state;
    database_must(account_register(&account_service, &work, &in));
    database_must(confirm(token_of(ONETIME_REGISTRATION, newest_attempt()), in.password));
    assert_int_equal(database_number("SELECT count(*) FROM outbox o JOIN users u ON o.subject ="
                                     " u.id::text WHERE type = 'user.registered' AND u.name ="
                                     " data::json->>'name' AND u.email = data::json->>'email'"
                                     " AND u.name = E'\"''\\\\{}$1%s\\U0001F511'"),
                     1);
}

/* Whatever the arena has room for: all of a change or nothing of it. */
static void a_full_arena_changes_nothing(void **state)
{
    static unsigned char memory[65536];
    struct account_registration in = {
        .email = address("ada@example.com"),
        .password = good_password,
        .name = STR("Ada"),
        .locale = STR("de"),
    };
    bool fitted = false;

    (void)state;
    for (size_t bytes = 64; bytes < sizeof(memory) && !fitted; bytes += 97) {
        struct arena arena;
        struct work work = {.pg = database(), .hasher = account_hasher, .arena = &arena};
        struct user_profile profile;
        enum error error;

        arena_init(&arena, memory, bytes);
        error = account_create(&account_service, &work, &in, &profile);
        assert_true(error == OK || error == ERR_NO_SPACE);
        fitted = error == OK;
        assert_int_equal(work.has_events, fitted);
    }
    assert_true(fitted);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(login("ada@example.com", good_password), ERR_EMAIL_UNVERIFIED);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data::json->>'email' ="
                                     " 'ada@example.com'"),
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

static int afresh(void **state)
{
    (void)state;
    account_reset();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, afresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_registration_is_an_attempt_and_a_mail),
        TEST(a_known_address_registers_alike),
        TEST(a_resend_is_one_row_alike),
        TEST(a_confirmation_makes_the_account),
        TEST(the_account_has_the_id_of_the_attempt),
        TEST(a_wrong_password_leaves_the_token_usable),
        TEST(a_token_is_used_once),
        TEST(an_attempt_expires),
        TEST(what_is_no_token_confirms_nothing),
        TEST(each_attempt_has_its_own_password),
        TEST(a_confirmation_that_races_itself_happens_once),
        TEST(attempts_that_race_make_one_account),
        TEST(a_login_opens_a_session),
        TEST(who_may_not_log_in_is_told_one_thing),
        TEST(an_unverified_account_is_told_after_the_right_password),
        TEST(a_login_that_meets_a_change_of_credentials_fails),
        TEST(where_verification_is_optional_the_account_is_there_at_once),
        TEST(an_address_has_one_account),
        TEST(an_existing_account_is_verified),
        TEST(what_outlives_a_verification_token),
        TEST(a_verification_id_is_no_registration),
        TEST(events_that_nobody_wants_are_not_written),
        TEST(a_profile_is_read_and_patched),
        TEST(an_imported_subject_is_kept),
        TEST(texts_are_data),
        TEST(a_full_arena_changes_nothing),
    };

    return cmocka_run_group_tests_name("account", tests, set_up, tear_down);
}
