/* core/procedure/cursor.c: see cursor.h. */
#include "core/procedure/cursor.h"

#include "core/procedure/validate.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_SIZE 6u
#define VARIANT    sodium_base64_VARIANT_URLSAFE_NO_PADDING

static const char member[] = "\"nextCursor\":";

static const struct tc_field *find_field(const struct tc_procedure *procedure)
{
	for (const struct tc_field *field = procedure->fields; field && field->type; field++)
		if (field->type == TC_FIELD_CURSOR)
			return field;
	return NULL;
}

static void make_check(const struct tc_procedure *procedure, const char *position, size_t length,
		       unsigned char ret_check[static CHECK_SIZE])
{
	unsigned char hash[crypto_generichash_BYTES_MIN];
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const unsigned char *)procedure->name,
				  strlen(procedure->name) + 1);
	crypto_generichash_update(&state, (const unsigned char *)position, length);
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(ret_check, hash, CHECK_SIZE);
}

/* Where the member's value begins; NULL: there is none. It is the last member, and a quote inside a string has a
 * backslash before it: so nothing in what is listed can look like it. */
static char *find_value(const struct tc_http_response *response)
{
	const size_t size = sizeof(member) - 1;

	for (size_t at = response->body_length; at-- > size;)
		if (response->body[at] == ':' &&
		    memcmp(response->body + at + 1 - size, member, size) == 0)
			return response->body + at + 1;
	return NULL;
}

static bool replace(const struct tc_procedure *procedure, struct tc_http_response *response,
		    const char *value, const char *position, size_t length)
{
	unsigned char bytes[CHECK_SIZE + TC_CURSOR_POSITION_MAX];
	char text[TC_CURSOR_MAX + 1];
	TC_BUFFER body = {0};

	make_check(procedure, position, length, bytes);
	memcpy(bytes + CHECK_SIZE, position, length);
	sodium_bin2base64(text, sizeof(text), bytes, CHECK_SIZE + length, VARIANT);
	tc_buffer_append(&body, response->body, (size_t)(value - response->body));
	tc_buffer_append_format(&body, "\"%s\"}", text);
	if (body.failed)
		return false;
	free(response->body);
	response->body_length = body.length;
	response->body = tc_buffer_steal(&body);
	return true;
}

bool tc_cursor_wrap(const struct tc_procedure *procedure, struct tc_http_response *response)
{
	char *value =
		response->status == 200 && find_field(procedure) ? find_value(response) : NULL;
	json_t *position;
	bool is_done;

	if (!value)
		return true;
	position = json_loadb(value, response->body_length - (size_t)(value - response->body),
			      JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
	is_done =
		json_string_length(position) <= TC_CURSOR_POSITION_MAX && json_is_string(position);
	if (is_done)
		is_done = replace(procedure, response, value, json_string_value(position),
				  json_string_length(position));
	json_decref(position);
	return is_done;
}

static bool decode(const struct tc_procedure *procedure, const char *text,
		   char ret_position[static TC_CURSOR_POSITION_MAX + 1])
{
	unsigned char bytes[CHECK_SIZE + TC_CURSOR_POSITION_MAX], check[CHECK_SIZE];
	size_t length;

	if (sodium_base642bin(bytes, sizeof(bytes), text, strlen(text), NULL, &length, NULL,
			      VARIANT) != 0 ||
	    length < CHECK_SIZE)
		return false;
	length -= CHECK_SIZE;
	make_check(procedure, (const char *)bytes + CHECK_SIZE, length, check);
	if (memcmp(check, bytes, CHECK_SIZE) != 0)
		return false;
	memcpy(ret_position, bytes + CHECK_SIZE, length);
	ret_position[length] = '\0';
	return true;
}

void tc_cursor_unwrap(const struct tc_procedure *procedure, unsigned body_places, json_t *input,
		      struct tc_problem *problem)
{
	const struct tc_field *field = find_field(procedure);
	json_t *value = field ? json_object_get(input, field->name) : NULL;
	char position[TC_CURSOR_POSITION_MAX + 1], pointer[TC_VALIDATE_POINTER_SIZE];

	if (!json_is_string(value))
		return;
	if (TC_PLACE(field->place) & body_places)
		tc_validate_pointer(field->name, pointer);
	else
		snprintf(pointer, sizeof(pointer), "%s", field->name);
	if (!decode(procedure, json_string_value(value), position))
		tc_validate_add(problem, pointer, "is not a cursor that this list gave");
	else if (json_string_set(value, position) != 0)
		problem->status = 503;
}
