/* SPDX-License-Identifier: Apache-2.0 */
#include "password.h"

#include "unicode.h"

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

    buf_printf(&out, "$argon2id$v=19$m=%u,t=%u,p=1$", cost.memory_kib, cost.passes);
    append_random_base64(&out, 16);
    buf_append_byte(&out, '$');
    append_random_base64(&out, 32);
    self->dummy.text[out.len] = '\0';
}

/* Stands in for the id of a pepper key where passwords are normalised but not keyed; no key can have
 * this id. */
static const struct str no_pepper = {".", 1};

static struct str pepper_in_force(const struct passwords *self)
{
    return self->peppered ? str_from(keyring_current(self->keyring)) : no_pepper;
}

/* What is no text is nobody's password. */
static enum error normal_form(struct arena *arena, struct str password, struct str *out)
{
    const enum error error = unicode_nfc(arena, password, out);

    return error == ERR_INVALID ? ERR_INVALID_CREDENTIALS : error;
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
        return normal_form(arena, password, out);
    }
    pepper = keyring_key(self->keyring, pepper_kid, KEYRING_PEPPER);
    if (pepper == NULL) {
        return ERR_INTERNAL; /* the keyring lost a key that is in use */
    }
    TRY(normal_form(arena, password, &normal));
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

bool password_outdated(const struct passwords *self, const struct password_hasher *hasher,
                       struct arena *arena, const struct password_record *record)
{
    const char *phc = arena_terminated(arena, record->phc);

    return phc != NULL && (password_hash_outdated(hasher, phc) ||
                           !str_equal(record->pepper_kid, pepper_in_force(self)));
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
