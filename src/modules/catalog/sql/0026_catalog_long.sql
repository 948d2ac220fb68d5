-- Contacts and links as long as they may be: beside a long system's id, or of characters of several bytes, they are too
-- long for an index. The tables in the order in which statements take them.
alter table system_contacts drop constraint system_contacts_system_id_type_value_key;
create unique index system_contacts_value on system_contacts (system_id, type, tocsin_hash(value));
alter table system_links drop constraint system_links_system_id_url_key;
create unique index system_links_url on system_links (system_id, tocsin_hash(url));
