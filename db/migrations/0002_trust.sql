-- What others rely on: revocations that every replica sees, machine clients, keys, and the audit trail.

-- Read by every replica a few times a second (rows whose transaction was not over at the read before).
-- No foreign keys: a row must outlive what it speaks of.
CREATE TABLE revocations (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    session_id   uuid,                               -- this session has ended,
    subject      text,                               -- or tokens of this `sub` count only
    min_auth_ver bigint,                             -- from this `av` on,
    changed      text CHECK (changed IN ('clients', 'keys')), -- or read that table anew
    expires_at   timestamptz NOT NULL,               -- no token that it speaks of is alive any more
    CHECK (num_nonnulls(session_id, subject, changed) = 1),
    CHECK ((subject IS NULL) = (min_auth_ver IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX revocations_xid ON revocations (xid, seq);
CREATE INDEX revocations_expires ON revocations (expires_at);

CREATE TABLE clients (
    id                 uuid PRIMARY KEY,             -- UUIDv7; its text is the client_id
    name               text NOT NULL,
    is_public          boolean NOT NULL,             -- logs users in, has no secret
    secret_hash        bytea,                        -- SHA-256 of 256 random bits
    prev_secret_hash   bytea,                        -- valid until the next rotation
    audience           text[] NOT NULL DEFAULT '{}',
    scope              text[] NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    rotated_at         timestamptz,
    disabled_at        timestamptz,
    CHECK (is_public = (secret_hash IS NULL))
);

-- Every signing key ever seen; the clock is the database's.
CREATE TABLE signing_keys (
    kid            text PRIMARY KEY,
    public_jwk     text NOT NULL,
    first_seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_signed_at timestamptz,
    revoked_at     timestamptz
);

CREATE TABLE keyring_keys (
    kid             text PRIMARY KEY,
    first_seen_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_current_at timestamptz
);
CREATE INDEX users_pepper_kid ON users (pepper_kid) WHERE pepper_kid IS NOT NULL;

-- Append-only: one row for each event that an auditor asks about, in the transaction of the change.
CREATE TABLE audit (
    id         uuid PRIMARY KEY,                     -- UUIDv7: the order of time
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    type       text NOT NULL,                        -- user.disabled, client.created, …
    actor      text NOT NULL,                        -- `sub` or client_id; 'cli:' and the system user
    subject    text,                                 -- whom it is about
    request_id text,
    reason     text,
    network    text,                                 -- the client's address
    detail     text                                  -- JSON object
);
CREATE INDEX audit_subject ON audit (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_request ON audit (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_type ON audit (type, id);
CREATE INDEX audit_at ON audit (at);

-- What administrators and operators look for.
CREATE INDEX users_disabled ON users (id) WHERE status = 'disabled';
CREATE INDEX outbox_dead_seq ON outbox (seq) WHERE dead_at IS NOT NULL;
CREATE INDEX outbox_held ON outbox (id) WHERE dead_at IS NOT NULL OR parked_at IS NOT NULL;
-- A user's live sessions, however many have ended: for lists, and for whatever ends all of them.
CREATE INDEX sessions_live ON sessions (user_id, id) WHERE revoked_at IS NULL;
