/* app/procedures.h: every table of procedures that there is: what the server answers, and what the command
 * line and the documents know. Read-only. */
#pragma once

#include "core/procedure/procedure.h"

/* Each ends with a row whose name is NULL. */
extern const struct tc_procedure *const tc_procedure_tables[];
extern const size_t tc_procedure_tables_count;

/* NULL if no row has that name. */
const struct tc_procedure *tc_procedure_find(const char *name);

/* Why no command calls it, which one request with a key is not enough for, as a sentence; NULL: commands may. */
const char *tc_procedure_not_called(const struct tc_procedure *procedure);
