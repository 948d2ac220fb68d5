/* pg/result.c: what the server said, mapped to the codes of tocsin/error.h by one table of SQLSTATEs
 * (PostgreSQL manual, appendix A). */
#include "pg/query.h"

#include <stdio.h>
#include <string.h>

/* The first row whose prefix matches decides: exact states stand before their class. */
static const struct {
	const char *prefix;
	int code;
} states[] = {
	{"40P01", TOCSIN_E_DEADLOCK},     /* deadlock_detected */
	{"40001", TOCSIN_E_RETRY},        /* serialization_failure */
	{"55P03", TOCSIN_E_LOCK_TIMEOUT}, /* lock_not_available */
	{"25P03", TOCSIN_E_UNAVAILABLE},  /* idle_in_transaction_session_timeout */
	{"25006", TOCSIN_E_UNAVAILABLE},  /* read_only_sql_transaction: a demoted server */
	{"23505", TOCSIN_E_EXISTS},       /* unique_violation */
	{"23503", TOCSIN_E_REFERENCE},    /* foreign_key_violation */
	{"53200", TOCSIN_E_FULL},         /* out_of_memory: also a full lock table */
	{"53", TOCSIN_E_UNAVAILABLE},     /* insufficient resources: connections, disk */
	{"57014", TOCSIN_E_UNAVAILABLE},  /* query_canceled: by an administrator, or by our stop */
	{"57P", TOCSIN_E_UNAVAILABLE},    /* shutdown, crash, cannot connect now */
	{"58", TOCSIN_E_UNAVAILABLE},     /* system error outside the server */
	{"08", TOCSIN_E_UNAVAILABLE},     /* connection exception */
	{"22", TOCSIN_E_INVALID},         /* data exception */
	{"", TOCSIN_E_DATABASE},
};

static int find_code(const char *sqlstate)
{
	size_t row = 0;

	while (strncmp(sqlstate, states[row].prefix, strlen(states[row].prefix)) != 0)
		row++;
	return states[row].code;
}

int tc_result_error(const PGresult *result, const PGconn *pg, struct tocsin_error *error)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	int code = TOCSIN_E_UNAVAILABLE;

	if (sqlstate && *sqlstate)
		code = find_code(sqlstate);
	else if (PQstatus(pg) == CONNECTION_OK && result)
		code = TOCSIN_E_DATABASE; /* libpq itself objects */
	if (!primary)
		primary = result ? PQresultErrorMessage(result) : PQerrorMessage(pg);
	if (code == TOCSIN_E_FULL && strstr(primary, "shared memory"))
		primary = "the server's lock table is full; raise max_locks_per_transaction";
	tocsin_error_set(error, code, "%.*s", (int)strcspn(primary, "\n"), primary);
	if (error && sqlstate)
		snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate);
	return code;
}
