/* app/cli/visible.c: see visible.h. */
#include "app/cli/visible.h"

#include "base/utf8.h"
#include <locale.h>
#include <wchar.h>

static void append(struct tc_buffer *out, const char *text, bool keeps_lines)
{
	while (*text) {
		uint32_t character = 0;
		size_t length = tc_utf8_decode(text, &character);

		if (length == 0)
			tc_buffer_append_text(out, "\xEF\xBF\xBD");
		else if (character == '\n' || character == '\t')
			tc_buffer_append(out, keeps_lines ? text : " ", 1);
		else if (tc_utf8_is_hidden(character))
			tc_buffer_append_format(out, "\\u%04X", character);
		else
			tc_buffer_append(out, text, length);
		text += TC_MAX(length, 1u);
	}
}

void tc_visible_append(struct tc_buffer *out, const char *text)
{
	append(out, text, false);
}

void tc_visible_append_lines(struct tc_buffer *out, const char *text)
{
	append(out, text, true);
}

size_t tc_visible_width(const char *line)
{
	/* wcwidth knows what the thread's locale does, and the program has none: LANG is no matter of a server's. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL), before;
	size_t width = 0;

	if (!utf8)
		return tc_utf8_length(line);
	before = uselocale(utf8);
	while (*line) {
		uint32_t character = 0;
		size_t length = tc_utf8_decode(line, &character);
		int columns = wcwidth((wchar_t)character);

		width += length > 0 && columns >= 0 ? (size_t)columns : 1;
		line += TC_MAX(length, 1u);
	}
	uselocale(before);
	freelocale(utf8);
	return width;
}
