/* modules/auth/auth_session.h: the cookie of a session as text, and what protects it from being used by other
 * sites' pages.
 *
 * Model. The cookie holds "<uuid>_<43 characters of base64url>": an id and 32 random bytes, of which the
 * database has only a hash. The token against forged requests is derived from those bytes, so that
 * nothing more is stored; who knows the token cannot get back to the cookie. A browser sends the cookie
 * by itself, but another site's page can neither read the token nor send the header that carries it.
 *
 * Pure; any thread; nothing blocks. sodium_init must have run. */
#pragma once

#include "modules/auth/auth_key.h"

#define TC_AUTH_COOKIE "tocsin_session"

struct tc_auth_session {
	struct tc_auth_key key; /* the id, and the hash that the database has */
	char csrf[TC_CSRF_SIZE];
};

/* A new session with a random secret. */
int tc_auth_session_new(struct tc_auth_session *ret_session,
			char ret_token[static TC_AUTH_TOKEN_SIZE], struct tocsin_error *error);
/* The session of a Cookie header's value (RFC 6265, 5.4): the first cookie of our name. */
bool tc_auth_session_parse(const char *cookie, struct tc_auth_session *ret_session);

/* The value of Set-Cookie, owned by the caller; NULL when memory ran out. `token` NULL: takes the cookie back. */
char *tc_auth_session_format_cookie(const char *token, unsigned max_age_s, bool is_secure);

/* Whether a request that came with the cookie was meant: it reads only; or it has the token, and an
 * Origin, if any, that is the server it was sent to. */
bool tc_auth_session_is_meant(const struct tc_auth_session *session,
			      const struct tc_credentials *credentials);
/* "https://host:port" and "host:port" are the same place; the scheme's usual port may be left out. */
bool tc_auth_origin_matches(const char *origin, const char *host);

#define TC_AUTH_CLIENT_SIZE 64
/* What log-in attempts from an address count as: an IPv4 address by itself, of an IPv6 address the first
 * half, which is what one customer has. With `forwarded` not NULL (X-Forwarded-For of a proxy that is trusted) the
 * last address in it, which that proxy wrote. */
void tc_auth_client_format(const char *address, const char *forwarded,
			   char ret_text[static TC_AUTH_CLIENT_SIZE]);
