/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "client_store.h"
#include "crypto.h"
#include "session.h"

enum {
    /* Of the longest registration, with its hashes (client_registry.h). Touched as it is used. */
    ROW_BYTES_MAX = 1536,
    SET_BYTES = CLIENTS_MAX * (ROW_BYTES_MAX + (int)sizeof(struct client_row))
};

/* What was read at one time, by id ascending. */
struct client_set {
    struct arena arena;
    struct client_row *rows;
    size_t count;
};

struct clients {
    pthread_mutex_t loading; /* of two reads the later one must win */
    pthread_rwlock_t lock;   /* of what follows */
    struct client_set sets[2];
    unsigned now; /* the set in force; the other one is the next load's */
};

static void set_start(struct client_set *set)
{
    void *memory = calloc(1, SET_BYTES);

    assert(memory != NULL);
    arena_init(&set->arena, memory, SET_BYTES);
}

struct clients *clients_new(void)
{
    struct clients *self = calloc(1, sizeof(*self));

    assert(self != NULL);
    (void)pthread_mutex_init(&self->loading, NULL);
    (void)pthread_rwlock_init(&self->lock, NULL);
    set_start(&self->sets[0]);
    set_start(&self->sets[1]);
    return self;
}

void clients_free(struct clients *self)
{
    if (self == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&self->loading);
    (void)pthread_rwlock_destroy(&self->lock);
    free(self->sets[0].arena.memory);
    free(self->sets[1].arena.memory);
    free(self);
}

/* Nobody reads the set that is not in force. */
static enum error fill(struct client_set *set, struct pg *pg)
{
    arena_reset(&set->arena);
    set->count = 0;
    return client_store_all(pg, &set->arena, CLIENTS_MAX, &set->rows, &set->count);
}

enum error clients_load(struct clients *self, struct pg *pg)
{
    unsigned next;
    enum error error;

    (void)pthread_mutex_lock(&self->loading);
    next = 1 - self->now;
    error = fill(&self->sets[next], pg);
    if (error == OK) {
        (void)pthread_rwlock_wrlock(&self->lock);
        self->now = next;
        (void)pthread_rwlock_unlock(&self->lock);
    }
    (void)pthread_mutex_unlock(&self->loading);
    return error;
}

/* In the order that PostgreSQL has for uuid. */
static int compare(struct uuid a, struct uuid b)
{
    for (size_t i = 0; i < sizeof(a.bytes); i++) {
        if (a.bytes[i] != b.bytes[i]) {
            return a.bytes[i] < b.bytes[i] ? -1 : 1;
        }
    }
    return 0;
}

