/* app/cli/visible.h: text from elsewhere for a person's terminal: what a server, a database or a person said is not
 * trusted. Characters that would do something instead of being seen are shown by their number, as JSON
 * writes it ("\u001B"): controls, which move the cursor or change colours; those of bidirectional text, which
 * turn the order of what is around them ("\u202E"); and separators of lines. A line end or tab is a space,
 * a byte that is no UTF-8 U+FFFD. Output for programs (--json) does not pass here. Pure functions. */
#pragma once

#include "base/buffer.h"

/* Bytes that one byte may become. */
#define TC_VISIBLE_GROWTH_MAX 6

/* Appends one line. */
void tc_visible_append(struct tc_buffer *out, const char *text);
/* The same, but line ends and tabs stay. */
void tc_visible_append_lines(struct tc_buffer *out, const char *text);
/* Columns that a line of visible text takes: two for what is wide (Chinese, most emoji), none for accents that
 * join what is before them. */
size_t tc_visible_width(const char *line);
