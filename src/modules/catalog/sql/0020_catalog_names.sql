-- Names of systems and groups, unique without regard to case by Unicode.
drop index systems_name;
create unique index systems_name on systems (tocsin_fold(name)) where not discovered;
drop index catalog_groups_name;
create unique index catalog_groups_name on catalog_groups (tocsin_fold(name));
