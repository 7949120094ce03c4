/* SPDX-License-Identifier: Apache-2.0 */
#include "mfa_code.h"

#include "clock.h"
#include "totp.h"

/* 128 bits are 26 digits of base32; they are shown in groups of five and one of six. */
enum { RECOVERY_BYTES = 16, RECOVERY_DIGITS = 26, GROUP_DIGITS = 5, GROUPS = 5 };

static struct str hash_in(struct arena *arena, struct str text)
{
    struct crypto_digest digest = crypto_sha256(text);

    return arena_copy(arena, (struct str){(const char *)digest.bytes, sizeof(digest.bytes)});
}

/* As it is stored: without what separates its groups, in one case. */
static struct str normalized(struct arena *arena, struct str code)
{
    struct buf out = buf_in(arena, code.len);

    for (size_t i = 0; i < code.len; i++) {
        const char c = code.ptr[i];

        if (c != '-' && c != ' ') {
            buf_append_byte(&out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
        }
    }
    return buf_str(&out);
}

static struct str recovery_hash(struct work *work, const struct mfa_code_question *question,
                                struct str code)
{
    return question->is_pending || code.len != RECOVERY_DIGITS ? STR_EMPTY
                                                               : hash_in(work->arena, code);
}

/* What a key that is not the current one has sealed is sealed anew, so that the old one can go. */
static enum error reseal(const struct mfa_code_question *question, struct work *work,
                         const struct totp_secret *secret, struct mfa_use *use)
{
    if (str_equal(use->secret.kid, str_from(keyring_current(question->keyring)))) {
        return OK;
    }
    return totp_seal(question->keyring, work->arena, question->user_id, secret, &use->secret);
}

static enum error check_step(const struct mfa_code_question *question, struct work *work,
                             const struct mfa_attempt *attempt, struct str code,
                             struct mfa_use *use)
{
    const struct totp_moment moment = {clock_wall_s(), attempt->last_step};
    struct totp_secret secret;
    enum error error;

    TRY(totp_open(question->keyring, question->user_id, &attempt->secret, &secret));
    error = totp_check(&secret, code, &moment, &use->step);
    if (error == OK) {
        error = reseal(question, work, &secret, use);
    }
    crypto_wipe(&secret, sizeof(secret));
    return error;
}

enum error mfa_code_check(struct work *work, const struct mfa_code_question *question,
                          struct mfa_code_proof *out)
{
    const struct str code = normalized(work->arena, question->code);
    const struct mfa_try attempted = {
        .user_id = question->user_id,
        .is_pending = question->is_pending,
        .recovery_hash = recovery_hash(work, question, code),
    };
    struct mfa_attempt attempt;

    TRY(mfa_store_attempt(work->pg, work->arena, &attempted, &attempt));
    if (attempt.is_braked) {
        work->retry_after_s = attempt.retry_after_s;
        return ERR_TOO_MANY_ATTEMPTS;
    }
    struct mfa_code_proof proof = {
        .use = {.user_id = question->user_id,
                .counted_ms = attempt.counted_ms,
                .seen_nonce = attempt.secret.nonce,
                .secret = attempt.secret,
                .recovery_hash = attempted.recovery_hash},
        .is_recovery = attempted.recovery_hash.len > 0,
        .amr = STR("pwd mfa"),
    };
    if (proof.is_recovery && !attempt.has_recovery) {
        return ERR_INVALID_CODE;
    }
    if (!proof.is_recovery) {
        proof.amr = STR("pwd otp");
        TRY(check_step(question, work, &attempt, code, &proof.use));
    }
    *out = proof;
    return OK;
}

void mfa_code_use(struct pg_tx *tx, const struct mfa_code_proof *proof,
                  const struct audit_actor *by)
{
    const struct audit_entry entry = {.type = "user.recovery_code_used", .subject = by->actor};

    if (!proof->is_recovery) {
        mfa_store_use_step(tx, &proof->use);
        return;
    }
    mfa_store_use_recovery(tx, &proof->use);
    audit_append(tx, by, &entry);
}

static struct str grouped(struct arena *arena, struct str digits)
{
    struct buf out = buf_in(arena, RECOVERY_DIGITS + GROUPS);

    for (size_t i = 0; i < digits.len; i++) {
        if (i > 0 && i % GROUP_DIGITS == 0 && i / GROUP_DIGITS < GROUPS) {
            buf_append_byte(&out, '-');
        }
        buf_append_byte(&out, digits.ptr[i]);
    }
    return buf_str(&out);
}

static struct str recovery_code(struct arena *arena, struct buf *hashes)
{
    struct buf text = buf_in(arena, RECOVERY_DIGITS);
    uint8_t bytes[RECOVERY_BYTES];
    struct str digits;

    crypto_random(bytes, sizeof(bytes));
    codec_base32(&text, (struct str){(const char *)bytes, sizeof(bytes)});
    crypto_wipe(bytes, sizeof(bytes));
    digits = normalized(arena, buf_str(&text));
    buf_append(hashes, hash_in(arena, digits));
    return grouped(arena, digits);
}

enum error mfa_code_recovery_new(struct arena *arena, struct mfa_code_recovery *out)
{
    struct buf hashes = buf_in(arena, (size_t)MFA_CODE_RECOVERY_COUNT * CRYPTO_SHA256_BYTES);
    struct mfa_code_recovery made;

    for (size_t i = 0; i < MFA_CODE_RECOVERY_COUNT; i++) {
        made.codes[i] = recovery_code(arena, &hashes);
    }
    made.hashes = buf_str(&hashes);
    if (arena_overflowed(arena) || hashes.overflowed) {
        return ERR_NO_SPACE;
    }
    *out = made;
    return OK;
}
