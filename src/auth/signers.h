/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing keys in force: the one that signs, and all that verify. They change while requests run:
 * a change puts a whole new set in the place of the old one.
 *
 * Ownership: the sets are the signers', and own their keys. One that was taken with signers_now stays
 * valid for at least SIGNERS_GRACE_S after it was replaced, which is longer than any request lasts.
 * Threads: signers_now from any, without waiting; signers_replace from one at a time.
 */
#pragma once

#include "signing.h"

enum { SIGNERS_KEYS_MAX = 64, SIGNERS_GRACE_S = 120 };

struct signer_set {
    struct signing_key *keys[SIGNERS_KEYS_MAX]; /* all verify; the set is an owner of each */
    size_t count;
    const struct signing_key *signer; /* one of them; NULL: nothing can be signed */
    /* Filled by signers_replace: */
    uint64_t generation; /* of this process; rises with each replacement */
    struct str jwks;     /* the public keys as a JWK set (RFC 7517 section 5) */
    struct str jwks_etag;
};

struct signers;

struct signers *signers_new(void);
/* With that key alone, which it takes over. */
struct signers *signers_new_of(struct signing_key *key);
void signers_free(struct signers *self);
const struct signer_set *signers_now(const struct signers *self);
/* Takes the set's keys over (signing_key_hold what shall live on); what is left of sets replaced long ago is freed. */
void signers_replace(struct signers *self, const struct signer_set *set);
/* NULL: no key of that id. */
const struct signing_key *signers_find(const struct signer_set *set, struct str kid);
/* The entity tag of a document that others cache (RFC 9110 section 8.8.3): of its content. */
enum { SIGNERS_ETAG_BYTES = 18 };
void signers_etag(struct str document, struct buf *out);
