/* base/utf8.c: see utf8.h; table 3-7 of the Unicode Standard ("Well-Formed UTF-8 Byte Sequences"). */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

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
