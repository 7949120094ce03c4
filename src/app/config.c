/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>

#include "config_value.h"
#include "json_out.h"

extern char **environ;

#define AT(member) offsetof(struct config, member)

/* name, type, offset, default (NULL: required), smallest, largest, flags, help */
static const struct config_row rows[] = {
    {"US_HTTP_LISTEN", CONFIG_LISTEN, AT(http_listen), "0.0.0.0:8000", 0, 0, 0,
     "Address and port of the API."},
    {"US_OPS_LISTEN", CONFIG_LISTEN, AT(ops_listen), "0.0.0.0:9000", 0, 0, 0,
     "Address and port of /metrics, /livez and /readyz."},
    {"US_PUBLIC_URL", CONFIG_URL, AT(public_url), NULL, 0, 0, 0,
     "The issuer: how clients reach this service from outside. Never taken from a request."},
    {"US_LINK_VERIFY", CONFIG_LINK, AT(link_verify), "", 0, 0, 0,
     "Template of the link in verification mails, on the product's own front end. Default: the "
     "built-in page of US_PAGES."},
    {"US_LINK_RESET", CONFIG_LINK, AT(link_reset), "", 0, 0, 0, "The same for password resets."},
    {"US_PAGES", CONFIG_SWITCH, AT(pages), "off", 0, 0, 0,
     "The built-in pages that the links in mails lead to (dev: on)."},
    {"US_DOCS", CONFIG_SWITCH, AT(docs), "off", 0, 0, 0, "/docs and /openapi.json (dev: on)."},
    {"US_AUDIENCE", CONFIG_LIST, AT(audience), NULL, 0, 0, 0,
     "`aud` of users' access tokens: who is to accept them. Not the issuer itself."},
    {"US_TOKEN_TYP", CONFIG_TOKEN_TYP, AT(token_typ), "at+jwt", 0, 0, 0,
     "Header `typ` of access tokens: at+jwt (RFC 9068), or JWT for verifiers that refuse that."},
    {"US_TRUSTED_PROXIES", CONFIG_NETWORKS, AT(trusted_proxies), "", 0, 0, 0,
     "Networks of the proxies in front, whose X-Forwarded-For counts: the client is the right-most "
     "hop that is none of them. Without it attempts from one network are not limited as a whole."},
    {"US_CORS_ORIGINS", CONFIG_ORIGINS, AT(cors_origins), "", 0, 0, 0,
     "Origins of web pages that may call the API (dev: localhost)."},
    {"US_DATABASE_URL", CONFIG_DATABASE, AT(database_url), NULL, 0, 0, CONFIG_SECRET,
     "libpq URI of PostgreSQL; several hosts are allowed."},
    {"US_JWT_SECRET", CONFIG_REFERENCE, AT(jwt_secret), NULL, 0, 0, 0,
     "Secret with the signing key: a JWK, or a JWK set with the newest first; EC P-256, or RSA of "
     "3072 bits and more."},
    {"US_KEYRING_SECRET", CONFIG_REFERENCE, AT(keyring_secret), NULL, 0, 0, 0,
     "Secret with the keyring: {\"current\":\"k1\",\"keys\":{\"k1\":\"<base64 of 32 bytes>\"}}."},
    {"US_WEBHOOK_SECRET", CONFIG_REFERENCE, AT(webhook_secret), NULL, 0, 0, 0,
     "Secret that signs events: {\"secrets\":[\"whsec_...\"]}."},
    {"US_SECRETS_REFRESH", CONFIG_DURATION, AT(secrets_refresh_s), "60s", 1, 3600, 0,
     "How often the secrets are read again; what has changed is used without a restart."},
    {"US_KEY_DELAY", CONFIG_DURATION, AT(key_delay_s), "10m", 0, 86400, 0,
     "A new key is known to all this long before it is used. Verifiers may keep the JWKS for half "
     "of "
     "it, at most 5m."},
    {"US_NOTIFICATION_URL", CONFIG_URL, AT(notification_url),
     "http://notification-service.notification.svc.cluster.local/events", 0, 0, 0,
     "Where events are sent."},
    {"US_EVENTS", CONFIG_EVENTS, AT(events),
     "user.registered,user.verification_requested,user.registration_repeated,user.verified,"
     "user.password_reset_requested,user.password_changed,user.mfa_changed,user.disabled,"
     "session.revoked,session.reuse_detected",
     0, 0, 0, "Event types that are published. Mails are sent in any case."},
    {"US_EMAIL_VERIFICATION", CONFIG_VERIFICATION, AT(verification_required), "required", 0, 0, 0,
     "Whether an address must be verified before its account exists. `optional` lets anybody find "
     "out who has an account."},
    {"US_ACCESS_TOKEN_TTL", CONFIG_DURATION, AT(access_token_ttl_s), "5m", 30,
     CONFIG_ACCESS_TOKEN_TTL_S_MAX, 0, "Lifetime of an access token."},
    {"US_REFRESH_IDLE_TTL", CONFIG_DURATION, AT(refresh_idle_ttl_s), "7d", 300, 31536000, 0,
     "A session ends when it was not refreshed for so long."},
    {"US_REFRESH_ABSOLUTE_TTL", CONFIG_DURATION, AT(refresh_absolute_ttl_s), "30d", 300, 31536000,
     0, "A session ends this long after its login."},
    {"US_REFRESH_GRACE", CONFIG_DURATION, AT(refresh_grace_s), "60s", 0, 600, 0,
     "A refresh token that was just replaced is answered with the same successor for so long; 0s: "
     "only with the same Idempotency-Key."},
    {"US_REVOCATION_STALE_MAX", CONFIG_DURATION, AT(revocation_stale_max_s), "1s", 1, 60, 0,
     "What was revoked is read four times a second; when that has failed for so long, tokens are "
     "looked up in the database."},
    {"US_AUDIT_RETENTION", CONFIG_DURATION, AT(audit_retention_s), "400d", 86400, 315360000, 0,
     "The audit trail is kept for so long."},
    {"US_PASSWORD_MIN_LENGTH", CONFIG_NUMBER, AT(password_min_length), "15", 8, 64, 0,
     "Fewest characters (code points) of a new password; NIST SP 800-63B-4 asks for 15."},
    {"US_ARGON2_MEMORY_KIB", CONFIG_NUMBER, AT(argon2_memory_kib), "19456", 7168, 102400, 0,
     "Memory of one Argon2id hash."},
    {"US_ARGON2_PASSES", CONFIG_NUMBER, AT(argon2_passes), "2", 1, 16, 0,
     "Passes of one Argon2id hash."},
    {"US_PASSWORD_PEPPER", CONFIG_SWITCH, AT(password_pepper), "on", 0, 0, 0,
     "Key passwords with the keyring before they are hashed."},
    {"US_HASH_THREADS", CONFIG_NUMBER, AT(hash_threads), "0", 0, 64, 0,
     "Workers that hash passwords; 0: 0.6 of the CPU quota."},
    {"US_DB_THREADS", CONFIG_NUMBER, AT(db_threads), "8", 1, 64, 0,
     "Workers for all other database work, each with its own connection."},
    {"US_IO_THREADS", CONFIG_NUMBER, AT(io_threads), "0", 0, 64, 0,
     "Threads that read requests; 0: one a CPU of the quota."},
    {"US_LOG_LEVEL", CONFIG_LEVEL, AT(log_level), "info", 0, 0, 0, "debug, info, warn or error."},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), SHOWN_BYTES_MAX = 100 };

