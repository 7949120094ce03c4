/* SPDX-License-Identifier: Apache-2.0 */
#include "password_hash.h"

#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <sodium.h>

#include "clock.h"

enum {
    PASSWORD_HUGE_PAGE_BYTES = 2 << 20,
    PASSWORD_MEMORY_KIB_MAX = 100 << 10,
    PASSWORD_PASSES_MAX = 16,
    PASSWORD_LANES_MAX = 8,
    PASSWORD_SALT_BYTES = 16, /* what we make; imported ones have 8 and more */
    PASSWORD_SALT_BYTES_MIN = 8,
    PASSWORD_TAG_BYTES = 32,
    PASSWORD_TAG_BYTES_MIN = 16,
    PASSWORD_PART_BYTES_MAX = 64,
    BCRYPT_TEXT_BYTES = 60,
    BCRYPT_INPUT_BYTES = 72, /* bcrypt looks at no more */
    BCRYPT_COST_MIN = 4,
    BCRYPT_COST_MAX = 14, /* about a second */
};

struct password_hasher {
    struct password_hash_cost cost;
    unsigned char *memory; /* NULL until the first hash */
    size_t memory_bytes;
    bool lent;     /* to libsodium */
    bool resident; /* may hold pages */
    int64_t used_at_ms;
    struct crypt_data crypt; /* too large for a stack */
};

struct password_phc {
    uint64_t memory_kib;
    uint64_t passes;
    uint64_t lanes;
    size_t salt_bytes;
    size_t tag_bytes;
};

/* The hasher on whose behalf this thread is inside libsodium. */
static _Thread_local struct password_hasher *password_current;

struct password_hasher *password_hasher_new(struct password_hash_cost cost)
{
    struct password_hasher *self = calloc(1, sizeof *self);

    assert(cost.memory_kib >= 8 && cost.memory_kib <= PASSWORD_MEMORY_KIB_MAX);
    assert(cost.passes >= 1 && cost.passes <= PASSWORD_PASSES_MAX);
    if (self == NULL || sodium_init() < 0) { /* picks the code for this CPU */
        abort();
    }
    self->cost = cost;
    self->memory_bytes = (size_t)cost.memory_kib * 1024;
    self->memory_bytes += PASSWORD_HUGE_PAGE_BYTES - 1;
    self->memory_bytes -= self->memory_bytes % PASSWORD_HUGE_PAGE_BYTES;
    return self;
}

void password_hasher_free(struct password_hasher *self)
{
    if (self == NULL) {
        return;
    }
    if (self->memory != NULL) {
        munmap(self->memory, self->memory_bytes);
    }
    free(self);
}

void password_hasher_trim(struct password_hasher *self, int64_t idle_ms)
{
    if (!self->resident || clock_mono_ms() - self->used_at_ms < idle_ms) {
        return;
    }
    madvise(self->memory, self->memory_bytes, MADV_DONTNEED);
    self->resident = false;
}

