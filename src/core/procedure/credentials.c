/* core/procedure/credentials.c: see credentials.h. One table says which header goes where. */
#include "core/procedure/credentials.h"

#include "base/macro.h"
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	size_t offset;
} headers[] = {
	{"Authorization", offsetof(struct tc_credentials, authorization)},
	{"Cookie", offsetof(struct tc_credentials, cookie)},
	{"X-Tocsin-CSRF", offsetof(struct tc_credentials, csrf)},
	{"Origin", offsetof(struct tc_credentials, origin)},
	{"Host", offsetof(struct tc_credentials, host)},
	{"X-Forwarded-Proto", offsetof(struct tc_credentials, protocol)},
};

static const char **place(struct tc_credentials *credentials, size_t index)
{
	return (const char **)(void *)((char *)credentials + headers[index].offset);
}

void tc_credentials_get(const struct tc_http_request *request, bool is_read,
			struct tc_credentials *ret_credentials)
{
	*ret_credentials = (struct tc_credentials){.is_read = is_read};
	for (size_t i = 0; i < TC_ARRAY_LENGTH(headers); i++) {
		*place(ret_credentials, i) = tc_http_request_header(request, headers[i].name);
		/* The first row decides whether the others matter, the second likewise: most requests
		 * have a key, or nothing. */
		if (i == 0 ? ret_credentials->authorization != NULL
			   : ret_credentials->cookie == NULL)
			return;
	}
}

bool tc_credentials_copy(const struct tc_credentials *credentials, struct tc_credentials *ret_copy)
{
	struct tc_credentials copy = *credentials;
	bool is_whole = true;

	for (size_t i = 0; i < TC_ARRAY_LENGTH(headers); i++) {
		const char **text = place(&copy, i);

		if (!*text)
			continue;
		*text = strdup(*text);
		is_whole = is_whole && *text;
	}
	if (!is_whole) {
		tc_credentials_deinit(&copy);
		return false;
	}
	*ret_copy = copy;
	return true;
}

void tc_credentials_deinit(struct tc_credentials *copy)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(headers); i++) {
		union {
			const char *borrowed;
			char *owned;
		} text = {.borrowed = *place(copy, i)};

		free(text.owned);
	}
	*copy = (struct tc_credentials){0};
}
