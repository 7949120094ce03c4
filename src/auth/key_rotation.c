/* SPDX-License-Identifier: Apache-2.0 */
#include "key_rotation.h"

#include <assert.h>

#include "clock.h"
#include "key_plan.h"
#include "key_store.h"
#include "log.h"
#include "metrics.h"

enum { MARK_EVERY_MS = 20000 };

enum { METRIC_KEYS, METRIC_AGE };

static struct metric metrics[] = {
    [METRIC_KEYS] = {.name = "user_service_signing_keys",
                     .type = METRIC_GAUGE,
                     .help = "Signing keys that verify, and so are published."},
    [METRIC_AGE] = {.name = "user_service_signing_key_age_seconds",
                    .type = METRIC_GAUGE,
                    .help = "Time since the key that signs was first seen."},
};

/* What one sync knows. */
struct key_view {
    struct key_rows rows;
    struct key_facts *facts; /* of each row */
    struct key_times times;
    size_t signer; /* index; KEY_PLAN_NONE */
};

void key_rotation_register_metrics(void)
{
    metrics_register(metrics, sizeof(metrics) / sizeof(metrics[0]));
}

void key_rotation_init(struct key_rotation *self, const struct key_rotation_options *options)
{
    *self = (struct key_rotation){.options = *options};
}

void key_rotation_free(struct key_rotation *self)
{
    held_keys_free(&self->held);
}

/* Before the database is there: nothing is signed by then, but the keys are asked for. */
static void publish_held(struct key_rotation *self)
{
    struct signer_set set = {.count = self->held.count, .signer = self->held.keys[0]};

    for (size_t i = 0; i < set.count; i++) {
        set.keys[i] = signing_key_hold(self->held.keys[i]);
    }
    signers_replace(self->options.signers, &set);
}

void key_rotation_take(struct key_rotation *self, struct signing_key *const *keys, size_t count)
{
    held_keys_take(&self->held, keys, count);
    self->vetted = false;
    if (!self->synced) {
        publish_held(self);
    }
}

static int64_t keep_s(const struct key_rotation *self)
{
    return self->options.token_ttl_s + KEY_ROTATION_LEEWAY_S;
}

static bool is_listed(const struct key_rows *rows, struct str kid)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (str_equal(rows->items[i].kid, kid)) {
            return true;
        }
    }
    return false;
}

/* Of the held keys those that are new to us, and those that the table has lost. */
static enum error queue_new(const struct key_rotation *self, struct arena *arena,
                            const struct key_rows *rows, struct pg_tx *tx)
{
    for (size_t i = 0; i < self->held.count; i++) {
        struct str kid = str_from(signing_key_kid(self->held.keys[i]));
        struct buf jwk;

        if (self->held.registered[i] && is_listed(rows, kid)) {
            continue;
        }
        jwk = buf_in(arena, SIGNING_JWK_BYTES_MAX);
        signing_key_public_jwk(self->held.keys[i], &jwk);
        key_store_register_signing(tx, &(struct key_registration){
                                           .kid = kid,
                                           .public_jwk = buf_str(&jwk),
                                           .delay_s = self->options.delay_s,
                                           .keep_s = keep_s(self),
                                       });
    }
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

static enum error list_all(struct key_rotation *self, struct pg *pg, struct arena *arena,
                           struct key_rows *out)
{
    struct pg_tx tx;

    TRY(key_store_list_signing(pg, arena, out));
    pg_tx_begin(&tx, pg);
    TRY(queue_new(self, arena, out, &tx));
    if (tx.count == 0) {
        return OK;
    }
    TRY(pg_tx_commit(&tx));
    for (size_t i = 0; i < self->held.count; i++) {
        self->held.registered[i] = true;
    }
    return key_store_list_signing(pg, arena, out);
}

/* The public key of a row; NULL, and a line in the log, for one that is not what its kid says. */
static struct signing_key *load_row(const struct key_row *row)
{
    struct signing_key *key;
    const char *why = "its JWK has another kid";

    if (signing_key_load_public(row->public_jwk, &key, &why) == OK) {
        if (str_equal(str_from(signing_key_kid(key)), row->kid)) {
            return key;
        }
        signing_key_free(key);
    }
    log_error("a row of signing_keys is left aside", LOG_TEXT("kid", row->kid),
              LOG_CSTR("reason", why));
    return NULL;
}

/* Held keys whose kid belongs to another key in the table are not ours to use. */
static void refuse_impostors(struct key_rotation *self, const struct key_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        int rank = held_keys_rank(&self->held, rows->items[i].kid);
        struct signing_key *key = rank < 0 ? NULL : load_row(&rows->items[i]);

        if (key != NULL && !signing_key_is_same(key, self->held.keys[rank])) {
            log_error("a signing key is refused: its kid names another key",
                      LOG_TEXT("kid", rows->items[i].kid));
            held_keys_remove(&self->held, (size_t)rank);
        }
        signing_key_free(key);
    }
}

