/* core/procedure/credentials.h: what a request says about who sends it. Private to core/procedure/. */
#pragma once

#include "core/procedure/procedure.h"

/* Borrows from the request; on the HTTP thread. */
void tc_credentials_get(const struct tc_http_request *request, bool is_read,
			struct tc_credentials *ret_credentials);
/* Copies every text; false, with nothing owned, when memory ran out. */
bool tc_credentials_copy(const struct tc_credentials *credentials, struct tc_credentials *ret_copy);
/* Frees what tc_credentials_copy made; harmless on a zeroed struct. */
void tc_credentials_deinit(struct tc_credentials *copy);
