/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "crypto.h"
#include "log.h"
#include "metrics.h"
#include "revocation_table.h"

enum {
    RETRY_S = 5,     /* a full set is looked through for what has expired this often at most */
    TIDY_MS = 60000, /* and one that has become too large */
    TIDY_SHARE = 8   /* when less than this part of its places is in use */
};

/* Who changes the table holds `changing` all the while, and `lock` only for the moment in which others
 * could see a half-made entry, or the old table: who judges never waits for a table to be rebuilt. */
struct revocations {
    int64_t stale_max_ms;
    struct siphash_key session_key;
    struct siphash_key subject_key;
    pthread_mutex_t changing;
    pthread_rwlock_t *lock; /* a pointer: who judges has the set as const */
    pthread_rwlock_t lock_itself;
    struct revocation_table table;
    _Atomic size_t count;
    int64_t rebuild_after_s;
    int64_t tidy_after_ms;
    bool has_moment;
    struct revocation_moment moment;
    _Atomic int64_t dropped_until_s; /* what was dropped has expired then; 0: nothing was */
    _Atomic int64_t read_ms;         /* 0: never */
    _Atomic int64_t doubt_ms;
};

static double shown_count(void *context)
{
    return (double)revocation_count(context);
}

/* Before the first read: since the machine's start, which is long enough for an alert. */
static double shown_age_s(void *context)
{
    const struct revocations *self = context;

    return (double)(clock_mono_ms() - atomic_load(&self->read_ms)) / 1000.0;
}

enum { COUNT, AGE, DROPPED };

static struct metric list[] = {
    [COUNT] = {.name = "user_service_revocations",
               .type = METRIC_GAUGE,
               .help = "Revocations in memory.",
               .read = shown_count},
    [AGE] = {.name = "user_service_revocation_read_age_seconds",
             .type = METRIC_GAUGE,
             .help = "Since the last good read of the revocation feed began.",
             .read = shown_age_s},
    [DROPPED] = {.name = "user_service_revocations_dropped_total",
                 .type = METRIC_COUNTER,
                 .help = "Revocations that did not fit into memory: until they expire, tokens are "
                         "looked up in the database."},
};

void revocation_register_metrics(struct revocations *self)
{
    list[COUNT].context = self;
    list[AGE].context = self;
    metrics_register(list, sizeof(list) / sizeof(list[0]));
}

static void make_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;

    pthread_rwlockattr_init(&attributes);
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

struct revocations *revocation_new(int64_t stale_max_ms)
{
    struct revocations *self = calloc(1, sizeof(*self));

    if (self == NULL || revocation_table_make(0, &self->table) != OK) {
        abort(); /* at start, a few KiB */
    }
    self->stale_max_ms = stale_max_ms;
    crypto_random(&self->session_key, sizeof(self->session_key));
    crypto_random(&self->subject_key, sizeof(self->subject_key));
    pthread_mutex_init(&self->changing, NULL);
    make_lock(&self->lock_itself);
    self->lock = &self->lock_itself;
    return self;
}

void revocation_free(struct revocations *self)
{
    if (self == NULL) {
        return;
    }
    pthread_rwlock_destroy(self->lock);
    pthread_mutex_destroy(&self->changing);
    revocation_table_free(&self->table);
    free(self);
}

static struct siphash session_hash(const struct revocations *self, struct uuid sid)
{
    return siphash_of(&self->session_key, (struct str){(const char *)sid.bytes, sizeof(sid.bytes)});
}

/* Whether memory can tell what is not revoked. */
static bool can_vouch(const struct revocations *self)
{
    const int64_t read_ms = atomic_load(&self->read_ms);

    return read_ms > atomic_load(&self->doubt_ms) &&
           clock_mono_ms() - read_ms <= self->stale_max_ms &&
           clock_wall_s() >= atomic_load(&self->dropped_until_s);
}

static bool is_revoked(const struct revocations *self, struct siphash key, int64_t auth_ver,
                       int64_t now_s)
{
    const struct revocation_entry *entry = revocation_table_find(&self->table, key);

    return entry != NULL && entry->expires_s > now_s && auth_ver < entry->min_auth_ver;
}

enum revocation_verdict revocation_judge(const struct revocations *self,
                                         const struct revocation_query *query)
{
    static const struct uuid nil;
    const bool has_session = !uuid_equal(query->sid, nil);
    const struct siphash session = session_hash(self, query->sid);
    const struct siphash subject = siphash_of(&self->subject_key, query->sub);
    const bool vouches = can_vouch(self);
    const int64_t now_s = clock_wall_s();
    bool revoked;

    pthread_rwlock_rdlock(self->lock);
    revoked = (has_session && is_revoked(self, session, query->auth_ver, now_s)) ||
              is_revoked(self, subject, query->auth_ver, now_s);
    pthread_rwlock_unlock(self->lock);
    if (revoked) {
        return REVOCATION_FOUND;
    }
    return vouches ? REVOCATION_NONE : REVOCATION_UNKNOWN;
}

