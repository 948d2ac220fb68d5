/* core/procedure/page.h: pages of a list, made of rows. */
#pragma once

#include "base/buffer.h"
#include <libpq-fe.h>
#include <tocsin/error.h>

/* Appends {"NAME": [...], "nextCursor"?} of rows (cursor, document): at most `limit` of them; one row more says that
 * there is a next page, which begins behind the last that is shown. Errors: tc_store_finish. Any thread; does not block. */
int tc_page_format(const PGresult *rows, const char *name, unsigned limit,
		   struct tc_buffer *ret_json, struct tocsin_error *error);
