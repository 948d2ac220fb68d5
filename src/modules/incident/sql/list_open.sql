-- Open incidents, newest first.
-- $1 limit; $2 cursor: older than this id, null: from the newest; $3 status, null: any
-- columns: id, document
select id, document from incident_documents
where status <> 'resolved' and ($3::incident_status is null or status = $3::incident_status)
	and id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by id desc limit $1::bigint
