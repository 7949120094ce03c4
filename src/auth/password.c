/* SPDX-License-Identifier: Apache-2.0 */
#include "password.h"

#include <string.h>
#include <utf8proc.h>

static void append_random_base64(struct buf *out, size_t bytes)
{
    uint8_t random[32];
    struct buf padded;
    char text[48];
    struct str encoded;

    crypto_random(random, bytes);
    padded = buf_over(text, sizeof(text));
    codec_base64(&padded, (struct str){(const char *)random, bytes});
    encoded = buf_str(&padded);
    while (str_ends(encoded, STR("="))) { /* PHC strings carry no padding */
        encoded.len--;
    }
    buf_append(out, encoded);
}

void password_init(struct passwords *self, struct password_hash_cost cost)
{
    struct buf out = buf_over(self->dummy.text, sizeof(self->dummy.text) - 1);
    struct buf sentence = buf_over(self->too_short, sizeof(self->too_short));

    buf_printf(&out, "$argon2id$v=19$m=%u,t=%u,p=1$", cost.memory_kib, cost.passes);
    append_random_base64(&out, 16);
    buf_append_byte(&out, '$');
    append_random_base64(&out, 32);
    self->dummy.text[out.len] = '\0';
    buf_printf(&sentence, "a password has at least %u characters", self->codepoints_min);
    self->too_short_len = sentence.len;
}

void password_policy(const struct passwords *self, struct str password, struct str pointer,
                     struct json_findings *findings)
{
    size_t codepoints = str_codepoints(password);

    if (password.len > PASSWORD_BYTES_MAX || codepoints > PASSWORD_CODEPOINTS_MAX) {
        json_findings_add(findings, pointer, "password_too_long",
                          STR("a password has at most 256 characters and 1024 bytes"));
    }
    if (codepoints < self->codepoints_min) {
        json_findings_add(findings, pointer, "password_too_short",
                          (struct str){self->too_short, self->too_short_len});
    }
}

/* NFC without a heap: decomposed code points and the composed text are both in the arena. */
static enum error normalise(struct arena *arena, struct str password, struct str *out)
{
    const utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    const utf8proc_uint8_t *text = (const utf8proc_uint8_t *)password.ptr;
    utf8proc_ssize_t length = (utf8proc_ssize_t)password.len;
    utf8proc_ssize_t count = utf8proc_decompose(text, length, NULL, 0, options);
    utf8proc_int32_t *codepoints;

    if (count < 0) {
        return ERR_INVALID_CREDENTIALS;
    }
    /* One more: utf8proc_reencode terminates what it wrote, in place. */
    codepoints = arena_alloc_array(arena, (size_t)count + 1, sizeof(*codepoints));
    if (codepoints == NULL) {
        return ERR_NO_SPACE;
    }
    count = utf8proc_decompose(text, length, codepoints, count, options);
    if (count >= 0) {
        count = utf8proc_reencode(codepoints, count, options);
    }
    if (count < 0) {
        return ERR_INVALID_CREDENTIALS;
    }
    *out = (struct str){(const char *)codepoints, (size_t)count};
    return OK;
}

/* Stands in for the id of a pepper key where passwords are normalised but not keyed; no key can have
 * this id. */
static const struct str no_pepper = {".", 1};

static struct str pepper_in_force(const struct passwords *self)
{
    return self->peppered ? str_from(keyring_current(self->keyring)) : no_pepper;
}

/* What Argon2id sees: the MAC of the normalised password, or that password itself where no pepper is
 * in use, or for an imported hash the bytes as they came. */
static enum error keyed(const struct passwords *self, struct arena *arena, struct str password,
                        struct str pepper_kid, struct str *out)
{
    const struct crypto_key *pepper;
    struct crypto_digest *digest;
    struct str normal;

    if (pepper_kid.len == 0) {
        *out = password;
        return OK;
    }
    if (str_equal(pepper_kid, no_pepper)) {
        return normalise(arena, password, out);
    }
    pepper = keyring_key(self->keyring, pepper_kid, KEYRING_PEPPER);
    if (pepper == NULL) {
        return ERR_INTERNAL; /* the keyring lost a key that is in use */
    }
    TRY(normalise(arena, password, &normal));
    digest = arena_alloc(arena, sizeof(*digest));
    if (digest == NULL) {
        return ERR_NO_SPACE;
    }
    *digest = crypto_hmac(pepper, normal);
    *out = (struct str){(const char *)digest->bytes, sizeof(digest->bytes)};
    return OK;
}

enum error password_store(const struct passwords *self, struct password_hasher *hasher,
                          struct arena *arena, struct str password, struct password_record *out)
{
    struct password_record record = {.pepper_kid = pepper_in_force(self)};
    struct password_hash hash;
    struct str input;

    TRY(keyed(self, arena, password, record.pepper_kid, &input));
    TRY(password_hash_make(hasher, input, &hash));
    record.phc = arena_copy(arena, str_from(hash.text));
    if (record.phc.len == 0) {
        return ERR_NO_SPACE;
    }
    *out = record;
    return OK;
}

/* The stand-in costs what a stored hash costs, and is peppered like one. */
static struct password_record dummy_record(const struct passwords *self)
{
    return (struct password_record){
        .phc = str_from(self->dummy.text),
        .pepper_kid = pepper_in_force(self),
    };
}

enum error password_verify(const struct passwords *self, struct password_hasher *hasher,
                           struct arena *arena, struct str password,
                           const struct password_record *record)
{
    struct password_record used = record == NULL ? dummy_record(self) : *record;
    const char *phc = arena_terminated(arena, used.phc);
    struct str input;
    enum error error;

    if (phc == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(keyed(self, arena, password, used.pepper_kid, &input));
    error = password_hash_verify(hasher, input, phc);
    if (error == ERR_INVALID) {
        return ERR_INTERNAL; /* what we stored is not a hash */
    }
    return error == OK && record == NULL ? ERR_INVALID_CREDENTIALS : error;
}
