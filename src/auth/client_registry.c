/* SPDX-License-Identifier: Apache-2.0 */
#include "client_registry.h"

#include "clock.h"
#include "crypto.h"
#include "json_out.h"
#include "log.h"
#include "revocation_store.h"
#include "validity.h"

enum {
    DETAIL_BYTES_MAX = 2048,
    ANNOUNCED_S =
        600 /* every replica that is alive has seen it by then; others read all at start */
};

#define SECRET_PREFIX "uscs_"

/* RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
static bool is_word(struct str word)
{
    if (word.len == 0 || word.len > CLIENT_REGISTRY_WORD_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];

        if (c < 0x21 || c > 0x7e || c == '"' || c == '\\' || c == ',') {
            return false;
        }
    }
    return true;
}

static size_t joined_bytes(const struct json_text_list *words)
{
    size_t bytes = 0;

    for (size_t i = 0; i < words->count; i++) {
        bytes += words->items[i].len + (i > 0 ? 1 : 0);
    }
    return bytes;
}

static bool has_before(const struct json_text_list *words, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (str_equal(words->items[i], words->items[at])) {
            return true;
        }
    }
    return false;
}

/* NULL: nothing is wrong. */
static const char *judge_words(const struct client_registration *in,
                               const struct json_text_list *words)
{
    if (in->is_public && words->count > 0) {
        return "a public client has none: it logs users in, and gets their tokens";
    }
    if (words->count > CLIENTS_WORDS_MAX || joined_bytes(words) > CLIENT_REGISTRY_LIST_BYTES_MAX) {
        return "at most 16 words, of 384 characters together with the spaces between them";
    }
    for (size_t i = 0; i < words->count; i++) {
        if (!is_word(words->items[i])) {
            return "each word has 1 to 64 printable ASCII characters, without space, comma, "
                   "quotation mark and backslash";
        }
        if (has_before(words, i)) {
            return "each word stands once";
        }
    }
    return NULL;
}

