/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle.h"

#include <string.h>

#include "metrics.h"
#include "network.h"

enum {
    /* `"\\x` and hex digits and `",` for both keys of each id */
    KEY_TEXT_BYTES = 2 * THROTTLE_NETWORK_KEY_BYTES + 8,
    INPUT_BYTES_MAX = 1024,
    FAIL_TRIES_MAX = 3,
    ROUND_S =
        60, /* a Retry-After that tells the second of the last failure would be one more clock */
};

static struct metric throttled = {.name = "user_service_throttled_total",
                                  .type = METRIC_COUNTER,
                                  .help =
                                      "Attempts refused and mails not sent, since there were too "
                                      "many before.",
                                  .labels = {"kind"}};

void throttle_count(enum throttle_kind kind)
{
    static const char *const names[] = {
        [THROTTLE_BY_NETWORK] = "network",
        [THROTTLE_BY_ADDRESS] = "address",
        [THROTTLE_BY_RATE] = "rate",
        [THROTTLE_BY_MAIL] = "mail",
    };
    metric_count(&throttled, names[kind], NULL, NULL);
}

void throttle_register_metrics(void)
{
    metrics_register(&throttled, 1);
}

/* The label keeps what is counted apart; no address and no network contains a NUL. */
static enum error mac(const struct crypto_key *key, struct str label, struct str email,
                      struct str network, struct crypto_digest *out)
{
    char memory[INPUT_BYTES_MAX];
    struct buf input = buf_over(memory, sizeof(memory));

    buf_append(&input, label);
    buf_append_byte(&input, '\0');
    buf_append(&input, email);
    buf_append_byte(&input, '\0');
    buf_append(&input, network);
    if (input.overflowed) {
        return ERR_NO_SPACE;
    }
    *out = crypto_hmac(key, buf_str(&input));
    return OK;
}

struct key_pair {
    uint8_t bytes[THROTTLE_NETWORK_KEY_BYTES];
};

static enum error make_pair(const struct crypto_key *key, struct str email, struct str network,
                            struct key_pair *out)
{
    struct crypto_digest address;
    struct crypto_digest both;

    TRY(mac(key, STR("address"), email, STR_EMPTY, &address));
    TRY(mac(key, STR("network"), email, network, &both));
    memcpy(out->bytes, address.bytes, THROTTLE_ADDRESS_KEY_BYTES);
    memcpy(out->bytes + THROTTLE_ADDRESS_KEY_BYTES, both.bytes,
           THROTTLE_NETWORK_KEY_BYTES - THROTTLE_ADDRESS_KEY_BYTES);
    return OK;
}

static struct str network_bytes(struct arena *arena, struct str ip)
{
    struct network_address address;

    if (network_parse(ip, &address) != OK) {
        return STR_EMPTY;
    }
    address = network_of(&address);
    return arena_copy(arena, (struct str){(const char *)address.bytes, sizeof(address.bytes)});
}

static void append_key(struct buf *out, struct str key)
{
    buf_append(out, out->len == 1 ? STR("\"\\\\x") : STR(",\"\\\\x"));
    codec_hex(out, key);
    buf_append_byte(out, '"');
}

static struct str sub_key(const struct key_pair *pair, size_t bytes)
{
    return (struct str){(const char *)pair->bytes, bytes};
}

/* The two lists that are being written. */
struct lists {
    struct buf all;
    struct buf networks;
};

static struct lists lists_in(struct arena *arena, size_t count)
{
    struct lists lists = {
        .all = buf_in(arena, 2 * count * KEY_TEXT_BYTES + 2),
        .networks = buf_in(arena, count * KEY_TEXT_BYTES + 2),
    };

    buf_append_byte(&lists.all, '{');
    buf_append_byte(&lists.networks, '{');
    return lists;
}

static enum error finish(struct lists *lists, struct arena *arena, struct throttle_keys *out)
{
    buf_append_byte(&lists->all, '}');
    buf_append_byte(&lists->networks, '}');
    TRY(buf_finish(&lists->all, &out->all));
    TRY(buf_finish(&lists->networks, &out->networks));
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

static size_t count_ids(const struct keyring *keyring)
{
    size_t count = 0;

    while (keyring_kid(keyring, count) != NULL) {
        count++;
    }
    return count;
}

static const struct crypto_key *key_of(const struct keyring *keyring, const char *kid)
{
    return keyring_key(keyring, str_from(kid), KEYRING_THROTTLE);
}

enum error throttle_begin(struct throttle_case *self, struct work *work)
{
    const size_t count = count_ids(self->keyring);
    const struct str network = network_bytes(work->arena, self->ip);
    struct lists lists = lists_in(work->arena, count);
    struct throttle_keys keys;
    struct key_pair pair;

