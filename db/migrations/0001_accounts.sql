-- Accounts, sessions and events.

CREATE TABLE users (
    id                uuid PRIMARY KEY,
    subject           text UNIQUE,                   -- `sub` of an imported user; null: the id
    email             text NOT NULL,                 -- as its owner wrote it; mail goes here
    email_canonical   text COLLATE "C" NOT NULL UNIQUE,
    email_verified_at timestamptz,
    password_hash     text NOT NULL,                 -- PHC string
    pepper_kid        text,                          -- pepper's key; '.': none; null: imported hash
    name              text,
    locale            text,
    roles             text[] NOT NULL DEFAULT '{}',
    status            text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    auth_ver          bigint NOT NULL DEFAULT 1,     -- rises with each change of a credential
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Each attempt to register is its own row: a click on a mail's link activates that attempt alone.
CREATE TABLE registrations (
    id              uuid PRIMARY KEY,                -- UUIDv7
    user_id         uuid NOT NULL,                   -- the id that the account would get
    email           text NOT NULL,
    email_canonical text COLLATE "C" NOT NULL,
    password_hash   text NOT NULL,
    pepper_kid      text,
    name            text,
    locale          text,
    expires_at      timestamptz NOT NULL
);
CREATE INDEX registrations_email ON registrations (email_canonical, id DESC);
CREATE INDEX registrations_expires ON registrations (expires_at);

-- One-time tokens carry their MAC; the row says whom they are for and that they are not used yet.
CREATE TABLE one_time_tokens (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose    text NOT NULL,
    auth_ver   bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id);
CREATE INDEX one_time_tokens_expires ON one_time_tokens (expires_at);

-- Columns that a rotation changes are in no index, so an update stays on its page.
CREATE TABLE sessions (
    id                  uuid PRIMARY KEY,            -- UUIDv7
    user_id             uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id           text NOT NULL,
    kid                 text NOT NULL,               -- keyring key of the refresh token, for life
    generation          bigint NOT NULL DEFAULT 0,
    token_hash          bytea NOT NULL,
    prev_hash           bytea,
    idem_hash           bytea,
    auth_ver            bigint NOT NULL,
    auth_time           timestamptz NOT NULL,
    amr                 text[] NOT NULL,
    created_at          timestamptz NOT NULL,
    rotated_at          timestamptz,
    idle_expires_at     timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    revoked_at          timestamptz,
    ip                  text,
    user_agent          text
) WITH (fillfactor = 80);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (absolute_expires_at);

-- What was asked for without a login: one row whoever is asked about. The mailroom resolves it.
CREATE TABLE mail_requests (
    id              uuid PRIMARY KEY,                -- UUIDv7
    kind            text NOT NULL CHECK (kind IN ('registration', 'verification')),
    email           text NOT NULL,
    email_canonical text COLLATE "C" NOT NULL,
    locale          text,
    registration_id uuid,                            -- of kind 'registration'
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts        integer NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX mail_requests_due ON mail_requests (due_at);
CREATE INDEX mail_requests_email ON mail_requests (email_canonical, kind, id);

-- An event is a row here in the transaction that made it true; what was delivered is deleted.
CREATE TABLE outbox (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid NOT NULL,
    subject         text NOT NULL,
    type            text NOT NULL,                   -- without prefix and version: user.registered
    is_ordered      boolean NOT NULL,                -- mails are not
    data            text NOT NULL,                   -- JSON object
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(), -- schedule, and end of the lease
    leased_at       timestamptz,                     -- on its way since; of two relays it tells whose
    attempts        integer NOT NULL DEFAULT 0,      -- failed ones, but for the endpoint's own faults
    rejections      integer NOT NULL DEFAULT 0,      -- of them, those that the receiver refused
    first_failed_at timestamptz,
    faulted_at      timestamptz,                     -- last answer that was the endpoint's fault
    parked_at       timestamptz,                     -- failed for long: blocks its subject no more
    dead_at         timestamptz,                     -- given up; an operator may send it again
    last_error      text,
    expires_at      timestamptz,                     -- a mail dies with its token, or after a day
    token_kid       text,                            -- the mail's one-time token is derived of these
    token_purpose   text,
    token_id        uuid
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_due ON outbox (due_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_head ON outbox (subject, seq) WHERE is_ordered AND dead_at IS NULL
                                                   AND parked_at IS NULL;
CREATE INDEX outbox_dead ON outbox (dead_at) WHERE dead_at IS NOT NULL;

-- Ends a statement that must match exactly one row: the whole pipeline is undone otherwise.
CREATE FUNCTION expect_one(matched bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF matched <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'US001', MESSAGE = 'expected one row, found ' || matched;
    END IF;
END
$$;
