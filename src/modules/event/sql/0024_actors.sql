comment on column audit.actor is 'Who did it: "key:<uuid>", "user:<uuid>", "source:<uuid>", "source:alertmanager", "cli:<user of the system>"; null: nobody who is known';
comment on column events.actor is 'As audit.actor';
comment on column incident_updates.created_by is 'As audit.actor';
comment on column api_keys.created_by is 'As audit.actor; null: the first start';
comment on column users.created_by is 'As audit.actor';
comment on column alert_sources.created_by is 'As audit.actor';
