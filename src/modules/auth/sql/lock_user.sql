-- Holds a user until the transaction ends: a log-in that is under way is then in the next snapshot, or waits.
-- $1 id uuid
-- Columns: password_version.
select password_version from users where id = $1::uuid for update
