/* http/url.h: percent-encoding (RFC 3986, section 2.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Decodes `length` bytes of `text` in place and ends them with NUL; returns the new length. False,
 * with `text` in any state, for a broken escape, a NUL, or what is not UTF-8 after decoding.
 * `text` must have room for the NUL. Does not touch '+'. */
bool tc_url_decode(char *text, size_t length, size_t *ret_length);

/* Where the path of a request's target begins: that of an address behind its host ("http://host/path", absolute-form of
 * RFC 9112, section 3.2.2), "/" if it has none; any other target is a path as it is. */
const char *tc_url_path(const char *target);

/* Whether `text` is an http or https address that may be shown for people to click: nothing that a browser
 * would run, no spaces or quotes. */
bool tc_url_is_web(const char *text);
/* The same as a regular expression of ECMAScript. */
#define TC_URL_WEB_PATTERN "^[Hh][Tt][Tt][Pp][Ss]?://[^/?# \\t\\r\\n\"<>][^ \\t\\r\\n\"<>]*$"
