/* base/utf8.c: see utf8.h; table 3-7 of the Unicode Standard ("Well-Formed UTF-8 Byte Sequences"). */
#include "base/utf8.h"

#include "base/macro.h"
#include <string.h>

#define CHARACTER_MAX 4 /* bytes */

/* What may follow a lead byte: bytes in all, and the range of the second; others are 80..BF. */
struct lead {
	unsigned length;
	unsigned char second_min, second_max;
};

static struct lead classify(unsigned char byte)
{
	if (byte < 0x80)
		return (struct lead){1, 0, 0};
	if (byte < 0xc2)
		return (struct lead){0, 0, 0}; /* a continuation, or overlong */
	if (byte < 0xe0)
		return (struct lead){2, 0x80, 0xbf};
	if (byte < 0xf0)
		return (struct lead){3, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf};
	if (byte < 0xf5)
		return (struct lead){4, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf};
	return (struct lead){0, 0, 0};
}

/* Bytes of the character at `bytes`, 0 if it is malformed or cut. */
static size_t step(const unsigned char *bytes, size_t left)
{
	struct lead lead = classify(bytes[0]);

	if (lead.length == 0 || lead.length > left)
		return 0;
	for (unsigned i = 1; i < lead.length; i++) {
		unsigned char min = i == 1 ? lead.second_min : 0x80;
		unsigned char max = i == 1 ? lead.second_max : 0xbf;

		if (bytes[i] < min || bytes[i] > max)
			return 0;
	}
	return lead.length;
}

bool tc_utf8_is_valid(const char *bytes, size_t length)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t i = 0;

	while (i < length) {
		uint64_t word;
		size_t size;

		/* Most text is ASCII: eight bytes at a time. */
		if (length - i >= sizeof(word)) {
			memcpy(&word, p + i, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(word);
				continue;
			}
		}
		size = step(p + i, length - i);
		if (size == 0)
			return false;
		i += size;
	}
	return true;
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t tc_utf8_length(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += !is_continuation(*text);
	return count;
}

size_t tc_utf8_prefix(const char *text, size_t characters)
{
	size_t i = 0;

	for (; text[i]; i++) {
		if (is_continuation(text[i]))
			continue;
		if (characters-- == 0)
			break;
	}
	return i;
}

size_t tc_utf8_decode(const char *text, uint32_t *ret_character)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t length = step(p, strnlen(text, CHARACTER_MAX));
	uint32_t character = length > 1 ? p[0] & (0xFFu >> (length + 1)) : p[0];

	if (length == 0)
		return 0;
	for (size_t i = 1; i < length; i++)
		character = character << 6 | (p[i] & 0x3F);
	*ret_character = character;
	return length;
}

struct range {
	uint32_t first, last;
};

/* `ranges`: in order. */
static bool is_in(const struct range *ranges, size_t count, uint32_t character)
{
	for (size_t i = 0; i < count && ranges[i].first <= character; i++)
		if (character <= ranges[i].last)
			return true;
	return false;
}

bool tc_utf8_is_hidden(uint32_t character)
{
	static const struct range hidden[] = {
		{0x00, 0x1F},     /* C0 */
		{0x7F, 0x9F},     /* DEL, C1 */
		{0x061C, 0x061C}, /* Arabic letter mark */
		{0x200E, 0x200F}, /* left-to-right and right-to-left marks */
		{0x2028, 0x202E}, /* separators of lines and paragraphs; embeddings and overrides */
		{0x2066, 0x206F}, /* isolates; controls that Unicode deprecates */
	};

	return is_in(hidden, TC_ARRAY_LENGTH(hidden), character);
}

bool tc_utf8_is_blank(const char *text)
{
	static const struct range white_space[] = {
		{0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
		{0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
		{0x205F, 0x205F}, {0x3000, 0x3000},
	};
	uint32_t character;
	size_t length;

	for (; *text; text += length) {
		length = tc_utf8_decode(text, &character);
		if (length == 0 || !is_in(white_space, TC_ARRAY_LENGTH(white_space), character))
			return false;
	}
	return true;
}
