/* modules/auth/auth_session.c: see auth_session.h. */
#include "modules/auth/auth_session.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void derive_csrf(struct tc_auth_session *session,
			unsigned char secret[static TC_AUTH_SECRET_SIZE])
{
	static const unsigned char purpose[] = "tocsin csrf";
	unsigned char token[TC_AUTH_HASH_SIZE];

	crypto_generichash(token, sizeof(token), purpose, sizeof(purpose) - 1, secret,
			   TC_AUTH_SECRET_SIZE);
	sodium_bin2base64(session->csrf, sizeof(session->csrf), token, sizeof(token),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(secret, TC_AUTH_SECRET_SIZE);
}

int tc_auth_session_new(struct tc_auth_session *ret_session,
			char ret_token[static TC_AUTH_TOKEN_SIZE], struct tocsin_error *error)
{
	unsigned char secret[TC_AUTH_SECRET_SIZE];
	int result = tc_auth_token_new(&ret_session->key, ret_token, secret, error);

	if (!result)
		derive_csrf(ret_session, secret);
	return result;
}

/* The first cookie whose name and "=" are `prefix`: its value, and *ret_length; NULL if there is none. */
static const char *find_cookie(const char *cookies, const char *prefix, size_t *ret_length)
{
	size_t skip = strlen(prefix);

	while (*cookies) {
		size_t length;

		cookies += strspn(cookies, " \t");
		length = strcspn(cookies, ";");
		if (strncmp(cookies, prefix, skip) == 0) {
			*ret_length = length - skip;
			return cookies + skip;
		}
		cookies += length;
		cookies += *cookies == ';';
	}
	return NULL;
}

bool tc_auth_session_parse(const char *cookie, bool is_tls, struct tc_auth_session *ret_session)
{
	unsigned char secret[TC_AUTH_SECRET_SIZE];
	size_t length = 0;
	const char *value = find_cookie(cookie, TC_AUTH_COOKIE_SECURE "=", &length);
	bool is_secure = value != NULL;

	if (!value && !is_tls)
		value = find_cookie(cookie, TC_AUTH_COOKIE "=", &length);
	if (!value || !tc_auth_token_parse(value, length, &ret_session->key, secret))
		return false;
	derive_csrf(ret_session, secret);
	ret_session->is_secure = is_secure;
	return true;
}

bool tc_auth_is_tls(const char *protocol)
{
	return protocol && strcspn(protocol, ", \t") == strlen("https") &&
	       strncasecmp(protocol, "https", strlen("https")) == 0;
}

char *tc_auth_session_format_cookie(const char *token, unsigned max_age_s, bool is_secure)
{
	char *text = NULL;

	if (asprintf(&text, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%u%s",
		     is_secure ? TC_AUTH_COOKIE_SECURE : TC_AUTH_COOKIE, token ? token : "",
		     token ? max_age_s : 0, is_secure ? "; Secure" : "") < 0)
		return NULL;
	return text;
}

bool tc_auth_origin_matches(const char *origin, const char *host)
{
	static const struct {
		const char *scheme, *port;
	} schemes[] = {{"http://", ":80"}, {"https://", ":443"}};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(schemes); i++) {
		size_t scheme = strlen(schemes[i].scheme), port = strlen(schemes[i].port);
		const char *place = origin + scheme;
		size_t length, host_length = strlen(host);

		if (strncasecmp(origin, schemes[i].scheme, scheme) != 0)
			continue;
		length = strlen(place);
		if (length > port && strcmp(place + length - port, schemes[i].port) == 0)
			length -= port;
		if (host_length > port && strcmp(host + host_length - port, schemes[i].port) == 0)
			host_length -= port;
		return length > 0 && length == host_length && strncasecmp(place, host, length) == 0;
	}
	return false; /* "null" among them: a page that hides where it is from */
}

bool tc_auth_session_is_meant(const struct tc_auth_session *session,
			      const struct tc_credentials *credentials)
{
	if (credentials->is_read)
		return true;
	if (!credentials->csrf || strlen(credentials->csrf) != TC_CSRF_SIZE - 1 ||
	    sodium_memcmp(credentials->csrf, session->csrf, TC_CSRF_SIZE - 1) != 0)
		return false;
	return !credentials->origin ||
	       (credentials->host &&
		tc_auth_origin_matches(credentials->origin, credentials->host));
}

/* The last item of a list, without the spaces around it and without a port; false if it is no address. */
static bool last_address(const char *list, char ret_text[static INET6_ADDRSTRLEN])
{
	const char *comma = strrchr(list, ','), *start = comma ? comma + 1 : list;
	unsigned char bytes[sizeof(struct in6_addr)];
	size_t length;

	start += strspn(start, " \t[");
	length = strcspn(start, " \t]");
	if (length == 0 || length >= INET6_ADDRSTRLEN)
		return false;
	memcpy(ret_text, start, length);
	ret_text[length] = '\0';
	/* One colon: an IPv4 address with a port. */
	if (strchr(ret_text, ':') && strchr(ret_text, ':') == strrchr(ret_text, ':'))
		*strchr(ret_text, ':') = '\0';
	return inet_pton(AF_INET, ret_text, bytes) == 1 ||
	       inet_pton(AF_INET6, ret_text, bytes) == 1;
}

void tc_auth_client_format(const char *address, const char *forwarded,
			   char ret_text[static TC_AUTH_CLIENT_SIZE])
{
	char last[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN];
	struct in6_addr bytes;

	if (forwarded && last_address(forwarded, last))
		address = last;
	if (inet_pton(AF_INET6, address, &bytes) == 1 && !IN6_IS_ADDR_V4MAPPED(&bytes)) {
		memset(bytes.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &bytes, network, sizeof(network));
		snprintf(ret_text, TC_AUTH_CLIENT_SIZE, "%s/64", network);
	} else {
		snprintf(ret_text, TC_AUTH_CLIENT_SIZE, "%s", address);
	}
}
