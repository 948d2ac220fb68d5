-- Whether there are events that wait for an older transaction to end. The newest tells: by the end of the index,
-- because the planner takes a comparison with a snapshot for one that many rows pass, and would read them all.
-- columns: held
select coalesce((select transaction >= pg_snapshot_xmin(pg_current_snapshot()) from events
	order by transaction desc, sequence desc limit 1), false) as held