/* What is in force; NULL for one that is required and missing. */
static const char *value_of(const struct config_row *row)
{
    const char *value = getenv(row->name);

    return value != NULL ? value : row->fallback;
}

/* Of a value or a name what one line of a terminal can show. */
static void append_shown(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len && i < SHOWN_BYTES_MAX; i++) {
        char c = text.ptr[i];

        buf_append_byte(out, c >= ' ' && c <= '~' ? c : '?');
    }
    if (text.len > SHOWN_BYTES_MAX) {
        buf_append(out, STR("..."));
    }
}

static void load_row(const struct config_row *row, struct config *out, struct buf *problems)
{
    const char *value = value_of(row);

    if (value == NULL) {
        buf_printf(problems, "%s: is missing; takes ", row->name);
    } else if (config_value_parse(row, str_from(value), (char *)out + row->offset) != OK) {
        buf_printf(problems, "%s: got \"", row->name);
        append_shown(problems,
                     (row->flags & CONFIG_SECRET) != 0 ? STR("(hidden)") : str_from(value));
        buf_append(problems, STR("\"; takes "));
    } else {
        return;
    }
    config_value_takes(row, problems);
    buf_append_byte(problems, '\n');
}

static bool is_known(struct str name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (str_equal(str_from(rows[i].name), name)) {
            return true;
        }
    }
    return false;
}

