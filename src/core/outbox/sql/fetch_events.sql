-- The next events after a position, in order, as far as nothing can come before them any more
-- (0002_events.sql). Streams are told of incidents only, and of those no text that people wrote: who may read
-- incidents may not see everything that was said about them.
-- $1 transaction; $2 sequence; $3 limit
-- columns: transaction, sequence, kind, subject, action, systems (JSON); document, lifecycle (JSON for
-- streams, null: not told)
select e.transaction, e.sequence, e.kind, e.subject, e.action, to_json(e.systems) as systems,
	case when e.kind like 'incident.%' and e.kind <> 'incident.lifecycle.changed' then
		concat('{"incidentId":', to_json(e.subject), ',"systemIds":', to_json(e.systems),
			',"action":', to_json(e.action), ',"at":"', tocsin_timestamp(e.time), '"',
			',"previous":' || case when e.previous is not null then jsonb_strip_nulls(
				jsonb_build_object('status', e.previous -> 'status',
					'severity', e.previous -> 'severity'))::text end,
			',"next":' || case when e.next is not null then jsonb_strip_nulls(
				jsonb_build_object('status', e.next -> 'status',
					'severity', e.next -> 'severity'))::text end, '}') end as document,
	case when e.kind like 'incident.%' then
		concat('{"incidentId":', to_json(e.subject), ',"systemIds":', to_json(e.systems),
			',"action":', to_json(e.action), '}') end as lifecycle
from events e
where (e.transaction, e.sequence) > ($1::xid8, $2::bigint)
	and e.transaction < pg_snapshot_xmin(pg_current_snapshot())
order by e.transaction, e.sequence limit $3::integer
