-- A page of the audit trail of one actor, newest first; see list_audit.sql.
-- $1 limit; $2 cursor: older than this, null: from the newest; $3 actor
-- columns: sequence, document
select e.sequence, audit_document(row(e.*)::audit) as document
from (
	(select * from audit where actor = $3 and sequence < coalesce($2::bigint, 9223372036854775807)
		order by sequence desc limit $1::bigint)
	union
	(select * from audit_unread where actor = $3 and sequence < coalesce($2::bigint, 9223372036854775807)
		order by sequence desc limit $1::bigint)
) as e
order by e.sequence desc limit $1::bigint
