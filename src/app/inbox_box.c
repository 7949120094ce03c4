/* SPDX-License-Identifier: Apache-2.0 */
#include "inbox_box.h"

#include <stdlib.h>

#include "clock.h"
#include "codec.h"
#include "json_out.h"

enum { ENTRY_BYTES = INBOX_BOX_EVENT_BYTES_MAX + 4096 };

struct entry {
    struct arena arena; /* of what the strings below point at */
    struct inbox_event event;
    struct str body;
    const char *signature;
    unsigned attempts;
    int last_status;
    bool is_taken;
    int64_t first_ms;
    int64_t last_ms;
};

struct inbox_box {
    struct entry entries[INBOX_BOX_DELIVERIES_MAX]; /* a ring */
    size_t used;                                    /* ever */
    uint64_t version;
    unsigned char memory[INBOX_BOX_DELIVERIES_MAX][ENTRY_BYTES]; /* touched as it is used */
};

struct inbox_box *inbox_box_new(void)
{
    struct inbox_box *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        abort();
    }
    for (size_t i = 0; i < INBOX_BOX_DELIVERIES_MAX; i++) {
        arena_init(&self->entries[i].arena, self->memory[i], ENTRY_BYTES);
    }
    return self;
}

static size_t kept(const struct inbox_box *self)
{
    return self->used < INBOX_BOX_DELIVERIES_MAX ? self->used : INBOX_BOX_DELIVERIES_MAX;
}

/* The i-th of those kept, oldest first. */
static size_t place(const struct inbox_box *self, size_t i)
{
    return (self->used - kept(self) + i) % INBOX_BOX_DELIVERIES_MAX;
}

static struct entry *find(struct inbox_box *self, struct str id)
{
    for (size_t i = 0; i < kept(self); i++) {
        struct entry *entry = &self->entries[i];
        if (str_equal(entry->event.id, id)) {
            return entry;
        }
    }
    return NULL;
}

static struct entry *take_oldest(struct inbox_box *self, const struct inbox_event *event,
                                 struct str body)
{
    struct entry *entry = &self->entries[self->used++ % INBOX_BOX_DELIVERIES_MAX];
    struct arena arena = entry->arena;

    arena_reset(&arena);
    *entry = (struct entry){.first_ms = clock_wall_ms()};
    entry->event = (struct inbox_event){
        .id = arena_copy(&arena, event->id),
        .type = arena_copy(&arena, event->type),
        .subject = arena_copy(&arena, event->subject),
        .is_mail = event->is_mail,
        .to = arena_copy(&arena, event->to),
        .link = arena_copy(&arena, event->link),
    };
    entry->body = arena_copy(&arena, body);
    entry->arena = arena;
    return entry;
}

bool inbox_box_add(struct inbox_box *self, const struct inbox_event *event, struct str body,
                   const struct inbox_attempt *attempt)
{
    struct entry *entry = find(self, event->id);
    bool was_taken;

    if (entry == NULL) {
        entry = take_oldest(self, event, body);
    }
    was_taken = entry->is_taken;
    entry->attempts++;
    entry->signature = attempt->signature;
    entry->last_status = attempt->status;
    entry->is_taken = was_taken || attempt->is_taken;
    entry->last_ms = clock_wall_ms();
    self->version++;
    return !was_taken && entry->is_taken;
}

uint64_t inbox_box_version(const struct inbox_box *self)
{
    return self->version;
}

static void write_delivery(struct json_out *json, const struct entry *entry)
{
    json_member_i64(json, "attempts", entry->attempts);
    json_member_str(json, "signature", str_from(entry->signature));
    json_member_bool(json, "mail", entry->event.is_mail);
    json_member_bool(json, "taken", entry->is_taken);
    json_member_i64(json, "last_status", entry->last_status);
    json_member_time(json, "first_received_at", entry->first_ms);
    json_member_time(json, "last_received_at", entry->last_ms);
}

/* The event's own members first, then ours. CloudEvents names have no underscore and ours that have
 * none are not among them. */
static void write_event(struct buf *out, const struct entry *entry)
{
    struct str body = entry->body;
    char text[1024];
    struct buf ours = buf_over(text, sizeof(text));
    struct json_out json = json_out_to(&ours);

    json_object(&json);
    write_delivery(&json, entry);
    json_object_end(&json);
    while (body.len > 0 && body.ptr[body.len - 1] != '}') {
        body.len--;
    }
    buf_append(out, str_sub(body, 0, body.len - 1));
    buf_append_byte(out, ',');
    buf_append(out, str_sub(buf_str(&ours), 1, ours.len));
}

void inbox_box_events(const struct inbox_box *self, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < kept(self); i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        write_event(out, &self->entries[place(self, i)]);
    }
    buf_append_byte(out, ']');
}

void inbox_box_mails(const struct inbox_box *self, struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_array(&json);
    for (size_t i = 0; i < kept(self); i++) {
        const struct entry *entry = &self->entries[place(self, i)];
        if (!entry->is_taken || !entry->event.is_mail) {
            continue;
        }
        json_object(&json);
        json_member_str(&json, "id", entry->event.id);
        json_member_str(&json, "to", entry->event.to);
        json_member_str(&json, "type", entry->event.type);
        json_member_str_or_null(&json, "link", entry->event.link);
        json_member_time(&json, "received_at", entry->first_ms);
        json_member_i64(&json, "attempts", entry->attempts);
        json_member_str(&json, "signature", str_from(entry->signature));
        json_object_end(&json);
    }
    json_array_end(&json);
}