/* Huge pages want their alignment: one more is mapped, and what sticks out is given back. */
static void password_hasher_map(struct password_hasher *self)
{
    size_t spare = PASSWORD_HUGE_PAGE_BYTES;
    unsigned char *start = mmap(NULL, self->memory_bytes + spare, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (start == MAP_FAILED) {
        return;
    }
    before = (spare - (uintptr_t)start % spare) % spare;
    if (before > 0) {
        munmap(start, before);
    }
    if (before < spare) {
        munmap(start + before + self->memory_bytes, spare - before);
    }
    self->memory = start + before;
    madvise(self->memory, self->memory_bytes, MADV_HUGEPAGE); /* a kernel without them may refuse */
    madvise(self->memory, self->memory_bytes, MADV_DONTDUMP);
}

/*
 * The blocks of a finished hash stay in the buffer until the next one writes over them, or until
 * the trim. libsodium does not wipe them either, it relies on munmap; wiping would cost a quarter of
 * a hash. Who can read them can read the requests in flight, and the pepper.
 */
void *password_hash_mmap(void *address, size_t bytes, int protection, int flags, int fd,
                         long offset)
{
    struct password_hasher *self = password_current;

    if (self != NULL && self->memory == NULL) {
        password_hasher_map(self);
    }
    if (self == NULL || self->memory == NULL || self->lent || bytes > self->memory_bytes) {
        return mmap(address, bytes, protection, flags, fd, offset);
    }
    self->lent = true;
    self->resident = true;
    return self->memory;
}

int password_hash_munmap(void *address, size_t bytes)
{
    struct password_hasher *self = password_current;

    if (self == NULL || address != self->memory) {
        return munmap(address, bytes);
    }
    self->lent = false;
    return 0;
}

static void password_hasher_enter(struct password_hasher *self)
{
    assert(password_current == NULL);
    password_current = self;
}

static void password_hasher_leave(struct password_hasher *self)
{
    assert(password_current == self && !self->lent);
    password_current = NULL;
    self->used_at_ms = clock_mono_ms();
}

enum error password_hash_make(struct password_hasher *self, struct str input,
                              struct password_hash *out)
{
    char text[crypto_pwhash_argon2id_STRBYTES];
    int failed;

    static_assert(sizeof text <= sizeof out->text, "a PHC string of libsodium's must fit");
    password_hasher_enter(self);
    failed = crypto_pwhash_argon2id_str(text, input.ptr, input.len, self->cost.passes,
                                        (size_t)self->cost.memory_kib * 1024);
    password_hasher_leave(self);
    if (failed != 0) {
        return ERR_INTERNAL; /* no memory */
    }
    memcpy(out->text, text, sizeof text);
    return OK;
}

static int password_base64_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

/* Unpadded base64 without stray bits (the PHC string format's B64). */
static enum error password_base64_check(struct str text, size_t *bytes)
{
    static const int stray[] = {[0] = 0, [1] = 63, [2] = 15, [3] = 3};
    int value = 0;

    for (size_t i = 0; i < text.len; i++) {
        value = password_base64_value(text.ptr[i]);
        if (value < 0) {
            return ERR_INVALID;
        }
    }
    if (text.len % 4 == 1 || (value & stray[text.len % 4]) != 0) {
        return ERR_INVALID;
    }
    *bytes = text.len * 3 / 4;
    return OK;
}

/* "m=19456": a name, then a number of its range. */
static enum error password_phc_number(struct str *rest, struct str name, uint64_t *out)
{
    struct str part = str_cut(rest, ',');

    if (!str_starts(part, name)) {
        return ERR_INVALID;
    }
    return str_to_u64(str_sub(part, name.len, part.len), out);
}

static bool password_phc_within(const struct password_phc *phc)
{
    return phc->lanes >= 1 && phc->lanes <= PASSWORD_LANES_MAX && phc->passes >= 1 &&
           phc->passes <= PASSWORD_PASSES_MAX && phc->memory_kib >= 8 * phc->lanes &&
           phc->memory_kib <= PASSWORD_MEMORY_KIB_MAX &&
           phc->salt_bytes >= PASSWORD_SALT_BYTES_MIN &&
           phc->salt_bytes <= PASSWORD_PART_BYTES_MAX && phc->tag_bytes >= PASSWORD_TAG_BYTES_MIN &&
           phc->tag_bytes <= PASSWORD_PART_BYTES_MAX;
}

/* $argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag> */
static enum error password_phc_parse(struct str text, struct password_phc *out)
{
    struct str prefix = STR("$argon2id$v=19$");
    struct str rest = str_sub(text, prefix.len, text.len);
    struct str costs = str_cut(&rest, '$');
    struct str salt = str_cut(&rest, '$');
    struct password_phc phc;

    if (!str_starts(text, prefix) || text.len >= PASSWORD_HASH_BYTES_MAX ||
        str_ends(costs, STR(","))) {
        return ERR_INVALID;
    }
    TRY(password_phc_number(&costs, STR("m="), &phc.memory_kib));
    TRY(password_phc_number(&costs, STR("t="), &phc.passes));
    TRY(password_phc_number(&costs, STR("p="), &phc.lanes));
    TRY(password_base64_check(salt, &phc.salt_bytes));
    TRY(password_base64_check(rest, &phc.tag_bytes));
    if (costs.len > 0 || !password_phc_within(&phc)) {
        return ERR_INVALID;
    }
    *out = phc;
    return OK;
}

static bool password_is_bcrypt(struct str text)
{
    return str_starts(text, STR("$2"));
}

static bool password_bcrypt_digit(char c)
{
    return c == '.' || (password_base64_value(c) >= 0 && c != '+');
}

/* $2b$12$, then 22 characters of salt and 31 of hash. */
static enum error password_bcrypt_check(struct str text)
{
    int cost;

    if (text.len != BCRYPT_TEXT_BYTES || strchr("aby", text.ptr[2]) == NULL || text.ptr[3] != '$' ||
        text.ptr[6] != '$') {
        return ERR_INVALID;
    }
    for (size_t i = 7; i < text.len; i++) {
        if (!password_bcrypt_digit(text.ptr[i])) {
            return ERR_INVALID;
        }
    }
    if (text.ptr[4] < '0' || text.ptr[4] > '9' || text.ptr[5] < '0' || text.ptr[5] > '9') {
        return ERR_INVALID;
    }
    cost = (text.ptr[4] - '0') * 10 + (text.ptr[5] - '0');
    return cost >= BCRYPT_COST_MIN && cost <= BCRYPT_COST_MAX ? OK : ERR_INVALID;
}

enum error password_hash_check(const char *phc)
{
    struct str text = str_from(phc);
    struct password_phc parsed;

    if (password_is_bcrypt(text)) {
        return password_bcrypt_check(text);
    }
    return password_phc_parse(text, &parsed);
}

static enum error password_bcrypt_verify(struct password_hasher *self, struct str input,
                                         const char *phc)
{
    char terminated[BCRYPT_INPUT_BYTES + 1] = {0};
    size_t used = input.len < BCRYPT_INPUT_BYTES ? input.len : BCRYPT_INPUT_BYTES;
    const char *hash;
    bool same;

    if (input.len > 0) {
        memcpy(terminated, input.ptr, used);
    }
    if (memchr(terminated, '\0', used) != NULL) {
        crypto_wipe(terminated, sizeof terminated);
        return ERR_INVALID_CREDENTIALS; /* bcrypt would look no further than the NUL */
    }
    hash = crypt_r(terminated, phc, &self->crypt);
    same = hash != NULL && strlen(hash) == BCRYPT_TEXT_BYTES &&
           crypto_equal(hash, phc, BCRYPT_TEXT_BYTES);
    crypto_wipe(terminated, sizeof terminated);
    crypto_wipe(&self->crypt, sizeof self->crypt);
    return same ? OK : ERR_INVALID_CREDENTIALS;
}

enum error password_hash_verify(struct password_hasher *self, struct str input, const char *phc)
{
    int failed;

    TRY(password_hash_check(phc));
    if (password_is_bcrypt(str_from(phc))) {
        return password_bcrypt_verify(self, input, phc);
    }
    password_hasher_enter(self);
    errno = 0;
    failed = crypto_pwhash_argon2id_str_verify(phc, input.ptr, input.len);
    password_hasher_leave(self);
    if (failed == 0) {
        return OK;
    }
    /* libsodium's mark of a mismatch; without it there was no memory. */
    return errno == EINVAL ? ERR_INVALID_CREDENTIALS : ERR_INTERNAL;
}

bool password_hash_outdated(const struct password_hasher *self, const char *phc)
{
    struct password_phc parsed;

    return password_phc_parse(str_from(phc), &parsed) != OK ||
           parsed.memory_kib != self->cost.memory_kib || parsed.passes != self->cost.passes ||
           parsed.lanes != 1 || parsed.salt_bytes != PASSWORD_SALT_BYTES ||
           parsed.tag_bytes != PASSWORD_TAG_BYTES;
}
