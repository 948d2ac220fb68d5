/* app/cli/fold.c: see fold.h. */
#include "app/cli/fold.h"

#include "base/utf8.h"
#include <locale.h>
#include <strings.h>
#include <wctype.h>

/* The one letter whose lower case is two characters; towlower would take it for an i. */
#define CAPITAL_I_WITH_DOT 0x130

/* The next character in lower case, 0 at the end; moves on behind it. */
static uint32_t take_lower(const char **text, locale_t locale)
{
	uint32_t character = 0;
	size_t length = tc_utf8_decode(*text, &character);

	*text += length;
	return character == CAPITAL_I_WITH_DOT ? character
					       : (uint32_t)towlower_l((wint_t)character, locale);
}

bool tc_fold_is_same(const char *one, const char *other)
{
	/* The program has no locale: LANG is no matter of a server's. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	uint32_t character, other_character;

	if (!utf8)
		return strcasecmp(one, other) == 0;
	do {
		character = take_lower(&one, utf8);
		other_character = take_lower(&other, utf8);
	} while (character && character == other_character);
	freelocale(utf8);
	return character == other_character;
}
