-- A page of the audit trail, newest first. What the copy does not have yet comes from the outbox.
-- $1 limit; $2 cursor: older than this, null: from the newest
-- columns: sequence, document
select e.sequence, audit_document(row(e.*)::audit) as document
from (
	(select * from audit where sequence < coalesce($2::bigint, 9223372036854775807)
		order by sequence desc limit $1::bigint)
	union
	(select * from audit_unread where sequence < coalesce($2::bigint, 9223372036854775807)
		order by sequence desc limit $1::bigint)
) as e
order by e.sequence desc limit $1::bigint
