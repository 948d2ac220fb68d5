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

/* What comes behind "http://" or "https://"; NULL if the text begins otherwise. */
static const char *skip_scheme(const char *text)
{
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(schemes); i++)
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
			return text + strlen(schemes[i]);
	return NULL;
}

const char *tc_url_path(const char *target)
{
	const char *host = *target == '/' ? NULL : skip_scheme(target);
	const char *path = host ? strchr(host, '/') : target;

	return path ? path : "/";
}

bool tc_url_is_web(const char *text)
{
	const char *host = skip_scheme(text);

	return host && strcspn(host, "/?#") > 0 && !strpbrk(text, " \t\r\n\"<>");
}
