/* core/procedure/cursor.h: cursors, of which callers know nothing but that they can be given back. Private to core/.
 *
 * A list's handler names a position by any text, as the last member of its answer, "nextCursor". What the caller sees
 * is base64url of six bytes that check it, made of the position and the procedure's name, and the position. A
 * field of type TC_FIELD_CURSOR turns it back: the handler gets its position, and anything that is no cursor
 * of the same procedure is refused, by name. The check is against mistakes; it is no secret. */
#pragma once

#include "core/procedure/procedure.h"

#define TC_CURSOR_POSITION_MAX 2048u /* bytes */
#define TC_CURSOR_MAX          2800u /* characters */

/* Replaces the position in a list's answer; other answers stay. False: no memory. */
bool tc_cursor_wrap(const struct tc_procedure *procedure, struct tc_http_response *response);
/* Replaces cursors in the input by their positions. `body_places`: what comes in the body (TC_PLACE). */
void tc_cursor_unwrap(const struct tc_procedure *procedure, unsigned body_places, json_t *input,
		      struct tc_problem *problem);
