/* SPDX-License-Identifier: Apache-2.0 */
/* Registered clients: the registry's changes, the memory of them, and the answers of the table. */
#include "support/accounts.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client_registry.h"

static struct clients *memory;

static const struct audit_actor actor = {
    .actor = STR("cli:ada"), .request_id = STR("r-1"), .network = STR("192.0.2.7")};

/* Copies that outlive the work. */
struct made {
    struct uuid id;
    char id_text[UUID_TEXT_BYTES + 1];
    char secret[64];
};

static struct made keep(const struct client_credentials *credentials)
{
    struct made made = {.id = credentials->id};

    (void)account_uuid(made.id_text, credentials->id);
    assert_true(credentials->secret.len < sizeof(made.secret));
    memcpy(made.secret, credentials->secret.ptr, credentials->secret.len);
    return made;
}

static struct client_registration registration(void)
{
    return (struct client_registration){
        .name = STR("orders"),
        .audience = {.items = {STR("shop"), STR("orders")}, .count = 2},
        .scope = {.items = {STR("users:read")}, .count = 1},
    };
}

static struct made create_of(const struct client_registration *in, struct clients *clients)
{
    struct client_credentials credentials;
    struct work work = account_work();

    database_must(client_registry_create(clients, &work, &actor, in, &credentials));
    return keep(&credentials);
}

static struct made create(void)
{
    struct client_registration in = registration();

    return create_of(&in, memory);
}

static struct made create_public(void)
{
    struct client_registration in = {.name = STR("app"), .is_public = true};

    return create_of(&in, memory);
}

static struct made rotate(const struct made *client)
{
    struct client_credentials credentials;
    struct work work = account_work();

    database_must(client_registry_rotate(memory, &work, &actor, client->id, &credentials));
    return keep(&credentials);
}

static void disable(const struct made *client)
{
    struct work work = account_work();

    database_must(client_registry_disable(memory, &work, &actor, client->id));
}

/* Of memory and of the table, which must agree. */
static enum error authenticate(const char *id, const char *secret, struct client *out)
{
    struct work work = account_work();
    struct client asked = {.is_public = true};
    enum error by_table =
        clients_ask_secret(work.pg, work.arena, str_from(id), str_from(secret), &asked);
    enum error by_memory =
        clients_authenticate(memory, work.arena, str_from(id), str_from(secret), out);

    assert_int_equal(by_table, by_memory);
    if (by_table == OK) {
        assert_str_equal(asked.id, out->id);
        assert_str_equal(asked.scope, out->scope);
    }
    return by_memory;
}

static bool knows(const struct made *client, const char *secret)
{
    struct client out;

    return authenticate(client->id_text, secret, &out) == OK;
}

static void a_client_has_what_it_was_registered_with(void **state)
{
    struct made made = create();
    struct client client;

    (void)state;
    assert_int_equal(authenticate(made.id_text, made.secret, &client), OK);
    assert_str_equal(client.id, str_from(made.id_text));
    assert_str_equal(client.name, STR("orders"));
    assert_str_equal(client.audience, STR("shop orders"));
    assert_str_equal(client.scope, STR("users:read"));
    assert_false(client.is_public);
    assert_int_equal(made.id.bytes[6] >> 4, 7); /* UUIDv7 */
}

/* uscs_ and 256 bits, so that scanners find it; the table has its digest alone. */
static void the_secret_is_of_its_form(void **state)
{
    struct made made = create();
    struct made other = create();
    uint8_t bytes[32];

    (void)state;
    assert_true(str_starts(str_from(made.secret), STR("uscs_")));
    assert_int_equal(strlen(made.secret), 5 + 43);
    assert_int_equal(codec_base64url_decode_exact(str_from(made.secret + 5), bytes, 32), OK);
    assert_string_not_equal(made.secret, other.secret);
    assert_int_equal(account_number("SELECT count(*) FROM clients WHERE id = '%s'"
                                    " AND secret_hash = sha256('%s') AND prev_secret_hash IS NULL",
                                    made.id_text, made.secret),
                     1);
    assert_int_equal(account_number("SELECT count(*) FROM audit WHERE audit::text LIKE '%%uscs%%'"),
                     0);
}

