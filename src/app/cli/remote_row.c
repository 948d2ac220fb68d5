/* app/cli/remote_row.c: reading the rows of remote commands; see remote.h. */
#include "app/cli/remote.h"
#include <stdlib.h>
#include <string.h>

bool tc_remote_word(const struct tc_remote *remote, unsigned index, struct tc_remote_word *ret_word)
{
	const char *at = remote->words;
	size_t length = 0;

	for (unsigned i = 0; at && *at; i++) {
		length = strcspn(at, " ");
		if (i == index)
			break;
		at += length;
		at += strspn(at, " ");
	}
	if (!at || !*at)
		return false;
	ret_word->takes_rest = length > 3 && strncmp(at + length - 3, "...", 3) == 0;
	snprintf(ret_word->field, sizeof(ret_word->field), "%.*s",
		 (int)(ret_word->takes_rest ? length - 3 : length), at);
	return true;
}

bool tc_remote_is_word(const struct tc_remote *remote, const char *field)
{
	struct tc_remote_word word;

	for (unsigned i = 0; tc_remote_word(remote, i, &word); i++)
		if (strcmp(word.field, field) == 0)
			return true;
	return false;
}

bool tc_remote_default(const struct tc_remote *remote, const char *field, char *ret_text,
		       size_t size)
{
	size_t length = strlen(field);

	for (const char *at = remote->defaults; at && *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strncmp(at, field, length) != 0 || at[length] != '=')
			continue;
		at += length + 1;
		if (ret_text)
			snprintf(ret_text, size, "%.*s", (int)strcspn(at, " "), at);
		return true;
	}
	return false;
}

bool tc_remote_is_secret(const struct tc_field *field)
{
	return strcasestr(field->name, "password") != NULL;
}

bool tc_remote_is_wanted(int argc, char **argv)
{
	const char *url = getenv("TOCSIN_URL");

	/* Perhaps shortened, as all options: no other of these commands begins with it. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		size_t length = strcspn(argv[i], "=");

		if (length > strlen("--") && strncmp(argv[i], "--url", length) == 0)
			return true;
	}
	return url && *url;
}

void tc_remote_call_init(struct tc_remote_call *call, const struct tc_procedure *procedure)
{
	snprintf(call->name, sizeof(call->name), "call %s", procedure->name);
	snprintf(call->summary, sizeof(call->summary), "%s.", procedure->summary);
	call->remote = (struct tc_remote){.procedure = procedure->name, .view = TC_VIEW_DETAIL};
	call->command = (struct tc_command){
		.name = call->name, .summary = call->summary, .remote = &call->remote};
}
