/* base/utf8.h: UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool tc_utf8_is_valid(const char *bytes, size_t length);
/* Characters in valid UTF-8. */
size_t tc_utf8_length(const char *text);
/* The longest prefix of valid `text`, in bytes, that has at most `characters` characters. */
size_t tc_utf8_prefix(const char *text, size_t characters);
/* Bytes of the first character of `text`, which ends with a NUL, and the character; 0 if it is malformed, or none. */
size_t tc_utf8_decode(const char *text, uint32_t *ret_character);
/* Whether it would do something to a person's terminal instead of being seen: controls, which move the cursor or
 * change colours; those of bidirectional text, which turn the order of what is around them; separators of lines. */
bool tc_utf8_is_hidden(uint32_t character);
/* Whether nothing but white space (Unicode's White_Space) is in it, or nothing at all. */
bool tc_utf8_is_blank(const char *text);