static void wrong_credentials_are_one_error(void **state)
{
    struct made made = create();
    struct made app = create_public();
    char cut[64];
    struct client client;

    (void)state;
    (void)snprintf(cut, sizeof(cut), "%.*s", (int)strlen(made.secret) - 1, made.secret);
    assert_int_equal(authenticate(made.id_text, "uscs_x", &client), ERR_INVALID_CLIENT);
    assert_int_equal(authenticate(made.id_text, cut, &client), ERR_INVALID_CLIENT);
    assert_int_equal(authenticate(made.id_text, "", &client), ERR_INVALID_CLIENT);
    assert_int_equal(authenticate("01890a5d-ac96-774b-bcce-b302099a8057", made.secret, &client),
                     ERR_INVALID_CLIENT);
    assert_int_equal(authenticate("first-party", "", &client), ERR_INVALID_CLIENT);
    assert_int_equal(authenticate("", "", &client), ERR_INVALID_CLIENT);
    assert_int_equal(authenticate(app.id_text, "", &client), ERR_INVALID_CLIENT);
    for (char *c = made.id_text; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    assert_int_equal(authenticate(made.id_text, made.secret, &client), ERR_INVALID_CLIENT);
}

/* Two secrets live; the third kills the first. */
static void two_secrets_count(void **state)
{
    struct made first = create();
    struct made second = rotate(&first);

    (void)state;
    assert_true(knows(&first, first.secret) && knows(&first, second.secret));
    struct made third = rotate(&first);
    assert_false(knows(&first, first.secret));
    assert_true(knows(&first, second.secret) && knows(&first, third.secret));
    assert_int_equal(database_number("SELECT count(*) FROM clients WHERE rotated_at IS NOT NULL"),
                     1);
}

static void a_disabled_client_is_none(void **state)
{
    struct made made = create();
    struct made app = create_public();
    struct work work;
    struct client client;

    (void)state;
    assert_true(clients_is_active(memory, str_from(made.id_text)));
    assert_true(clients_is_active(memory, str_from(app.id_text)));
    disable(&made);
    disable(&app);
    disable(&app); /* once more is fine */
    assert_false(knows(&made, made.secret));
    assert_false(clients_is_active(memory, str_from(made.id_text)));
    assert_true(clients_is_disabled(memory, str_from(made.id_text)));
    assert_false(clients_is_active(memory, str_from(app.id_text)));
    work = account_work();
    assert_int_equal(clients_find(memory, work.arena, str_from(app.id_text), &client),
                     ERR_NOT_FOUND);
    assert_int_equal(clients_ask(work.pg, work.arena, str_from(app.id_text), &client),
                     ERR_NOT_FOUND);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE type = 'client.disabled'"),
                     2);
}

static void kinds_are_told_apart(void **state)
{
    struct made app = create_public();
    struct work work = account_work();
    struct client client;

    (void)state;
    assert_string_equal(app.secret, "");
    assert_true(clients_is_active(memory, str_from(app.id_text)));
    assert_true(clients_is_active(memory, STR("first-party")));
    assert_false(clients_is_disabled(memory, STR("first-party")));
    assert_false(clients_is_disabled(memory, STR("01890a5d-ac96-774b-bcce-b302099a8057")));
    assert_int_equal(clients_find(memory, work.arena, STR("first-party"), &client), OK);
    assert_true(client.is_public);
    assert_int_equal(clients_ask(work.pg, work.arena, str_from(app.id_text), &client), OK);
    assert_true(client.is_public);
}

static void what_cannot_be_changed_is_said(void **state)
{
    struct made made = create();
    struct made app = create_public();
    struct work work = account_work();
    struct client_credentials out;
    struct uuid nobody = crypto_uuid4();

    (void)state;
    assert_int_equal(client_registry_rotate(NULL, &work, &actor, app.id, &out), ERR_CONFLICT);
    disable(&made);
    work = account_work();
    assert_int_equal(client_registry_rotate(NULL, &work, &actor, made.id, &out), ERR_CONFLICT);
    assert_int_equal(client_registry_rotate(NULL, &work, &actor, nobody, &out), ERR_NOT_FOUND);
    assert_int_equal(client_registry_disable(NULL, &work, &actor, nobody), ERR_NOT_FOUND);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE type = 'client.rotated'"),
                     0);
}

/* Every replica learns of it, and an auditor too: in the change's own transaction. */
static void each_change_is_announced(void **state)
{
    struct made made = create();

    (void)state;
    (void)rotate(&made);
    disable(&made);
    assert_int_equal(database_number("SELECT count(*) FROM revocations WHERE changed = 'clients'"
                                     " AND expires_at > clock_timestamp() + interval '5 minutes'"),
                     3);
    assert_int_equal(
        account_number("SELECT count(*) FROM audit WHERE subject = '%s' AND actor = 'cli:ada'"
                       " AND request_id = 'r-1' AND network = '192.0.2.7'",
                       made.id_text),
        3);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE type = 'client.created'"
                                     " AND detail::json->>'name' = 'orders'"
                                     " AND detail::json->'audience'->>1 = 'orders'"
                                     " AND NOT (detail::json->>'public')::boolean"),
                     1);
}