    for (size_t i = 0; i < count; i++) {
        TRY(make_pair(key_of(self->keyring, keyring_kid(self->keyring, i)), self->email_canonical,
                      network, &pair));
        append_key(&lists.all, sub_key(&pair, THROTTLE_ADDRESS_KEY_BYTES));
        append_key(&lists.all, sub_key(&pair, THROTTLE_NETWORK_KEY_BYTES));
        append_key(&lists.networks, sub_key(&pair, THROTTLE_NETWORK_KEY_BYTES));
    }
    TRY(make_pair(key_of(self->keyring, keyring_current(self->keyring)), self->email_canonical,
                  network, &pair));
    keys.network = arena_copy(work->arena, sub_key(&pair, THROTTLE_NETWORK_KEY_BYTES));
    keys.address = str_sub(keys.network, 0, THROTTLE_ADDRESS_KEY_BYTES);
    TRY(finish(&lists, work->arena, &keys));
    self->look.keys = keys;
    return OK;
}

static enum error refuse(struct work *work, enum throttle_kind kind, int64_t wait_ms)
{
    int64_t rounds = (wait_ms + ROUND_S * 1000 - 1) / (ROUND_S * 1000);

    work->retry_after_s = (rounds < 1 ? 1 : rounds) * ROUND_S;
    throttle_count(kind);
    return ERR_TOO_MANY_ATTEMPTS;
}

enum error throttle_admit(const struct throttle_case *self, struct work *work)
{
    const struct throttle_state *state = &self->look.state;

    if (state->network_fails >= THROTTLE_NETWORK_FAILS_MAX) {
        return refuse(work, THROTTLE_BY_NETWORK, state->network_wait_ms);
    }
    if (state->address_fails >= THROTTLE_ADDRESS_FAILS_MAX && !state->is_known &&
        !self->owns_mailbox) {
        return refuse(work, THROTTLE_BY_ADDRESS, THROTTLE_NETWORK_S * 1000LL);
    }
    return OK;
}

static enum error read_state(struct throttle_case *self, struct work *work)
{
    return throttle_store_get(work->pg, &self->look.keys, &self->look.state);
}

enum error throttle_open(struct throttle_case *self, struct work *work)
{
    TRY(throttle_begin(self, work));
    TRY(read_state(self, work));
    return throttle_admit(self, work);
}

enum error throttle_fail(struct throttle_case *self, struct work *work)
{
    for (int i = 0; i < FAIL_TRIES_MAX; i++) {
        const bool any_network = self->look.state.is_known || self->owns_mailbox;
        enum error error = throttle_store_fail(work->pg, &self->look.keys, any_network);

        if (error != ERR_NO_MATCH) {
            return error == OK ? ERR_INVALID_CREDENTIALS : error;
        }
        TRY(read_state(self, work)); /* a success may have ended the count since: then once more */
        TRY(throttle_admit(self, work));
    }
    return refuse(work, THROTTLE_BY_NETWORK, THROTTLE_NETWORK_S * 1000LL);
}

void throttle_queue_success(const struct throttle_case *self, struct pg_tx *tx)
{
    const struct throttle_success success = {
        .keys = &self->look.keys,
        .notes = !self->look.state.is_fresh,
        .any_network = self->owns_mailbox,
    };

    throttle_store_succeed(tx, &success);
}

enum error throttle_explain(struct throttle_case *self, struct work *work, enum error otherwise)
{
    TRY(read_state(self, work));
    TRY(throttle_admit(self, work));
    return otherwise;
}

enum error throttle_succeed(struct throttle_case *self, struct work *work)
{
    struct pg_tx tx;
    enum error error;

    pg_tx_begin(&tx, work->pg);
    throttle_queue_success(self, &tx);
    error = pg_tx_commit(&tx);
    return error == ERR_NO_MATCH ? throttle_explain(self, work, ERR_INVALID_CREDENTIALS) : error;
}

enum error throttle_password(struct throttle_case *self, const struct passwords *passwords,
                             struct work *work, struct str password,
                             const struct password_record *record)
{
    enum error error;

    TRY(throttle_open(self, work));
    error = password_verify(passwords, work->hasher, work->arena, password, record);
    return error == ERR_INVALID_CREDENTIALS ? throttle_fail(self, work) : error;
}

enum error throttle_queue_restart(struct throttle_case *self, struct work *work, struct pg_tx *tx)
{
    TRY(throttle_begin(self, work));
    throttle_store_restart(tx, &self->look.keys);
    return OK;
}

enum error throttle_mail_keys(const struct keyring *keyring, struct arena *arena,
                              struct str email_canonical, struct throttle_keys *keys)
{
    const size_t count = count_ids(keyring);
    struct lists lists = lists_in(arena, count);
    struct throttle_keys found;
    struct crypto_digest digest;
    struct str key = {(const char *)digest.bytes, THROTTLE_ADDRESS_KEY_BYTES};

    for (size_t i = 0; i < count; i++) {
        TRY(mac(key_of(keyring, keyring_kid(keyring, i)), STR("mail"), email_canonical, STR_EMPTY,
                &digest));
        append_key(&lists.all, key);
    }
    TRY(mac(key_of(keyring, keyring_current(keyring)), STR("mail"), email_canonical, STR_EMPTY,
            &digest));
    found.network = STR_EMPTY;
    found.address = arena_copy(arena, key);
    TRY(finish(&lists, arena, &found));
    *keys = found;
    return OK;
}
