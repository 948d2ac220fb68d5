-- Open incidents of a system, newest first.
-- $1 limit; $2 cursor: older than this id, null: from the newest; $3 status, null: any; $4 system
-- columns: id, document
select d.id, d.document
from incident_systems s join incident_documents d on d.id = s.incident_id
where s.system_id = $4 and s.is_open
	and ($3::incident_status is null or d.status = $3::incident_status)
	and s.incident_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by s.incident_id desc limit $1::bigint
