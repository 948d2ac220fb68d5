/* modules/auth/auth_session.h: the cookie of a session as text, and what protects it from being used by other
 * sites' pages.
 *
 * Model. The cookie holds "<uuid>_<43 characters of base64url>": an id and 32 random bytes, of which the
 * database has only a hash. The token against forged requests is derived from those bytes, so that
 * nothing more is stored; who knows the token cannot get back to the cookie. A browser sends the cookie
 * by itself, but another site's page can neither read the token nor send the header that carries it.
 *
 * Where the browser speaks TLS the cookie has another name, with the prefix __Host- (RFC 6265bis, 4.1.3): a browser
 * takes such a one from this very host only, over TLS. The plain name could be set for us by a neighbour
 * (evil.example.org for status.example.org), who would so have people act in a session of his; there it does
 * not count.
 *
 * Pure; any thread; nothing blocks. sodium_init must have run. */
#pragma once

#include "modules/auth/auth_key.h"

#define TC_AUTH_COOKIE        "tocsin_session"
#define TC_AUTH_COOKIE_SECURE "__Host-" TC_AUTH_COOKIE

struct tc_auth_session {
	struct tc_auth_key key; /* the id, and the hash that the database has */
	char csrf[TC_CSRF_SIZE];
	bool is_secure; /* its cookie was the one for TLS */
};

/* A new session with a random secret. */
int tc_auth_session_new(struct tc_auth_session *ret_session,
			char ret_token[static TC_AUTH_TOKEN_SIZE], struct tocsin_error *error);
/* The session of a Cookie header's value (RFC 6265, 5.4): the first cookie of the name for TLS, and only where
 * the browser does not speak TLS, if there is none, the first of the plain name. */
bool tc_auth_session_parse(const char *cookie, bool is_tls, struct tc_auth_session *ret_session);
/* Whether the browser speaks TLS, to a proxy before us: we speak none. `protocol` is X-Forwarded-Proto, in which a
 * second proxy may have put a second word, or NULL. Who lies here gets a cookie that is sent back less often. */
bool tc_auth_is_tls(const char *protocol);

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