static void memory_is_read_anew_when_told(void **state)
{
    struct client_registration in = registration();
    struct made made = create_of(&in, NULL);
    struct work work = account_work();
    struct client client;

    (void)state;
    assert_int_equal(clients_authenticate(memory, work.arena, str_from(made.id_text),
                                          str_from(made.secret), &client),
                     ERR_INVALID_CLIENT);
    database_must(clients_load(memory, database()));
    assert_true(knows(&made, made.secret));
}

/* A read that fails leaves what was there. */
static void a_failed_read_changes_nothing(void **state)
{
    struct made made = create();
    struct work work = account_work();
    struct client client;

    (void)state;
    pg_deadline(test_pg, clock_mono_ms() - 1);
    assert_int_equal(clients_load(memory, test_pg), ERR_UNAVAILABLE);
    assert_int_equal(clients_authenticate(memory, work.arena, str_from(made.id_text),
                                          str_from(made.secret), &client),
                     OK);
}

static void many_are_found(void **state)
{
    char id[UUID_TEXT_BYTES + 1];

    (void)state;
    database_do("INSERT INTO clients (id, name, is_public)"
                " SELECT ('01890a5d-ac96-774b-bcce-' || lpad(to_hex(i * 7), 12, '0'))::uuid,"
                " 'c' || i, true FROM generate_series(0, 4095) i");
    database_must(clients_load(memory, database()));
    for (unsigned i = 0; i < 4096; i++) {
        (void)snprintf(id, sizeof(id), "01890a5d-ac96-774b-bcce-%012x", i * 7);
        (void)snprintf(id, sizeof(id), "01890a5d-ac96-774b-bcce-%012x", i * 7 + 3);
    }
    struct client_registration in = registration();
    struct client_credentials out;
    struct work work = account_work();
    assert_int_equal(client_registry_create(memory, &work, &actor, &in, &out), ERR_CONFLICT);
}

static void lists_go_page_by_page(void **state)
{
    struct client_row rows[3];
    struct keyset keyset = {.limit = 2};
    struct keyset_found found;
    struct work work;

    (void)state;
    database_do("INSERT INTO clients (id, name, is_public, disabled_at)"
                " SELECT ('01890a5d-ac96-774b-bcce-00000000000' || i)::uuid, i::text, true,"
                " CASE WHEN i = 3 THEN clock_timestamp() END FROM generate_series(0, 4) i");
    for (size_t page = 0; page < 3; page++) {
        work = account_work();
        database_must(client_store_list(work.pg, work.arena, &keyset, rows, &found));
        assert_int_equal(found.count, page < 2 ? 2 : 1);
        assert_int_equal(found.has_more, page < 2);
        for (size_t i = 0; i < found.count; i++) {
            char name = (char)('4' - (int)(2 * page + i));

            assert_str_equal(rows[i].name, ((struct str){&name, 1}));
            assert_int_equal(rows[i].disabled_ms != 0, name == '3');
        }
        keyset = (struct keyset){true, rows[found.count - 1].id, 2};
    }
}

static void assert_refused_at(const struct client_registration *in, struct str pointer)
{
    struct json_findings findings = {0};

    assert_int_equal(client_registry_check(in, &findings), ERR_VALIDATION);
    assert_int_equal(findings.count, 1);
    assert_str_equal(findings.items[0].pointer, pointer);
    assert_string_equal(findings.items[0].code, "invalid_value");
}

static void words_are_what_the_rfc_takes(void **state)
{
    static const struct str wrong[] = {STR(""),  STR("a b"),  STR("a\"b"),  STR("a\\b"), STR("a,b"),
                                       STR("é"), STR("a\tb"), STR("a\x7f"), STR("\x01"), STR(" a")};
    static const struct str right[] = {STR("a"), STR("!"), STR("#[]~"), STR("users:read"),
                                       STR("https://api.example.com/x?y")};
    struct client_registration in = registration();
    struct json_findings findings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        in = registration();
        in.scope.items[0] = wrong[i];
        assert_refused_at(&in, STR("/scope"));
        in = registration();
        in.audience.items[1] = wrong[i];
        assert_refused_at(&in, STR("/audience"));
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        in = registration();
        in.scope.items[0] = right[i];
        in.audience.items[0] = right[i];
        assert_int_equal(client_registry_check(&in, &findings), OK);
    }
}

