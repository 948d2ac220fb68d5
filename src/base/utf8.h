/* base/utf8.h: UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

bool tc_utf8_is_valid(const char *bytes, size_t length);
/* Characters in valid UTF-8. */
size_t tc_utf8_length(const char *text);
/* The longest prefix of valid `text`, in bytes, that has at most `characters` characters. */
size_t tc_utf8_prefix(const char *text, size_t characters);
