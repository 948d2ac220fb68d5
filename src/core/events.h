/* core/events.h: the outbox. A row of table `events` is written in the transaction of the change it
 * tells: sequence, time, kind, subject id, action, previous and next state, actor. Append-only.
 * SQL that changes things writes its events itself, in the same statement where it can. */
#pragma once

#include <stdint.h>
#include <tocsin/pool.h>

/* Seconds between now and the oldest event a reader has not read, and how many there are; readers
 * keep their positions in table `event_readers`. */
int tc_events_get_lag(struct tocsin_connection *connection, double *ret_seconds, int64_t *ret_count,
		      struct tocsin_error *error);
