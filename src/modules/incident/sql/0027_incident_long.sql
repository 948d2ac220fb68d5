-- Links as long as they may be: of characters of several bytes they are too long for an index.
alter table incident_links drop constraint incident_links_incident_id_url_key;
create unique index incident_links_url on incident_links (incident_id, tocsin_hash(url));