/* The caller has the lock. */
static const struct client_row *find(const struct client_set *set, struct uuid id)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(set->rows[middle].id, id);

        if (order == 0) {
            return &set->rows[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* A client_id is an id as we write it: no other text is another client's name. */
static bool parse_id(struct str text, struct uuid *out)
{
    char memory[UUID_TEXT_BYTES];
    struct buf written = buf_over(memory, sizeof(memory));

    if (codec_uuid_parse(text, out) != OK) {
        return false;
    }
    codec_uuid(&written, *out);
    return str_equal(buf_str(&written), text);
}

static struct client client_of(struct arena *arena, const struct client_row *row)
{
    return (struct client){
        .id = codec_uuid_in(arena, row->id),
        .name = arena_copy(arena, row->name),
        .is_public = row->is_public,
        .is_disabled = row->disabled_ms != 0,
        .audience = arena_copy(arena, row->audience),
        .scope = arena_copy(arena, row->scope),
    };
}

/* A copy of the row, its texts in the arena. */
static enum error look(const struct clients *self, struct arena *arena, struct uuid id,
                       struct client_row *out)
{
    struct clients *unconst =
        (struct clients *)(uintptr_t)self; /* a lock is no part of the value */
    const struct client_row *row;

    (void)pthread_rwlock_rdlock(&unconst->lock);
    row = find(&self->sets[self->now], id);
    if (row != NULL) {
        *out = *row;
        out->name = arena_copy(arena, row->name);
        out->secret_hash = arena_copy(arena, row->secret_hash);
        out->prev_secret_hash = arena_copy(arena, row->prev_secret_hash);
        out->audience = arena_copy(arena, row->audience);
        out->scope = arena_copy(arena, row->scope);
    }
    (void)pthread_rwlock_unlock(&unconst->lock);
    if (row == NULL) {
        return ERR_NOT_FOUND;
    }
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum standing { STANDING_UNKNOWN, STANDING_PUBLIC, STANDING_CONFIDENTIAL, STANDING_DISABLED };

static enum standing standing_of(const struct clients *self, struct str text)
{
    struct clients *unconst = (struct clients *)(uintptr_t)self;
    enum standing standing = STANDING_UNKNOWN;
    const struct client_row *row;
    struct uuid id;

    if (str_equal(text, SESSION_FIRST_PARTY)) {
        return STANDING_PUBLIC;
    }
    if (self == NULL || !parse_id(text, &id)) {
        return STANDING_UNKNOWN;
    }
    (void)pthread_rwlock_rdlock(&unconst->lock);
    row = find(&self->sets[self->now], id);
    if (row != NULL) {
        standing = row->is_public ? STANDING_PUBLIC : STANDING_CONFIDENTIAL;
        standing = row->disabled_ms != 0 ? STANDING_DISABLED : standing;
    }
    (void)pthread_rwlock_unlock(&unconst->lock);
    return standing;
}

bool clients_is_active(const struct clients *self, struct str id)
{
    enum standing standing = standing_of(self, id);

    return standing == STANDING_PUBLIC || standing == STANDING_CONFIDENTIAL;
}

bool clients_is_disabled(const struct clients *self, struct str id)
{
    return standing_of(self, id) == STANDING_DISABLED;
}

static struct client first_party(void)
{
    return (struct client){
        .id = SESSION_FIRST_PARTY,
        .name = SESSION_FIRST_PARTY,
        .is_public = true,
        .audience = STR_EMPTY,
        .scope = STR_EMPTY,
    };
}

static enum error found(struct arena *arena, enum error error, const struct client_row *row,
                        struct client *out)
{
    TRY(error);
    if (row->disabled_ms != 0) {
        return ERR_NOT_FOUND;
    }
    *out = client_of(arena, row);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error clients_find(const struct clients *self, struct arena *arena, struct str id,
                        struct client *out)
{
    struct client_row row = {0};
    struct uuid uuid;

    if (str_equal(id, SESSION_FIRST_PARTY)) {
        *out = first_party();
        return OK;
    }
    if (!parse_id(id, &uuid)) {
        return ERR_NOT_FOUND;
    }
    return found(arena, look(self, arena, uuid, &row), &row, out);
}

enum error clients_ask(struct pg *pg, struct arena *arena, struct str id, struct client *out)
{
    struct client_row row = {0};
    struct uuid uuid;

    if (str_equal(id, SESSION_FIRST_PARTY)) {
        *out = first_party();
        return OK;
    }
    if (!parse_id(id, &uuid)) {
        return ERR_NOT_FOUND;
    }
    return found(arena, client_store_get(pg, arena, uuid, &row), &row, out);
}

static bool is_hash_of(struct str hash, const struct crypto_digest *digest)
{
    static const char none[CRYPTO_SHA256_BYTES];
    bool is_there = hash.len == sizeof(digest->bytes);
    bool is_equal = crypto_equal(is_there ? hash.ptr : none, digest->bytes, sizeof(digest->bytes));

    return is_there && is_equal;
}

/* The same work whoever is asked about: one digest, two comparisons. */
static enum error judge_secret(struct arena *arena, enum error error, const struct client_row *row,
                               struct str secret, struct client *out)
{
    struct crypto_digest digest = crypto_sha256(secret);
    bool is_current = is_hash_of(row->secret_hash, &digest);
    bool is_previous = is_hash_of(row->prev_secret_hash, &digest);

    if (error == ERR_NOT_FOUND) {
        return ERR_INVALID_CLIENT;
    }
    TRY(error);
    if (row->disabled_ms != 0 || row->is_public || !(is_current || is_previous)) {
        return ERR_INVALID_CLIENT;
    }
    *out = client_of(arena, row);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error clients_authenticate(const struct clients *self, struct arena *arena, struct str id,
                                struct str secret, struct client *out)
{
    struct client_row row = {.secret_hash = STR_EMPTY, .prev_secret_hash = STR_EMPTY};
    struct uuid uuid;
    enum error error = parse_id(id, &uuid) ? look(self, arena, uuid, &row) : ERR_NOT_FOUND;

    return judge_secret(arena, error, &row, secret, out);
}

enum error clients_ask_secret(struct pg *pg, struct arena *arena, struct str id, struct str secret,
                              struct client *out)
{
    struct client_row row = {.secret_hash = STR_EMPTY, .prev_secret_hash = STR_EMPTY};
    struct uuid uuid;
    enum error error =
        parse_id(id, &uuid) ? client_store_get(pg, arena, uuid, &row) : ERR_NOT_FOUND;

    return judge_secret(arena, error, &row, secret, out);
}