static enum error look(struct key_rotation *self, struct pg *pg, struct arena *arena,
                       struct key_view *out)
{
    struct key_view view = {
        .times = {.delay_ms = self->options.delay_s * 1000, .keep_ms = keep_s(self) * 1000},
    };

    TRY(list_all(self, pg, arena, &view.rows));
    if (!self->vetted) {
        refuse_impostors(self, &view.rows);
        self->vetted = true;
    }
    view.times.now_ms = view.rows.now_ms;
    view.facts = arena_alloc_array(arena, view.rows.count + 1, sizeof(*view.facts));
    if (view.facts == NULL) {
        return ERR_NO_SPACE;
    }
    for (size_t i = 0; i < view.rows.count; i++) {
        const struct key_row *row = &view.rows.items[i];

        view.facts[i] = (struct key_facts){
            .first_seen_ms = row->first_seen_ms,
            .last_used_ms = row->last_used_ms,
            .is_revoked = row->revoked_ms > 0,
            .rank = held_keys_rank(&self->held, row->kid),
        };
    }
    view.signer = key_plan_signer(view.facts, view.rows.count, &view.times);
    *out = view;
    return OK;
}

static struct str signer_kid(const struct signer_set *set)
{
    return set->signer == NULL ? STR_EMPTY : str_from(signing_key_kid(set->signer));
}

/* Before its first token and from then on, so that all know for how long its tokens may live. */
static enum error mark(struct key_rotation *self, struct pg *pg, const struct key_view *view)
{
    int64_t now_ms = clock_mono_ms();
    struct str kid;

    if (view->signer == KEY_PLAN_NONE) {
        return OK;
    }
    kid = view->rows.items[view->signer].kid;
    if (self->synced && now_ms - self->marked_ms < MARK_EVERY_MS &&
        str_equal(kid, signer_kid(signers_now(self->options.signers)))) {
        return OK;
    }
    TRY(key_store_mark_signed(pg, kid));
    self->marked_ms = now_ms;
    return OK;
}

/* The set is to own what this returns; NULL: the row is no key. */
static struct signing_key *key_of(const struct key_rotation *self, const struct key_view *view,
                                  size_t row)
{
    int rank = view->facts[row].rank;
    const struct signer_set *now = signers_now(self->options.signers);

    if (rank != KEY_PLAN_FOREIGN) {
        return signing_key_hold(self->held.keys[rank]);
    }
    for (size_t i = 0; i < now->count; i++) {
        if (!signing_key_can_sign(now->keys[i]) &&
            str_equal(str_from(signing_key_kid(now->keys[i])), view->rows.items[row].kid)) {
            return signing_key_hold(now->keys[i]);
        }
    }
    return load_row(&view->rows.items[row]);
}

/* Keys that are not ours fill what ours leave, the newest first. */
static size_t room_for_foreign(const struct key_rotation *self)
{
    static_assert((int)HELD_KEYS_MAX < (int)SIGNERS_KEYS_MAX, "the held ones have room");
    return SIGNERS_KEYS_MAX - self->held.count;
}

/* In the order of the rows. Returns how many were left out. */
static size_t make_set(const struct key_rotation *self, const struct key_view *view,
                       struct signer_set *out)
{
    size_t room = room_for_foreign(self);
    size_t left_out = 0;

