-- Changes a link; needs lock.sql before it. What is as it was is not told.
-- $1 incident; $2 link; $3 URL, null: as it is; $4 label; $5 whether it is given; $6 visibility, null: as it is;
-- $7 actor
-- columns: conflict: url or null; no row if the incident has no such link
with before as materialized (
	select l.incident_id, l.id, i.status, i.severity, v.*,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id) as systems,
		(v.next_url, v.next_label, v.next_visibility) is distinct from (l.url, l.label, l.visibility) as is_edit,
		case when exists (select from incident_links o
				where o.incident_id = l.incident_id and o.url = $3 and o.id <> l.id)
			then 'url' end as conflict
	from incident_links l join incidents i on i.id = l.incident_id,
		lateral (select coalesce($3, l.url) as next_url,
			case when $5::boolean then $4 else l.label end as next_label,
			coalesce($6::incident_visibility, l.visibility) as next_visibility) v
	where l.incident_id = $1::uuid and l.id = $2::uuid
), edited as (
	update incident_links l set url = b.next_url, label = b.next_label, visibility = b.next_visibility
	from before b
	where l.incident_id = b.incident_id and l.id = b.id and b.is_edit and b.conflict is null
	returning l.id
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.lifecycle.changed', b.incident_id, 'updated', b.systems,
		jsonb_build_object('status', b.status, 'severity', b.severity, 'linkId', b.id),
		jsonb_build_object('status', b.status, 'severity', b.severity, 'linkId', b.id), $7
	from before b join edited e using (id)
)
select conflict from before