/* The table is exchanged for one that fits what has not expired. */
static bool rebuild(struct revocations *self, size_t live, int64_t now_s)
{
    struct revocation_table old = self->table;
    struct revocation_table fresh;

    if (revocation_table_make(live + 1, &fresh) != OK) {
        return false;
    }
    revocation_table_copy(&old, now_s, &fresh);
    pthread_rwlock_wrlock(self->lock);
    self->table = fresh;
    pthread_rwlock_unlock(self->lock);
    revocation_table_free(&old);
    atomic_store(&self->count, fresh.used);
    return true;
}

/* Looking through a million entries for each one more would keep a flood going that fills the set: it
 * is done now and then. */
static bool make_room(struct revocations *self, int64_t now_s)
{
    const bool at_most = self->table.used >= REVOCATION_MAX;
    size_t live;

    if (!at_most && !revocation_table_is_full(&self->table)) {
        return true;
    }
    if (now_s < self->rebuild_after_s) {
        return false;
    }
    live = revocation_table_live(&self->table, now_s);
    if (live < REVOCATION_MAX && rebuild(self, live, now_s)) {
        self->rebuild_after_s = at_most ? now_s + RETRY_S : 0;
        return true;
    }
    self->rebuild_after_s = now_s + RETRY_S;
    return false;
}

static void drop(struct revocations *self, int64_t expires_s, int64_t now_s)
{
    const int64_t until_s = atomic_load(&self->dropped_until_s);

    metric_count(&list[DROPPED], NULL, NULL, NULL);
    if (expires_s > until_s) {
        atomic_store(&self->dropped_until_s, expires_s);
    }
    if (until_s <= now_s) {
        log_error("revocations do not fit into memory: until they expire, tokens are looked up in "
                  "the database",
                  LOG_NUMBER("revocations", self->table.used));
    }
}

/* Of an entry that has expired nothing is kept: a database may have been restored since. */
static void renew(struct revocations *self, struct revocation_entry *entry,
                  const struct revocation_entry *with, int64_t now_s)
{
    struct revocation_entry merged = *with;

    if (entry->expires_s > now_s) {
        merged.min_auth_ver =
            entry->min_auth_ver > with->min_auth_ver ? entry->min_auth_ver : with->min_auth_ver;
        merged.expires_s = entry->expires_s > with->expires_s ? entry->expires_s : with->expires_s;
    }
    pthread_rwlock_wrlock(self->lock);
    *entry = merged;
    pthread_rwlock_unlock(self->lock);
}

static void put(struct revocations *self, const struct revocation_entry *entry, int64_t now_s)
{
    struct revocation_entry *present = revocation_table_find(&self->table, entry->key);

    if (present != NULL) {
        renew(self, present, entry, now_s);
        return;
    }
    if (!make_room(self, now_s)) {
        drop(self, entry->expires_s, now_s);
        return;
    }
    pthread_rwlock_wrlock(self->lock);
    revocation_table_add(&self->table, entry);
    pthread_rwlock_unlock(self->lock);
    atomic_store(&self->count, self->table.used);
}

static void add(struct revocations *self, const struct revocation_entry *entry)
{
    const int64_t now_s = clock_wall_s();

    if (entry->expires_s <= now_s) {
        return;
    }
    pthread_mutex_lock(&self->changing);
    put(self, entry, now_s);
    pthread_mutex_unlock(&self->changing);
}

void revocation_add_session(struct revocations *self, struct uuid sid, int64_t expires_s)
{
    const struct revocation_entry entry = {
        .key = session_hash(self, sid),
        .min_auth_ver = INT64_MAX,
        .expires_s = expires_s,
    };

    add(self, &entry);
}

void revocation_add_subject(struct revocations *self, struct str sub, int64_t min_auth_ver,
                            int64_t expires_s)
{
    const struct revocation_entry entry = {
        .key = siphash_of(&self->subject_key, sub),
        .min_auth_ver = min_auth_ver,
        .expires_s = expires_s,
    };

    add(self, &entry);
}

static void tidy(struct revocations *self)
{
    const int64_t now_s = clock_wall_s();
    const size_t live = revocation_table_live(&self->table, now_s);

    if (self->table.used > 0 && live < self->table.places / TIDY_SHARE) {
        (void)rebuild(self, live, now_s);
    }
}

void revocation_read(struct revocations *self, int64_t began_ms)
{
    atomic_store(&self->read_ms, began_ms);
    pthread_mutex_lock(&self->changing);
    if (began_ms >= self->tidy_after_ms) {
        self->tidy_after_ms = began_ms + TIDY_MS;
        tidy(self);
    }
    pthread_mutex_unlock(&self->changing);
}

void revocation_doubt(struct revocations *self)
{
    atomic_store(&self->doubt_ms, clock_mono_ms());
}

void revocation_set_moment(struct revocations *self, const struct revocation_moment *moment)
{
    pthread_mutex_lock(&self->changing);
    self->has_moment = moment != NULL;
    if (moment != NULL) {
        self->moment = *moment;
    }
    pthread_mutex_unlock(&self->changing);
}

bool revocation_get_moment(struct revocations *self, struct revocation_moment *out)
{
    bool has_moment;

    pthread_mutex_lock(&self->changing);
    has_moment = self->has_moment;
    if (has_moment) {
        *out = self->moment;
    }
    pthread_mutex_unlock(&self->changing);
    return has_moment;
}

size_t revocation_count(const struct revocations *self)
{
    return atomic_load(&self->count);
}
