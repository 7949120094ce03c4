/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_commands.h"

#include "crypto.h"
#include "key_rotation.h"
#include "key_store.h"

enum { SIGNED_LATELY_MS = 90000 }; /* who signs is marked every half minute */

static NODISCARD enum error run_new(struct tool *self)
{
    char text[SIGNING_JWK_BYTES_MAX];
    struct buf out = buf_over(text, sizeof(text));
    struct signing_key *key =
        tool_has(self, "--rsa") ? signing_key_generate_rsa() : signing_key_generate();
    enum error error = signing_key_private_jwk(key, &out);

    signing_key_free(key);
    if (error == OK) {
        tool_out_document(&self->out, buf_str(&out));
    }
    crypto_wipe(text, sizeof(text));
    return error;
}

/* As far as the table tells: which keys the secret holds is not in it. */
static struct str state_of(const struct tool *self, const struct key_row *row, int64_t now_ms)
{
    int64_t keep_ms = (self->config.access_token_ttl_s + KEY_ROTATION_LEEWAY_S) * 1000;
    int64_t due_ms = row->first_seen_ms + self->config.key_delay_s * 1000;
    int64_t used_ms = row->last_used_ms > due_ms ? row->last_used_ms : due_ms;

    if (row->revoked_ms > 0) {
        return STR("revoked");
    }
    if (row->last_used_ms > now_ms - SIGNED_LATELY_MS) {
        return STR("signs");
    }
    if (due_ms > now_ms) {
        return STR("waits");
    }
    return used_ms + keep_ms > now_ms ? STR("verifies") : STR("idle");
}

static struct str alg_of(const struct key_row *row)
{
    struct signing_key *key;
    const char *why = "";
    struct str alg;

    if (signing_key_load_public(row->public_jwk, &key, &why) != OK) {
        return STR_EMPTY;
    }
    alg = str_from(signing_key_alg(key)); /* static */
    signing_key_free(key);
    return alg;
}

static NODISCARD enum error run_list(struct tool *self)
{
    struct key_rows rows;

    TRY(key_store_list_signing(self->pg, &self->arena, &rows));
    tool_out_list(&self->out);
    for (size_t i = 0; i < rows.count; i++) {
        const struct key_row *row = &rows.items[i];

        tool_out_row(&self->out);
        tool_out_str(&self->out, "kid", row->kid);
        tool_out_str(&self->out, "alg", alg_of(row));
        tool_out_str(&self->out, "state", state_of(self, row, rows.now_ms));
        tool_out_time(&self->out, "first_seen_at", row->first_seen_ms);
        tool_out_time(&self->out, "last_signed_at", row->last_used_ms);
        tool_out_time(&self->out, "revoked_at", row->revoked_ms);
    }
    return OK;
}

/* Whether another key could sign: known, not revoked, and new or in use. What the secret holds is not to
 * be seen from here. */
static NODISCARD enum error has_other(struct tool *self, struct str kid, bool *out)
{
    struct key_rows rows;

    TRY(key_store_list_signing(self->pg, &self->arena, &rows));
    *out = false;
    for (size_t i = 0; i < rows.count; i++) {
        struct str state = state_of(self, &rows.items[i], rows.now_ms);

        *out = *out || (!str_equal(rows.items[i].kid, kid) &&
                        (str_equal(state, STR("waits")) || str_equal(state, STR("signs"))));
    }
    return OK;
}

static NODISCARD enum error run_revoke(struct tool *self)
{
    struct str kid = self->arguments[0];
    struct str reason = tool_option(self, "--reason");
    const struct audit_entry entry = {
        .type = "signing_key.revoked",
        .subject = kid,
        .reason = reason.len == 0 ? NULL : arena_terminated(&self->arena, reason),
    };
    struct pg_tx tx;
    bool is_replaced;
    enum error error;

    TRY(has_other(self, kid, &is_replaced));
    pg_tx_begin(&tx, self->pg);
    key_store_revoke(&tx, kid, CONFIG_REVOCATION_TTL_S);
    audit_append(&tx, &self->actor, &entry);
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) {
        return tool_fail(self, "no signing key has the kid %.*s, or it is revoked already",
                         STR_ARG(kid));
    }
    TRY(error);
    tool_out_row(&self->out);
    tool_out_str(&self->out, "kid", kid);
    tool_out_str(&self->out, "state", STR("revoked"));
    tool_say(self, "Replicas refuse its tokens within a second. Services that verify by themselves "
                   "do so when they read the JWKS again.");
    tool_say(self,
             is_replaced
                 ? "Take it out of US_JWT_SECRET."
                 : "No other key is known that could sign: nobody can log in or refresh until "
                   "US_JWT_SECRET holds a new one (user-service keys new).");
    return OK;
}

static const struct tool_command commands[] = {
    {
        .name = "new",
        .usage = "[--rsa]",
        .summary = "Print a fresh private JWK for US_JWT_SECRET: ES256, or RS256 of 3072 bits.",
        .examples = "(umask 077; user-service keys new > jwt.json)\n",
        .options = "--rsa",
        .is_offline = true,
        .run = run_new,
    },
    {
        .name = "list",
        .usage = "",
        .summary = "Show the signing keys that the service has seen, the newest first.",
        .examples =
            "user-service keys list\n"
            "user-service keys list --json | jq -r '.[] | select(.state == \"signs\").kid'\n",
        .run = run_list,
    },
    {
        .name = "revoke",
        .usage = "KID [--reason TEXT]",
        .summary = "Refuse all tokens of a signing key, for ever; for one that has leaked.",
        .examples = "user-service keys revoke NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs "
                    "--reason 'laptop stolen'\n",
        .options = "--reason=",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_revoke,
    },
};

const struct tool_group cli_keys = {
    .name = "keys",
    .summary = "Make, list and revoke signing keys.",
    .about =
        "States: waits (new, not used yet), signs, verifies (its tokens may be alive), idle, "
        "revoked.\nThey go by US_KEY_DELAY and US_ACCESS_TOKEN_TTL, which should be set here as "
        "for the service.\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};
