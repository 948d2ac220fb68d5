-- Tries a session lock. A straggler of an earlier holder behind the fence makes the key busy too.
-- $1 key; column: granted
select case
    when not pg_try_advisory_lock(hashtextextended($1, 0)) then false
    when pg_try_advisory_lock(hashtextextended('tocsin.fence:' || $1::text, 0))
        then pg_advisory_unlock(hashtextextended('tocsin.fence:' || $1::text, 0))
    else not pg_advisory_unlock(hashtextextended($1, 0))
end
