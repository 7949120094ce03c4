/* SPDX-License-Identifier: Apache-2.0 */
#include "secret_watch.h"

#include "log.h"
#include "metrics.h"

static struct metric metrics[] = {
    {.name = "user_service_secret_reads_total",
     .type = METRIC_COUNTER,
     .help =
         "Times that a secret was read again: unchanged, changed, failed (unreadable or wrong).",
     .labels = {"secret", "result"}},
};

void secret_watch_register_metrics(void)
{
    metrics_register(metrics, sizeof(metrics) / sizeof(metrics[0]));
}

static void count_read(enum trust_part part, const char *result)
{
    metric_count(&metrics[0], trust_part_name(part), result, NULL);
}

static void log_refused(enum trust_part part, const char *why)
{
    log_error("a secret is refused; what was read before stays in force",
              LOG_CSTR("secret", trust_part_name(part)), LOG_CSTR("error.message", why));
}

static enum error take(const struct secret_watch_reader *reader, enum trust_part part,
                       struct str json, const char **why)
{
    struct trust fresh = {.key_count = 0};
    enum error error = trust_parse(part, reader->arena, json, &fresh, why);

    if (error == OK) {
        error = reader->apply(reader->context, part, &fresh, why);
    }
    trust_free(&fresh);
    return error;
}

/* The first content is most likely what the start has read. */
static bool take_content(struct secret_watch *self, const struct secret_watch_reader *reader,
                         enum trust_part part, struct str json)
{
    struct crypto_digest digest = crypto_sha256(json);
    const char *changed = self->was_read ? "changed" : "unchanged";
    const char *why = "";

    if (self->was_read && crypto_equal(&digest, &self->digest, sizeof(digest))) {
        count_read(part, self->is_refused ? "failed" : "unchanged");
        return false;
    }
    self->digest = digest;
    self->was_read = true;
    self->is_refused = take(reader, part, json, &why) != OK;
    count_read(part, self->is_refused ? "failed" : changed);
    if (self->is_refused) {
        log_refused(part, why);
    }
    return !self->is_refused;
}

bool secret_watch_look(struct secret_watch *self, const struct secret_watch_reader *reader,
                       enum trust_part part)
{
    const char *why = "";
    struct str json;
    bool changed = false;

    arena_reset(reader->arena);
    if (trust_read(reader->config, part, reader->arena, &json, &why) == OK) {
        self->is_unreadable = false;
        changed = take_content(self, reader, part, json);
    } else {
        count_read(part, "failed");
        if (!self->is_unreadable) {
            log_refused(part, why);
        }
        self->is_unreadable = true;
    }
    arena_reset(reader->arena); /* wipes what was read */
    return changed;
}
