/* SPDX-License-Identifier: Apache-2.0 */
#include "outgoing.h"

#include <stdio.h>
#include <string.h>

static const char content_type[] = "Content-Type: application/cloudevents+json; charset=UTF-8";

/* A template's text with {token} replaced; every character of a token may stand in a URL. */
static enum error make_link(struct arena *arena, struct str template, struct str token,
                            struct str *out)
{
    static const char placeholder[] = "{token}";
    const char *at = memmem(template.ptr, template.len, placeholder, sizeof(placeholder) - 1);
    size_t before;

    if (at == NULL) {
        return ERR_INVALID;
    }
    before = (size_t)(at - template.ptr);
    *out = arena_printf(arena, "%.*s%.*s%.*s", (int)before, template.ptr, STR_ARG(token),
                        (int)(template.len - before - sizeof(placeholder) + 1),
                        at + sizeof(placeholder) - 1);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

static enum error make_data(const struct outgoing_options *options, struct arena *arena,
                            const struct outbox_event *event, struct str *out)
{
    char memory[ONETIME_TOKEN_BYTES_MAX];
    struct buf token = buf_over(memory, sizeof(memory));
    enum onetime_purpose purpose;
    struct str link;
    enum error linked;

    if (event->token_kid.len == 0) {
        *out = event->data;
        return OK;
    }
    TRY(onetime_purpose_parse(event->token_purpose, &purpose));
    TRY(onetime_token(options->keyring, event->token_kid, purpose, event->token_id, &token));
    linked = make_link(arena, str_from(options->links[purpose]), buf_str(&token), &link);
    crypto_wipe(memory, sizeof(memory));
    TRY(linked);
    *out = event_data_with_link(arena, event->data, link, event->expires_ms);
    return out->len > 0 ? OK : ERR_NO_SPACE;
}

static void copy_row(struct outgoing *self, const struct outbox_claimed *row)
{
    struct buf id = buf_over(self->id, UUID_TEXT_BYTES);
    enum event_type type;

    self->lease = row->lease;
    codec_uuid(&id, row->event.id);
    self->id[UUID_TEXT_BYTES] = '\0';
    self->type = event_type_parse(row->event.type, &type) == OK ? event_type_name(type) : "_other";
    self->is_ordered = row->event.is_ordered;
    self->attempts = row->attempts;
    self->rejections = row->rejections;
    self->failing_ms = row->failing_ms;
    self->failure = (struct outbox_failure){0};
    self->reason[0] = '\0';
}

static void set_header(char *memory, size_t bytes, const char *name, struct str value)
{
    struct buf line = buf_over(memory, bytes - 1);

    buf_printf(&line, "%s: %.*s", name, STR_ARG(value));
    memory[line.len] = '\0';
}

static void set_headers(struct outgoing *self, const struct outgoing_options *options,
                        struct str content, int64_t wall_s)
{
    char memory[WEBHOOK_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(memory, sizeof(memory));
    char digits[24];
    struct buf timestamp = buf_over(digits, sizeof(digits));

    webhook_sign(options->secrets, content, &signature);
    buf_append_i64(&timestamp, wall_s);
    set_header(self->header_id, sizeof(self->header_id), "webhook-id", str_from(self->id));
    set_header(self->header_timestamp, sizeof(self->header_timestamp), "webhook-timestamp",
               buf_str(&timestamp));
    set_header(self->header_signature, sizeof(self->header_signature), "webhook-signature",
               buf_str(&signature));
    self->call.headers[0] = content_type;
    self->call.headers[1] = self->header_id;
    self->call.headers[2] = self->header_timestamp;
    self->call.headers[3] = self->header_signature;
}

enum error outgoing_prepare(struct outgoing *self, const struct outgoing_options *options,
                            struct arena *arena, const struct outbox_claimed *row, int64_t wall_s)
{
    struct buf content = buf_over(self->content, sizeof(self->content));
    struct event_envelope envelope = {
        .id = {self->id, UUID_TEXT_BYTES},
        .source = str_from(options->issuer),
        .type = row->event.type,
        .subject = row->event.subject,
        .time_ms = row->created_ms,
        .sequence = row->lease.seq,
    };
    struct str whole;
    size_t prefix;

    copy_row(self, row);
    TRY(make_data(options, arena, &row->event, &envelope.data));
    buf_printf(&content, "%s.%lld.", self->id, (long long)wall_s);
    prefix = content.len;
    event_write(&content, &envelope);
    self->content_bytes = content.len;
    TRY(buf_finish(&content, &whole));
    if (whole.len - prefix > OUTGOING_BODY_BYTES_MAX) {
        return ERR_NO_SPACE;
    }
    self->call = (struct http_call){
        .url = options->url,
        .body = str_sub(whole, prefix, whole.len),
        .timeout_ms = options->timeout_ms,
        .context = self,
    };
    set_headers(self, options, whole, wall_s);
    return OK;
}

void outgoing_note_answer(struct outgoing *self)
{
    if (self->call.outcome == HTTP_ANSWERED) {
        (void)snprintf(self->reason, sizeof(self->reason), "status %d", self->call.status);
        return;
    }
    (void)snprintf(self->reason, sizeof(self->reason), "%s", self->call.reason);
}

void outgoing_clear(struct outgoing *self)
{
    crypto_wipe(self->content, self->content_bytes);
    self->content_bytes = 0;
    self->state = OUTGOING_FREE;
}
