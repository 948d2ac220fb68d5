-- Incidents of a system, newest first: resolved ones, and open ones unless the status says no. Two walks
-- along one index.
-- $1 limit; $2 cursor: older than this id, null: from the newest; $3 status: resolved, or null: any; $4 system
-- columns: id, document
with member as (
	(select incident_id from incident_systems
		where system_id = $4 and is_open and $3::incident_status is null
			and incident_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
		order by incident_id desc limit $1::bigint)
	union all
	(select incident_id from incident_systems
		where system_id = $4 and not is_open
			and incident_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
		order by incident_id desc limit $1::bigint)
	order by incident_id desc limit $1::bigint
)
select d.id, d.document
from member m join incident_documents d on d.id = m.incident_id
order by m.incident_id desc
