/* http/url.c: see url.h. */
#include "http/url.h"

#include "base/macro.h"
#include "base/utf8.h"
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool tc_url_decode(char *text, size_t length, size_t *ret_length)
{
	size_t out = 0;

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];

		if (byte == '%') {
			int high = length - i > 2 ? hex_value(text[i + 1]) : -1;
			int low = length - i > 2 ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			byte = (char)(high << 4 | low);
			i += 2;
		}
		if (byte == '\0')
			return false;
		text[out++] = byte;
	}
	text[out] = '\0';
	if (!tc_utf8_is_valid(text, out))
		return false;
	*ret_length = out;
	return true;
}

bool tc_url_is_web(const char *text)
{
	static const char *const schemes[] = {"https://", "http://"};
	const char *host = NULL;

	for (size_t i = 0; i < TC_ARRAY_LENGTH(schemes); i++)
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
			host = text + strlen(schemes[i]);
	return host && strcspn(host, "/?#") > 0 && !strpbrk(text, " \t\r\n\"<>");
}
