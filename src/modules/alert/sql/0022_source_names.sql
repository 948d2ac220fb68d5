-- Names of sources, unique without regard to case by Unicode.
drop index alert_sources_name;
create unique index alert_sources_name on alert_sources (tocsin_fold(name)) where revoked_at is null;
