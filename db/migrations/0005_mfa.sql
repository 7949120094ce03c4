-- Second factors.

-- Pending until its first code was given; a pending one is worth nothing after an hour.
CREATE TABLE totp_factors (
    user_id      uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    kid          text NOT NULL,                      -- keyring key that the secret is encrypted with
    nonce        bytea NOT NULL,
    secret       bytea NOT NULL,                     -- AES-256-GCM and its tag, bound to user_id
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    last_step    bigint NOT NULL DEFAULT 0,          -- of time; no code of it or before counts again
    failed_at    timestamptz[] NOT NULL DEFAULT '{}' -- last ten attempts that came to nothing
) WITH (fillfactor = 80);
CREATE INDEX totp_factors_kid ON totp_factors (kid);

CREATE TABLE recovery_codes (
    user_id   uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash bytea NOT NULL,                        -- SHA-256 of 128 random bits in their text form
    PRIMARY KEY (user_id, code_hash)
);

-- Who has given the right password and owes a code. The token carries its MAC, as one-time tokens do.
CREATE TABLE mfa_logins (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    auth_ver   bigint NOT NULL,
    client_id  text NOT NULL,                        -- the session will be this client's
    amr        text[] NOT NULL,                      -- what was proved
    expires_at timestamptz NOT NULL
);
CREATE INDEX mfa_logins_user ON mfa_logins (user_id);
CREATE INDEX mfa_logins_expires ON mfa_logins (expires_at);
