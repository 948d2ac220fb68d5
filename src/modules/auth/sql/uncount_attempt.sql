-- Takes back an attempt that succeeded, or whose password nobody looked at.
-- $1 who: 'name:<name>' or 'address:<address>'
update login_attempts
set attempts = attempts - 1
where key = sha256(convert_to(tocsin_fold($1), 'UTF8')) and attempts > 0
