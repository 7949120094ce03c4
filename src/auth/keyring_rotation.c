/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring_rotation.h"

#include <stdio.h>

#include "clock.h"
#include "key_plan.h"
#include "key_store.h"
#include "log.h"

enum { MARK_EVERY_MS = 20000, RANK_WANTED = 0, RANK_OTHER = 1 };

static void want(struct keyring_rotation *self, const char *kid)
{
    (void)snprintf(self->wanted, sizeof(self->wanted), "%s", kid);
}

void keyring_rotation_init(struct keyring_rotation *self,
                           const struct keyring_rotation_options *options)
{
    *self = (struct keyring_rotation){.options = *options};
    want(self, keyring_current(options->keyring));
}

static enum error refuse(struct arena *arena, struct str sentence, const char **why)
{
    const char *text = sentence.len == 0 ? NULL : arena_terminated(arena, sentence);

    *why = text == NULL ? "the keyring is too large" : text;
    return ERR_CONFIG;
}

enum error keyring_rotation_take(struct keyring_rotation *self, struct arena *arena,
                                 const struct keyring *fresh, const char **why)
{
    const char *kid = "";
    enum error error = keyring_merge(self->options.keyring, fresh, &kid);

    if (error == ERR_CONFLICT) {
        return refuse(arena,
                      arena_printf(arena,
                                   "keyring: the key \"%s\" has other bytes than before; a new key "
                                   "takes a new id",
                                   kid),
                      why);
    }
    if (error != OK) {
        return refuse(arena,
                      arena_printf(arena,
                                   "keyring: there is no room for the key \"%s\": more than %d ids "
                                   "since the start",
                                   kid, KEYRING_SLOTS_MAX),
                      why);
    }
    want(self, keyring_current(fresh));
    return OK;
}

static bool is_listed(const struct key_rows *rows, const char *kid)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (str_equal(rows->items[i].kid, str_from(kid))) {
            return true;
        }
    }
    return false;
}

/* The wanted one first: of ids that nobody has seen before it is the one to use. */
static void queue_new(const struct keyring_rotation *self, const struct key_rows *rows,
                      struct pg_tx *tx)
{
    const struct keyring *keyring = self->options.keyring;
    const char *kid = self->wanted;

    if (!is_listed(rows, kid)) {
        key_store_register_keyring(tx, str_from(kid));
    }
    for (size_t i = 0; (kid = keyring_kid(keyring, i)) != NULL && tx->count < PG_TX_MAX; i++) {
        if (!is_listed(rows, kid) && !str_equal(str_from(kid), str_from(self->wanted))) {
            key_store_register_keyring(tx, str_from(kid));
        }
    }
}

static enum error list_all(const struct keyring_rotation *self, struct pg *pg, struct arena *arena,
                           struct key_rows *out)
{
    for (int i = 0; i <= KEYRING_SLOTS_MAX / PG_TX_MAX; i++) {
        struct pg_tx tx;

        TRY(key_store_list_keyring(pg, arena, out));
        pg_tx_begin(&tx, pg);
        queue_new(self, out, &tx);
        if (tx.count == 0) {
            break;
        }
        TRY(pg_tx_commit(&tx));
    }
    return OK;
}

static int rank_of(const struct keyring_rotation *self, struct str kid)
{
    if (!keyring_has(self->options.keyring, kid)) {
        return KEY_PLAN_FOREIGN;
    }
    return str_equal(kid, str_from(self->wanted)) ? RANK_WANTED : RANK_OTHER;
}

static struct key_facts *facts_of(const struct keyring_rotation *self, struct arena *arena,
                                  const struct key_rows *rows)
{
    struct key_facts *facts = arena_alloc_array(arena, rows->count + 1, sizeof(*facts));

    for (size_t i = 0; facts != NULL && i < rows->count; i++) {
        facts[i] = (struct key_facts){
            .first_seen_ms = rows->items[i].first_seen_ms,
            .last_used_ms = rows->items[i].last_used_ms,
            .rank = rank_of(self, rows->items[i].kid),
        };
    }
    return facts;
}

/* The mark stands before the first use, so that a start knows what it cannot do without. */
static enum error use(struct keyring_rotation *self, struct pg *pg, struct str kid)
{
    struct keyring *keyring = self->options.keyring;
    int64_t now_ms = clock_mono_ms();
    bool is_current = self->synced && str_equal(kid, str_from(keyring_current(keyring)));

    if (is_current && now_ms - self->marked_ms < MARK_EVERY_MS) {
        return OK;
    }
    TRY(key_store_mark_current(pg, kid));
    self->marked_ms = now_ms;
    if (!is_current) {
        keyring_use(keyring, kid);
        log_info("keyring key is current", LOG_TEXT("kid", kid));
    }
    return OK;
}

enum error keyring_rotation_sync(struct keyring_rotation *self, struct pg *pg, struct arena *arena,
                                 int64_t *wait_ms)
{
    struct key_times times = {.delay_ms = self->options.delay_s * 1000};
    struct key_facts *facts;
    struct key_rows rows;
    size_t current;

    TRY(list_all(self, pg, arena, &rows));
    facts = facts_of(self, arena, &rows);
    if (facts == NULL) {
        return ERR_NO_SPACE;
    }
    times.now_ms = rows.now_ms;
    current = key_plan_current(facts, rows.count, &times);
    if (current == KEY_PLAN_NONE) {
        return ERR_INTERNAL; /* the wanted one was registered */
    }
    TRY(use(self, pg, rows.items[current].kid));
    self->synced = true;
    *wait_ms = key_plan_wait_ms(facts, rows.count, &times);
    return OK;
}

enum error keyring_rotation_check(const struct keyring_rotation *self, struct pg *pg,
                                  struct arena *arena, const char **why)
{
    struct key_rows needed;

    TRY(key_store_keyring_in_use(pg, arena, self->options.used_s, &needed));
    for (size_t i = 0; i < needed.count; i++) {
        if (!keyring_has(self->options.keyring, needed.items[i].kid)) {
            return refuse(arena,
                          arena_printf(arena,
                                       "keyring: the key \"%.*s\" is missing, and passwords or "
                                       "tokens in use depend on it; put it back into the secret",
                                       STR_ARG(needed.items[i].kid)),
                          why);
        }
    }
    return OK;
}
