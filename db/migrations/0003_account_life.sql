-- What happens to an account after it was made.

ALTER TABLE mail_requests DROP CONSTRAINT mail_requests_kind_check;
ALTER TABLE mail_requests ADD CONSTRAINT mail_requests_kind_check
    CHECK (kind IN ('registration', 'verification', 'password_reset'));