/* It is shown on terminals and in pages. */
static bool is_name(struct str name)
{
    if (!str_is_utf8(name) || name.len == 0 ||
        str_codepoints(name) > CLIENT_REGISTRY_NAME_CODEPOINTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

enum error client_registry_check(const struct client_registration *in,
                                 struct json_findings *findings)
{
    const char *audience = judge_words(in, &in->audience);
    const char *scope = judge_words(in, &in->scope);
    bool is_named = is_name(in->name);

    if (!is_named) {
        json_findings_add(findings, STR("/name"), "invalid_value",
                          STR("a name has 1 to 100 characters, without control characters"));
    }
    if (audience != NULL) {
        json_findings_add(findings, STR("/audience"), "invalid_value", str_from(audience));
    }
    if (scope != NULL) {
        json_findings_add(findings, STR("/scope"), "invalid_value", str_from(scope));
    }
    return is_named && audience == NULL && scope == NULL ? OK : ERR_VALIDATION;
}

static struct str joined(struct arena *arena, const struct json_text_list *words)
{
    struct buf out = buf_in(arena, joined_bytes(words));

    for (size_t i = 0; i < words->count; i++) {
        if (i > 0) {
            buf_append_byte(&out, ' ');
        }
        buf_append(&out, words->items[i]);
    }
    return buf_str(&out);
}

/* A new secret, and what the table keeps of it. */
static void make_secret(struct arena *arena, struct str *secret, struct str *hash)
{
    uint8_t bytes[CLIENTS_SECRET_BYTES];
    struct buf text = buf_in(arena, sizeof(SECRET_PREFIX) + CODEC_BASE64URL_LEN(sizeof(bytes)));
    struct crypto_digest digest;

    crypto_random(bytes, sizeof(bytes));
    buf_append(&text, STR(SECRET_PREFIX));
    codec_base64url(&text, (struct str){(const char *)bytes, sizeof(bytes)});
    crypto_wipe(bytes, sizeof(bytes));
    *secret = buf_str(&text);
    digest = crypto_sha256(*secret);
    *hash = arena_copy(arena, (struct str){(const char *)digest.bytes, sizeof(digest.bytes)});
}

static void queue_audit(struct arena *arena, struct pg_tx *tx, const struct audit_actor *actor,
                        struct uuid id, struct audit_entry entry)
{
    entry.subject = codec_uuid_in(arena, id);
    audit_append(tx, actor, &entry);
}

static struct str detail_of(struct arena *arena, const struct client_row *row)
{
    struct buf out = buf_in(arena, DETAIL_BYTES_MAX);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "name", row->name);
    json_member_bool(&json, "public", row->is_public);
    json_member_words(&json, "audience", row->audience);
    json_member_words(&json, "scope", row->scope);
    json_object_end(&json);
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

/* Every replica reads the table anew within the feed's interval; this one at once. If it cannot, the
 * change is made nevertheless, and the feed will bring it here as well. */
static enum error commit(struct clients *clients, struct work *work, struct pg_tx *tx,
                         const struct audit_actor *actor)
{
    revocation_store_changed(tx, REVOCATION_CLIENTS, ANNOUNCED_S);
    if (arena_overflowed(work->arena)) {
        return ERR_NO_SPACE;
    }
    TRY(validity_commit(tx, actor->bearer));
    if (clients != NULL && clients_load(clients, work->pg) != OK) {
        log_warn("clients are read again later", LOG_CSTR("error.message", pg_message(work->pg)));
    }
    return OK;
}

enum error client_registry_create(struct clients *clients, struct work *work,
                                  const struct audit_actor *actor,
                                  const struct client_registration *in,
                                  struct client_credentials *out)
{
    struct client_credentials made = {crypto_uuid7(clock_wall_ms()), STR_EMPTY};
    struct client_row row = {
        .id = made.id,
        .name = in->name,
        .is_public = in->is_public,
        .audience = joined(work->arena, &in->audience),
        .scope = joined(work->arena, &in->scope),
    };
    struct pg_tx tx;
    enum error error;

    if (!in->is_public) {
        make_secret(work->arena, &made.secret, &row.secret_hash);
    }
    pg_tx_begin(&tx, work->pg);
    validity_require(&tx, actor->bearer);
    client_store_insert(&tx, &row, CLIENTS_MAX);
    queue_audit(
        work->arena, &tx, actor, row.id,
        (struct audit_entry){.type = "client.created", .detail = detail_of(work->arena, &row)});
    error = commit(clients, work, &tx, actor);
    if (error == ERR_NO_MATCH) {
        return ERR_CONFLICT;
    }
    TRY(error);
    *out = made;
    return OK;
}

enum error client_registry_rotate(struct clients *clients, struct work *work,
                                  const struct audit_actor *actor, struct uuid id,
                                  struct client_credentials *out)
{
    struct client_credentials made = {id, STR_EMPTY};
    struct client_row row;
    struct str hash;
    struct pg_tx tx;
    enum error error;

    make_secret(work->arena, &made.secret, &hash);
    pg_tx_begin(&tx, work->pg);
    validity_require(&tx, actor->bearer);
    client_store_rotate(&tx, id, hash);
    queue_audit(work->arena, &tx, actor, id, (struct audit_entry){.type = "client.rotated"});
    error = commit(clients, work, &tx, actor);
    if (error == ERR_NO_MATCH) {
        TRY(client_store_get(work->pg, work->arena, id, &row));
        return ERR_CONFLICT;
    }
    TRY(error);
    *out = made;
    return OK;
}

enum error client_registry_disable(struct clients *clients, struct work *work,
                                   const struct audit_actor *actor, struct uuid id)
{
    struct client_row row;
    struct pg_tx tx;
    enum error error;

    pg_tx_begin(&tx, work->pg);
    validity_require(&tx, actor->bearer);
    client_store_disable(&tx, id);
    queue_audit(work->arena, &tx, actor, id, (struct audit_entry){.type = "client.disabled"});
    error = commit(clients, work, &tx, actor);
    return error == ERR_NO_MATCH ? client_store_get(work->pg, work->arena, id, &row) : error;
}
