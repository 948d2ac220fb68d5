-- Takes back an attempt that succeeded.
-- $1 who: 'address:<address>'
update login_attempts
set attempts = attempts - 1
where key = sha256(convert_to(tocsin_fold($1), 'UTF8')) and attempts > 0
