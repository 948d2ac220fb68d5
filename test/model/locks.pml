/* locks.pml: a model of the two pools, the queue of a key, and the fence, for spin.
 *
 * Two nodes with a lock pool and a work pool of one connection each share a database with two keys.
 * On each node run: an operation that takes a key and works under it; one that nests a second key, in
 * opposite order on the two nodes, and works under both; and a careless one that takes work first
 * and then asks for a lock. A reaper ends lock sessions at any moment.
 *
 * Safety (assertions):
 *   - work commits only while its operation is the last that entered under each key it holds: never
 *     two inside that both commit, and a holder that lost its lock cannot commit after another entered;
 *   - a connection is given back by whoever holds it, and at most one operation of a node waits for a
 *     first key in PostgreSQL or holds it.
 * No deadlock: every process reaches its end (spin's check for invalid end states). Timeouts are not
 * modelled: what would only end by one is a deadlock here.
 *
 * Variants that must fail, which shows that the model sees what it is there to see:
 *   -DNO_FENCE   new holders do not wait for the work of earlier ones: an assertion is violated
 *   -DNO_CHECK   work does not look whether its lock is still held: an assertion is violated
 *   -DNO_RANK    the careless operation waits instead of being refused: deadlock
 *   -DNO_DETECT  nobody sees circles of inner keys: deadlock
 *   -DONE_POOL   locks and work draw from one pool: deadlock */

#define NODES 2
#define KEYS  2
#define NOBODY 255
#ifndef REAPS
#define REAPS 1 /* lock sessions that the reaper may end */
#endif

/* An operation's number says its node and its kind. */
#define OPERATIONS 4
#define NODE_OF(operation) ((operation) / 2)

byte lock_pool[NODES] = 1; /* free connections */
byte work_pool[NODES] = 1;

/* The database. */
byte holder[KEYS] = NOBODY;       /* operation whose lock session holds the key */
byte wanted[OPERATIONS] = NOBODY; /* key that an operation waits for inside another */
bool alive[OPERATIONS];           /* its lock session */
byte shared_fence[KEYS];          /* work transactions alive under the key */

/* The queue of a key inside a node: whose turn it is. Waiting for it costs nothing else. */
byte turn[NODES * KEYS] = NOBODY;

/* Ghosts: what nobody in the system knows, for the assertions. */
byte inside[KEYS] = NOBODY; /* last that entered under the key */
byte reaps;

#define TURN(operation, key) turn[NODE_OF(operation) * KEYS + (key)]

inline take_lock_connection(node)
{
	atomic { lock_pool[node] > 0 -> lock_pool[node]-- }
}

inline take_work_connection(node)
{
#ifdef ONE_POOL
	atomic { lock_pool[node] > 0 -> lock_pool[node]-- }
#else
	atomic { work_pool[node] > 0 -> work_pool[node]-- }
#endif
}

inline give_lock_connection(node)
{
	atomic { lock_pool[node]++; assert(lock_pool[node] <= 1) }
}

inline give_work_connection(node)
{
#ifdef ONE_POOL
	give_lock_connection(node)
#else
	atomic { work_pool[node]++; assert(work_pool[node] <= 1) }
#endif
}

/* A session that has the key takes and drops the exclusive fence: it waits for earlier work. One that
 * is ended while it waits never enters. */
inline pass_fence(me, key)
{
	if
#ifdef NO_FENCE
	:: atomic { alive[me] -> inside[key] = me }
#else
	:: atomic { alive[me] && shared_fence[key] == 0 -> inside[key] = me }
#endif
	:: !alive[me] -> skip
	fi
}

/* Everything that a session holds goes with it, in one step: the end of its transaction. */
inline end_session(me)
{
	atomic {
		alive[me] = false;
		wanted[me] = NOBODY;
		if
		:: holder[0] == me -> holder[0] = NOBODY
		:: else
		fi;
		if
		:: holder[1] == me -> holder[1] = NOBODY
		:: else
		fi
	}
}

