-- Open incidents of a system, newest first. `offset 0` keeps the walk along the system's own open ones:
-- merged into one join, it may become a walk along everybody's.
-- $1 limit; $2 cursor: older than this id, null: from the newest; $3 status, null: any; $4 system
-- columns: id, document
select d.id, d.document
from (select incident_id from incident_systems
		where system_id = $4 and is_open
			and incident_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
		order by incident_id desc offset 0) s
	join incident_documents d on d.id = s.incident_id
where $3::incident_status is null or d.status = $3::incident_status
order by s.incident_id desc limit $1::bigint
