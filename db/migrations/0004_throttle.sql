-- How often a password was wrong, from where a user has come, and how many mails were asked for.
-- Keys are HMACs of address and network: nothing here names anybody.

-- Of the address in all (16 bytes), or of the address from one network (32 bytes, the first 16 as
-- before: what is counted of one address is a range).
CREATE TABLE throttle (
    key   bytea PRIMARY KEY,
    fails integer NOT NULL,                          -- wrong passwords in a row
    until timestamptz NOT NULL                       -- forgotten then
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX throttle_until ON throttle (until);

-- Networks from which a user has logged in (32 bytes as above): they stay open to them when others
-- try many passwords.
CREATE TABLE known_networks (
    key   bytea PRIMARY KEY,
    until timestamptz NOT NULL
);
CREATE INDEX known_networks_until ON known_networks (until);

-- Mails to an address that anybody may ask for.
CREATE TABLE mail_counts (
    key   bytea PRIMARY KEY,
    sent  timestamptz[] NOT NULL,                    -- those of a day, the newest last
    until timestamptz NOT NULL                       -- forgotten then
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX mail_counts_until ON mail_counts (until);