static void find_unknown(struct buf *unknown)
{
    for (char **entry = environ; *entry != NULL; entry++) {
        struct str rest = str_from(*entry);
        struct str name = str_cut(&rest, '=');

        if (str_starts(name, STR("US_")) && !is_known(name)) {
            append_shown(unknown, name);
            buf_append(unknown, STR(": no variable of this version\n"));
        }
    }
}

/* What no single value can show. */
static void check_together(const struct config *config, struct buf *problems)
{
    if (config->refresh_idle_ttl_s > config->refresh_absolute_ttl_s) {
        buf_printf(problems, "US_REFRESH_IDLE_TTL: got more than US_REFRESH_ABSOLUTE_TTL; takes at "
                             "most that\n");
    }
    for (size_t i = 0; i < config->audience.count; i++) {
        if (str_equal(config->audience.items[i], config->public_url)) {
            buf_printf(problems, "US_AUDIENCE: got US_PUBLIC_URL itself; takes the names of the "
                                 "services that accept users' tokens (the issuer as audience marks "
                                 "administration)\n");
        }
    }
}

static enum error load(bool is_whole, struct config *out, struct buf *problems, struct buf *unknown)
{
    struct config config = {0};

    find_unknown(unknown);
    for (size_t i = 0; i < ROWS; i++) {
        if (is_whole || value_of(&rows[i]) != NULL) {
            load_row(&rows[i], &config, problems);
        }
    }
    if (problems->len == 0) {
        check_together(&config, problems);
    }
    if (problems->len > 0 || problems->overflowed) {
        return ERR_CONFIG;
    }
    *out = config;
    return OK;
}

enum error config_load(struct config *out, struct buf *problems, struct buf *unknown)
{
    return load(true, out, problems, unknown);
}

enum error config_load_present(struct config *out, struct buf *problems, struct buf *unknown)
{
    return load(false, out, problems, unknown);
}

static struct str shown(const struct config_row *row)
{
    const char *value = value_of(row);

    return (row->flags & CONFIG_SECRET) != 0 && value != NULL ? STR("(hidden)") : str_from(value);
}

void config_print(struct buf *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct str value = shown(&rows[i]);

        buf_printf(out, "%s=%.*s\n", rows[i].name, STR_ARG(value));
    }
}

static void describe_row(struct json_out *json, const struct config_row *row)
{
    char memory[256];
    struct buf takes = buf_over(memory, sizeof(memory));

    config_value_takes(row, &takes);
    json_object(json);
    json_member_str(json, "name", str_from(row->name));
    json_member_str(json, "type", str_from(config_value_type(row)));
    json_member_bool(json, "required", row->fallback == NULL);
    json_member_str_or_null(json, "default", str_from(row->fallback));
    json_member_str(json, "takes", buf_str(&takes));
    json_member_bool(json, "secret", (row->flags & CONFIG_SECRET) != 0);
    json_member_str(json, "help", str_from(row->help));
    json_member_str(json, "value", shown(row));
    json_member_bool(json, "set", getenv(row->name) != NULL);
    json_object_end(json);
}

void config_describe(struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_array(&json);
    for (size_t i = 0; i < ROWS; i++) {
        describe_row(&json, &rows[i]);
    }
    json_array_end(&json);
}
