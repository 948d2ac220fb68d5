-- Names of users, unique without regard to case by Unicode.
drop index users_name;
create unique index users_name on users (tocsin_fold(name));
comment on column login_attempts.key is 'SHA-256 of "name:<name>" or "address:<address>", without regard to case';
