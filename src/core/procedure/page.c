/* core/procedure/page.c: see page.h. */
#include "core/procedure/page.h"

#include "base/macro.h"
#include "core/store.h"

int tc_page_format(const PGresult *rows, const char *name, unsigned limit,
		   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	int shown = TC_MIN(PQntuples(rows), (int)limit);

	tc_buffer_append_format(ret_json, "{\"%s\":[", name);
	for (int row = 0; row < shown; row++) {
		if (row > 0)
			tc_buffer_append_text(ret_json, ",");
		tc_buffer_append(ret_json, PQgetvalue(rows, row, 1),
				 (size_t)PQgetlength(rows, row, 1));
	}
	tc_buffer_append_text(ret_json, "]");
	if (PQntuples(rows) > shown) {
		tc_buffer_append_text(ret_json, ",\"nextCursor\":");
		tc_buffer_append_json(ret_json, PQgetvalue(rows, shown - 1, 0));
	}
	tc_buffer_append_text(ret_json, "}");
	return tc_store_finish(ret_json, error);
}
