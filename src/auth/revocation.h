/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was revoked, in memory: ended sessions, and for each subject the least `av` that still counts.
 * The feed (delivery/feed) fills it from table revocations; who commits a revocation also adds it
 * here before answering.
 *
 * When the feed has not read for a while, or the set has more than REVOCATION_MAX entries, memory
 * cannot vouch for a token: REVOCATION_UNKNOWN, ask the database.
 *
 * Ownership: the set copies what it is given. Threads: any.
 */
#pragma once

#include "codec.h"

enum { REVOCATION_MAX = 1000000 };

enum revocation_verdict { REVOCATION_NONE, REVOCATION_FOUND, REVOCATION_UNKNOWN };

struct revocations;

/* `stale_max_ms`: how long ago the feed's last good read may have begun. */
struct revocations *revocation_new(int64_t stale_max_ms);
void revocation_free(struct revocations *self);

/* What a token says of itself. */
struct revocation_query {
    struct uuid sid;
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
