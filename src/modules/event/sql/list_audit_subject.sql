-- A page of the audit trail of one subject, newest first; see list_audit.sql.
-- $1 limit; $2 cursor: older than this, null: from the newest; $3 subject; $4 actor, null: any
-- columns: sequence, document
select e.sequence, audit_document(row(e.*)::audit) as document
from (
	(select * from audit where subject = $3 and ($4::text is null or actor = $4)
			and sequence < coalesce($2::bigint, 9223372036854775807)
		order by sequence desc limit $1::bigint)
	union
	(select * from audit_unread where subject = $3 and ($4::text is null or actor = $4)
			and sequence < coalesce($2::bigint, 9223372036854775807)
		order by sequence desc limit $1::bigint)
) as e
order by e.sequence desc limit $1::bigint