    *out = (struct signer_set){.count = 0};
    for (size_t i = 0; i < view->rows.count; i++) {
        bool is_foreign = view->facts[i].rank == KEY_PLAN_FOREIGN;
        struct signing_key *key;

        if (!key_plan_verifies(&view->facts[i], &view->times)) {
            continue;
        }
        if (is_foreign && room == 0) {
            left_out++;
            continue;
        }
        key = key_of(self, view, i);
        if (key == NULL) {
            continue;
        }
        room -= is_foreign ? 1 : 0;
        out->keys[out->count++] = key;
        out->signer = i == view->signer ? key : out->signer;
    }
    return left_out;
}

static void free_set(struct signer_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        signing_key_free(set->keys[i]);
    }
}

static bool is_same_set(const struct signer_set *set, const struct signer_set *other)
{
    if (set->count != other->count || set->signer != other->signer) {
        return false;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->keys[i] != other->keys[i]) {
            return false;
        }
    }
    return true;
}

/* One line for each key of `set` that `than` has not. */
static void log_more(const char *message, const struct signer_set *set,
                     const struct signer_set *than)
{
    for (size_t i = 0; i < set->count; i++) {
        const char *kid = signing_key_kid(set->keys[i]);

        if (signers_find(than, str_from(kid)) == NULL) {
            log_info(message, LOG_CSTR("kid", kid), LOG_CSTR("alg", signing_key_alg(set->keys[i])));
        }
    }
}

static void log_changes(const struct signer_set *old, const struct signer_set *set)
{
    log_more("signing key is published", set, old);
    log_more("signing key is no longer taken", old, set);
    if (set->signer == NULL) {
        log_error("no signing key can be used: each one is revoked; give US_JWT_SECRET a new one");
        return;
    }
    if (!str_equal(signer_kid(set), signer_kid(old))) {
        log_info("signing key signs", LOG_TEXT("kid", signer_kid(set)));
    }
}

static void log_left_out(struct key_rotation *self, size_t left_out)
{
    if (left_out > self->left_out) {
        log_error("too many signing keys: the oldest are no longer taken",
                  LOG_NUMBER("left_out", left_out), LOG_NUMBER("taken", SIGNERS_KEYS_MAX));
    }
    self->left_out = left_out;
}

static void put_in_force(struct key_rotation *self, const struct key_view *view)
{
    const struct signer_set *old = signers_now(self->options.signers);
    struct signer_set set;

    log_left_out(self, make_set(self, view, &set));
    if (self->synced && is_same_set(old, &set)) {
        free_set(&set);
    } else {
        log_changes(self->synced ? old : &(struct signer_set){.count = 0}, &set);
        signers_replace(self->options.signers, &set);
    }
    metric_set(&metrics[METRIC_KEYS], (double)set.count, NULL, NULL, NULL);
    if (view->signer != KEY_PLAN_NONE) {
        int64_t age_ms = view->times.now_ms - view->facts[view->signer].first_seen_ms;

        metric_set(&metrics[METRIC_AGE], (double)age_ms / 1000.0, NULL, NULL, NULL);
    }
}

/* What has left the secret goes when a newer key is due. */
static void drop_outlived(struct key_rotation *self, const struct key_view *view)
{
    const struct key_facts *signer = view->facts + view->signer;

    if (view->signer != KEY_PLAN_NONE && key_plan_is_due(signer, &view->times)) {
        held_keys_drop_behind(&self->held, (size_t)signer->rank);
    }
}

static enum error sync(struct key_rotation *self, struct pg *pg, struct arena *arena,
                       int64_t *wait_ms)
{
    struct key_view view;

    TRY(look(self, pg, arena, &view));
    TRY(mark(self, pg, &view));
    put_in_force(self, &view);
    self->synced = true;
    *wait_ms = key_plan_wait_ms(view.facts, view.rows.count, &view.times);
    drop_outlived(self, &view);
    return OK;
}

enum error key_rotation_sync(struct key_rotation *self, struct pg *pg, struct arena *arena,
                             int64_t *wait_ms)
{
    enum error error = sync(self, pg, arena, wait_ms);

    /* The signer was revoked between the look and the mark. */
    return error == ERR_NOT_FOUND ? sync(self, pg, arena, wait_ms) : error;
}
