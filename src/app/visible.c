/* app/visible.c: see visible.h. */
#include "app/visible.h"

#include "base/utf8.h"
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#define CHARACTER_MAX 4 /* bytes */

/* What is not shown as it is; in order. */
static const struct range {
	uint32_t first, last;
} hidden[] = {
	{0x00, 0x1F},     /* C0 */
	{0x7F, 0x9F},     /* DEL, C1 */
	{0x061C, 0x061C}, /* Arabic letter mark */
	{0x200E, 0x200F}, /* left-to-right and right-to-left marks */
	{0x2028, 0x202E}, /* separators of lines and paragraphs; embeddings and overrides */
	{0x2066, 0x206F}, /* isolates; controls that Unicode deprecates */
};

/* The first character, and how many bytes it has; 0 if they are no UTF-8. */
static size_t decode(const char *text, uint32_t *ret_character)
{
	unsigned char lead = (unsigned char)text[0];
	size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : CHARACTER_MAX;

	if (strnlen(text, length) < length || !tc_utf8_is_valid(text, length))
		return 0;
	*ret_character = length == 1 ? lead : lead & (0xFFu >> (length + 1));
	for (size_t i = 1; i < length; i++)
		*ret_character = *ret_character << 6 | ((unsigned char)text[i] & 0x3F);
	return length;
}

static bool is_hidden(uint32_t character)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(hidden) && hidden[i].first <= character; i++)
		if (character <= hidden[i].last)
			return true;
	return false;
}

static void append(struct tc_buffer *out, const char *text, bool keeps_lines)
{
	while (*text) {
		uint32_t character = 0;
		size_t length = decode(text, &character);

		if (length == 0)
			tc_buffer_append_text(out, "\xEF\xBF\xBD");
		else if (character == '\n' || character == '\t')
			tc_buffer_append(out, keeps_lines ? text : " ", 1);
		else if (is_hidden(character))
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
		size_t length = decode(line, &character);
		int columns = wcwidth((wchar_t)character);

		width += length > 0 && columns >= 0 ? (size_t)columns : 1;
		line += TC_MAX(length, 1u);
	}
	uselocale(before);
	freelocale(utf8);
	return width;
}