/* Work under `first`, and under `second` unless it is NOBODY. The check that is made as it begins
 * and again in the round trip of its commit is atomic (one statement); what follows it is not. */
#ifdef NO_CHECK
#define HOLDS(me, first, second) true
#else
#define HOLDS(me, first, second)                                                                   \
	(holder[first] == me && (second == NOBODY || holder[(second) % KEYS] == me))
#endif

inline work(me, first, second)
{
	take_work_connection(NODE_OF(me));
	atomic { /* the shared fences never wait: nobody keeps an exclusive one */
		shared_fence[first]++;
		if
		:: second != NOBODY -> shared_fence[second % KEYS]++
		:: else
		fi
	}
	if
	:: HOLDS(me, first, second) ->
		/* the work itself, then */
		if
		:: HOLDS(me, first, second) ->
			atomic { /* commit: visible, and the fences dropped */
				assert(inside[first] == me);
				assert(second == NOBODY || inside[second % KEYS] == me);
				drop_fences(first, second)
			}
		:: !HOLDS(me, first, second) -> drop_fences(first, second) /* lost: rolled back */
		fi
	:: !HOLDS(me, first, second) -> drop_fences(first, second)
	fi;
	give_work_connection(NODE_OF(me))
}

inline drop_fences(first, second)
{
	atomic {
		shared_fence[first]--;
		if
		:: second != NOBODY -> shared_fence[second % KEYS]--
		:: else
		fi
	}
}

/* First key: the node's queue, then a connection, then PostgreSQL, then the fence. */
inline take_first(me, key)
{
	atomic { TURN(me, key) == NOBODY -> TURN(me, key) = me }
	take_lock_connection(NODE_OF(me));
	alive[me] = true;
	if
	:: atomic { alive[me] && holder[key] == NOBODY -> holder[key] = me }
	:: !alive[me] -> skip
	fi;
	pass_fence(me, key)
}

inline give_all(me, key)
{
	end_session(me);
	give_lock_connection(NODE_OF(me));
	atomic { assert(TURN(me, key) == me); TURN(me, key) = NOBODY }
}

/* Takes one key and works under it. */
proctype Simple(byte me; byte key)
{
	take_first(me, key);
	work(me, key, NOBODY);
	give_all(me, key)
}

/* Nests: the inner key waits in the database, whose detector ends one of a circle. */
proctype Nesting(byte me; byte key)
{
	byte inner = 1 - key;

	take_first(me, key);
	atomic {
		if
		:: alive[me] -> wanted[me] = inner
		:: else
		fi
	}
	if
	:: atomic { alive[me] && holder[inner] == NOBODY -> holder[inner] = me; wanted[me] = NOBODY }
		pass_fence(me, inner);
		work(me, key, inner)
#ifndef NO_DETECT
	:: atomic {
		alive[me] && holder[inner] != NOBODY && holder[inner] != me &&
			wanted[holder[inner] % OPERATIONS] != NOBODY &&
			holder[wanted[holder[inner] % OPERATIONS] % KEYS] == me -> wanted[me] = NOBODY
	} /* deadlock: the operation fails, and is its caller's to try again */
#endif
	:: !alive[me] -> skip
	fi;
	give_all(me, key)
}

/* Takes work, then asks for a lock: refused at once by rank. */
proctype Careless(byte node)
{
	take_work_connection(node);
#ifdef NO_RANK
	take_lock_connection(node);
	give_lock_connection(node);
#endif
	give_work_connection(node)
}

/* Ends lock sessions: an administrator, the idle timeout, a failover. */
proctype Reaper()
{
	byte victim;

	do
	:: reaps < REAPS ->
		if
		:: victim = 0
		:: victim = 1
		:: victim = 2
		:: victim = 3
		fi;
		reaps++;
		end_session(victim)
	:: break
	od
}

init
{
	atomic {
		run Simple(0, 0);
		run Nesting(1, 0);
		run Simple(2, 0);
		run Nesting(3, 1);
		run Careless(0);
		run Reaper()
	}
}
