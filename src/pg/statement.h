/* pg/statement.h: statements as constants. The build turns every `.sql` file of a module into one
 * `const struct tc_sql`: src/modules/incident/sql/get.sql is tc_sql_incident_get (declared in the
 * generated sql.h). Files that start with four digits are migrations (pg/migrate.h). */
#pragma once

/* Most statements a build may have: each connection keeps one bit a statement. */
#define TC_SQL_MAX 512

struct tc_sql {
	const char *name; /* also the name of the prepared statement */
	const char *text;
	unsigned index;      /* below TC_SQL_MAX, unique */
	unsigned parameters; /* highest $n */
};

struct tc_migration {
	unsigned version;
	const char *name;
	const char *text;
};
