/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was revoked, in memory: ended sessions, and for each subject the least `av` that still counts.
 * The feed (delivery/feed) fills it from table revocations; who commits a revocation also adds it
 * here before answering.
 *
 * When the feed has not read for a while, or more was revoked than fits (REVOCATION_MAX entries, or
 * memory), memory cannot vouch for a token: REVOCATION_UNKNOWN, ask the database. What is found is
 * revoked in any case.
 *
 * Nothing is taken out before it expires. What has expired goes when the table grows, and once a minute
 * where that makes it smaller.
 *
 * Ownership: the set copies what it is given. Threads: any.
 */
#pragma once

#include "revocation_store.h"

enum { REVOCATION_MAX = 1000000 };

enum revocation_verdict { REVOCATION_NONE, REVOCATION_FOUND, REVOCATION_UNKNOWN };

struct revocations;

/* `stale_max_ms`: how long ago the feed's last good read may have begun. */
struct revocations *revocation_new(int64_t stale_max_ms);
void revocation_free(struct revocations *self);
/* The figures of this set; after the first, no other's. */
void revocation_register_metrics(struct revocations *self);

/* What a token says of itself. */
struct revocation_query {
    struct uuid sid; /* nil: it is of no session, but a client's */
    struct str sub;
    int64_t auth_ver;
};
enum revocation_verdict revocation_judge(const struct revocations *self,
                                         const struct revocation_query *query);

/* Until `expires_s` (Unix time); adding what is there already is fine. */
void revocation_add_session(struct revocations *self, struct uuid sid, int64_t expires_s);
void revocation_add_subject(struct revocations *self, struct str sub, int64_t min_auth_ver,
                            int64_t expires_s);
/* The feed has read everything that was committed before `began_ms` (clock_mono_ms). */
void revocation_read(struct revocations *self, int64_t began_ms);
/* Something was committed that could not be added: memory vouches for nothing before the next read that
 * begins from now on. */
void revocation_doubt(struct revocations *self);
/* After a commit that revoked what its author could not name beforehand (all sessions of a user, an
 * auth_ver that the database raised): adds what the feed has not read yet, in one round trip on the
 * caller's connection. Where that fails, revocation_doubt. */
void revocation_catch_up(struct revocations *self, struct pg *pg);

/* For revocation_reader.c: the moment of the feed's last good read; NULL forgets it. */
void revocation_set_moment(struct revocations *self, const struct revocation_moment *moment);
bool revocation_get_moment(struct revocations *self, struct revocation_moment *out);
/* Entries, with what has expired since they were last looked through. */
size_t revocation_count(const struct revocations *self);
