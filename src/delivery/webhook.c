/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook.h"

#include <string.h>

#include "json_in.h"

struct document {
    struct json_text_list secrets;
};

static const struct json_field fields[] = {
    {.name = "secrets",
     .type = JSON_TYPE_TEXT_LIST,
     .flags = JSON_REQUIRED,
     .offset = offsetof(struct document, secrets),
     .codepoints_min = 1,
     .codepoints_max = 200},
};

static enum error refuse(struct arena *arena, struct str sentence, const char **why)
{
    const char *text = arena_terminated(arena, sentence);

    *why = text != NULL ? text : "the webhook secret is too large";
    return ERR_CONFIG;
}

static enum error read_secret(struct arena *arena, struct str text, struct webhook_secret *out)
{
    struct str bytes;

    if (!str_starts(text, STR("whsec_"))) {
        return ERR_INVALID;
    }
    TRY(codec_base64_decode(arena, str_sub(text, 6, text.len), &bytes));
    if (bytes.len < WEBHOOK_SECRET_BYTES_MIN || bytes.len > WEBHOOK_SECRET_BYTES_MAX) {
        return ERR_INVALID;
    }
    memcpy(out->bytes, bytes.ptr, bytes.len);
    out->len = bytes.len;
    return OK;
}

enum error webhook_secrets_parse(struct arena *arena, struct str json, struct webhook_secrets *out,
                                 const char **why)
{
    struct document document = {0};
    struct json_findings findings = {0};
    struct webhook_secrets found = {0};

    if (json_in_decode_lenient(arena, json, fields, 1, &document, &findings) != OK) {
        return refuse(
            arena, STR("the webhook secret must be {\"secrets\":[\"whsec_…\"]}, and is not"), why);
    }
    if (document.secrets.count == 0 || document.secrets.count > WEBHOOK_SECRETS_MAX) {
        return refuse(arena,
                      arena_printf(arena, "the webhook secret must hold 1 to %d secrets, got %zu",
                                   WEBHOOK_SECRETS_MAX, document.secrets.count),
                      why);
    }
    for (size_t i = 0; i < document.secrets.count; i++) {
        if (read_secret(arena, document.secrets.items[i], &found.items[i]) != OK) {
            webhook_secrets_wipe(&found);
            return refuse(arena,
                          arena_printf(arena,
                                       "webhook secret number %zu must be whsec_ and the base64 of"
                                       " %d to %d bytes, and is not",
                                       i + 1, WEBHOOK_SECRET_BYTES_MIN, WEBHOOK_SECRET_BYTES_MAX),
                          why);
        }
    }
    found.count = document.secrets.count;
    *out = found;
    webhook_secrets_wipe(&found);
    return OK;
}

void webhook_secrets_wipe(struct webhook_secrets *self)
{
    crypto_wipe(self, sizeof(*self));
}

void webhook_sign(const struct webhook_secrets *secrets, struct str content, struct buf *out)
{
    for (size_t i = 0; i < secrets->count; i++) {
        const struct webhook_secret *secret = &secrets->items[i];
        const struct str key = {(const char *)secret->bytes, secret->len};
        const struct crypto_digest mac = crypto_hmac_bytes(key, content);

        buf_append(out, i == 0 ? STR("v1,") : STR(" v1,"));
        codec_base64(out, (struct str){(const char *)mac.bytes, sizeof(mac.bytes)});
    }
}