static void lists_have_limits(void **state)
{
    static char word[65];
    static char names[17][8];
    struct client_registration in = registration();
    struct json_findings findings = {0};

    (void)state;
    memset(word, 'x', sizeof(word));
    in.scope.items[0] = (struct str){word, 64};
    assert_int_equal(client_registry_check(&in, &findings), OK);
    in.scope.items[0].len = 65;
    assert_refused_at(&in, STR("/scope"));
    in = registration();
    in.audience.count = 17;
    for (size_t i = 0; i < 17; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "a%zu", i);
        in.audience.items[i] = str_from(names[i]);
    }
    assert_refused_at(&in, STR("/audience"));
    in.audience.count = 16;
    assert_int_equal(client_registry_check(&in, &findings), OK);
    in.audience.items[3] = in.audience.items[9]; /* twice */
    assert_refused_at(&in, STR("/audience"));
    in = registration();
    in.scope.count = 6; /* 6 x 64 + 5 > 384 */
    for (size_t i = 0; i < 6; i++) {
        static char long_words[6][64];
        memset(long_words[i], 'a' + (int)i, 64);
        in.scope.items[i] = (struct str){long_words[i], 64};
    }
    assert_refused_at(&in, STR("/scope"));
}

static void a_public_client_has_neither(void **state)
{
    struct client_registration in = registration();
    struct json_findings findings = {0};

    (void)state;
    in.is_public = true;
    assert_int_equal(client_registry_check(&in, &findings), ERR_VALIDATION);
    assert_int_equal(findings.count, 2);
}

static void names_are_for_people(void **state)
{
    static const struct str wrong[] = {STR(""), STR("a\nb"), STR("\x1b[31m"), STR("\xff"),
                                       STR("a\x7f")};
    static char name[101];
    struct client_registration in = registration();
    struct json_findings findings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        in.name = wrong[i];
        assert_refused_at(&in, STR("/name"));
    }
    memset(name, 'n', sizeof(name));
    in.name = (struct str){name, 101};
    assert_refused_at(&in, STR("/name"));
    in.name.len = 100;
    assert_int_equal(client_registry_check(&in, &findings), OK);
    in.name = STR("Öffentliche Bücherei");
    assert_int_equal(client_registry_check(&in, &findings), OK);
}

/* While others authenticate, the table is read anew again and again: each answer is right. */
static atomic_bool stopped;
static const struct made *shared;

static void *authenticate_in_a_loop(void *unused)
{
    static _Thread_local unsigned char bytes[16384];
    struct arena arena;
    struct client client;

    (void)unused;
    while (!atomic_load(&stopped)) {
        arena_init(&arena, bytes, sizeof(bytes));
        if (clients_authenticate(memory, &arena, str_from(shared->id_text),
                                 str_from(shared->secret), &client) != OK ||
            !str_equal(client.audience, STR("shop orders"))) {
            return (void *)1;
        }
    }
    return NULL;
}

static void readers_and_reads_do_not_meet(void **state)
{
    struct made made = create();
    pthread_t readers[3];
    void *failed;

    (void)state;
    shared = &made;
    atomic_store(&stopped, false);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, authenticate_in_a_loop, NULL), 0);
    }
    for (size_t i = 0; i < 200; i++) {
        database_must(clients_load(memory, database()));
    }
    atomic_store(&stopped, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(readers[i], &failed), 0);
        assert_null(failed);
    }
}

static int set_up(void **state)
{
    (void)state;
    account_start();
    memory = clients_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clients_free(memory);
    account_stop();
    return 0;
}

static int afresh(void **state)
{
    (void)state;
    database_do("TRUNCATE clients, audit, revocations");
    database_must(clients_load(memory, database()));
    return 0;
}

#define AFRESH(name) cmocka_unit_test_setup(name, afresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AFRESH(a_client_has_what_it_was_registered_with),
        AFRESH(the_secret_is_of_its_form),
        AFRESH(wrong_credentials_are_one_error),
        AFRESH(two_secrets_count),
        AFRESH(a_disabled_client_is_none),
        AFRESH(kinds_are_told_apart),
        AFRESH(what_cannot_be_changed_is_said),
        AFRESH(each_change_is_announced),
        AFRESH(memory_is_read_anew_when_told),
        AFRESH(a_failed_read_changes_nothing),
        AFRESH(many_are_found),
        AFRESH(lists_go_page_by_page),
        AFRESH(words_are_what_the_rfc_takes),
        AFRESH(lists_have_limits),
        AFRESH(a_public_client_has_neither),
        AFRESH(names_are_for_people),
        AFRESH(readers_and_reads_do_not_meet),
    };

    return cmocka_run_group_tests_name("clients", tests, set_up, tear_down);
}
