/* core/validate.c: see validate.h. One function a type; sentences complete "FIELD ...". */
#include "core/validate.h"

#include "base/utf8.h"
#include "base/uuid.h"
#include "core/cursor.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct tc_field *tc_validate_find(const struct tc_field *fields, const char *name,
					unsigned places)
{
	for (const struct tc_field *field = fields; field && field->type; field++)
		if (TC_PLACE(field->place) & places && strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

void tc_validate_pointer(const char *name, char ret_pointer[static TC_VALIDATE_POINTER_SIZE])
{
	size_t length = 0;

	ret_pointer[length++] = '/';
	for (; *name && length + 3 <= TC_VALIDATE_POINTER_SIZE; name++) {
		if (*name == '~' || *name == '/') {
			ret_pointer[length++] = '~';
			ret_pointer[length++] = *name == '~' ? '0' : '1';
		} else {
			ret_pointer[length++] = *name;
		}
	}
	ret_pointer[length] = '\0';
}

void tc_validate_add(struct tc_problem *problem, const char *pointer, const char *format, ...)
{
	char detail[sizeof(problem->errors[0].detail)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	tc_problem_add(problem, pointer, "%s", detail);
	if (!problem->status)
		problem->status = 400;
}

/* PostgreSQL's text has no NUL, and a C string would end there. */
static bool has_nul(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) != json_string_length(value);
}

static void add_nul(const char *pointer, struct tc_problem *problem)
{
	tc_validate_add(problem, pointer, "must not contain NUL characters");
}

static void check_length(const char *text, int64_t min, int64_t max, const char *pointer,
			 struct tc_problem *problem)
{
	int64_t length = (int64_t)tc_utf8_length(text);

	if (length < min)
		tc_validate_add(problem, pointer, "must have at least %lld character%s",
				(long long)min, min == 1 ? "" : "s");
	else if (max > 0 && length > max)
		tc_validate_add(problem, pointer, "must have at most %lld characters",
				(long long)max);
}

static void check_string(json_t *value, int64_t min, int64_t max, const char *pointer,
			 struct tc_problem *problem)
{
	if (json_is_string(value))
		check_length(json_string_value(value), min, max, pointer, problem);
	else
		tc_validate_add(problem, pointer, "must be a string");
}

static void check_uuid(json_t *value, const char *pointer, struct tc_problem *problem)
{
	const char *text = json_string_value(value);
	char lower[TC_UUID_SIZE];
	bool changed = false;

	if (!text || !tc_uuid_is_valid(text)) {
		tc_validate_add(problem, pointer, "must be a UUID");
		return;
	}
	for (size_t i = 0; i < TC_UUID_SIZE; i++) {
		bool upper = text[i] >= 'A' && text[i] <= 'F';

		lower[i] = upper ? (char)(text[i] - 'A' + 'a') : text[i];
		changed |= upper;
	}
	if (changed && json_string_set_nocheck(value, lower) != 0) {
		problem->status = 503;
		snprintf(problem->detail, sizeof(problem->detail), "Out of memory; try again");
	}
}

static void check_enum(const struct tc_field *field, json_t *value, const char *pointer,
		       struct tc_problem *problem)
{
	char choices[sizeof(problem->errors[0].detail) - 32] = "";
	const char *text = json_string_value(value);
	size_t length = 0;

	for (const char *const *choice = field->choices; *choice; choice++) {
		if (text && strcmp(text, *choice) == 0)
			return;
		if (length < sizeof(choices))
			length += (size_t)snprintf(choices + length, sizeof(choices) - length,
						   "%s%s", length > 0 ? ", " : "", *choice);
	}
	tc_validate_add(problem, pointer, "must be one of: %s", choices);
}

static void check_integer(const struct tc_field *field, json_t *value, const char *pointer,
			  struct tc_problem *problem)
{
	json_int_t number = json_integer_value(value);
	bool bounded = field->min != 0 || field->max != 0;

	if (!json_is_integer(value))
		tc_validate_add(problem, pointer, "must be an integer");
	else if (bounded && (number < field->min || number > field->max))
		tc_validate_add(problem, pointer, "must be from %lld to %lld",
				(long long)field->min, (long long)field->max);
}

static void check_array(const struct tc_field *field, json_t *value, const char *pointer,
			struct tc_problem *problem)
{
	int64_t count = (int64_t)json_array_size(value);
	size_t index;
	json_t *item;

	if (!json_is_array(value)) {
		tc_validate_add(problem, pointer, "must be an array of %s",
				field->type == TC_FIELD_UUIDS ? "UUIDs" : "strings");
		return;
	}
	if (count < field->min)
		tc_validate_add(problem, pointer, "must have at least %lld item%s",
				(long long)field->min, field->min == 1 ? "" : "s");
	if (field->max > 0 && count > field->max) {
		tc_validate_add(problem, pointer, "must have at most %lld items",
				(long long)field->max);
		return;
	}
	json_array_foreach(value, index, item)
	{
		char item_pointer[TC_VALIDATE_POINTER_SIZE + 24];

		snprintf(item_pointer, sizeof(item_pointer), "%s/%zu", pointer, index);
		if (has_nul(item))
			add_nul(item_pointer, problem);
		else if (field->type == TC_FIELD_UUIDS)
			check_uuid(item, item_pointer, problem);
		else
			check_string(item, 1, field->item_max, item_pointer, problem);
	}
}

/* `count` digits as a number; -1 if there are not that many. */
static int take_digits(const char **text, unsigned count)
{
	int number = 0;

	for (; count > 0; count--, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

static bool take_character(const char **text, const char *allowed)
{
	if (!**text || !strchr(allowed, **text))
		return false;
	(*text)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(const char **text)
{
	int year, month, day;

	year = take_digits(text, 4);
	if (year < 1 || !take_character(text, "-"))
		return false;
	month = take_digits(text, 2);
	if (month < 1 || month > 12 || !take_character(text, "-"))
		return false;
	day = take_digits(text, 2);
	return day >= 1 && day <= days_in_month(year, month);
}

/* Hours and minutes with a colon between. */
static bool take_hours_minutes(const char **text)
{
	int hours = take_digits(text, 2), minutes;

	if (hours < 0 || hours > 23 || !take_character(text, ":"))
		return false;
	minutes = take_digits(text, 2);
	return minutes >= 0 && minutes <= 59;
}

/* RFC 3339, section 5.6: date-time; a leap second is allowed, as PostgreSQL does. */
static bool is_timestamp(const char *text)
{
	int seconds;

	if (!take_date(&text) || !take_character(&text, "Tt") || !take_hours_minutes(&text) ||
	    !take_character(&text, ":"))
		return false;
	seconds = take_digits(&text, 2);
	if (seconds < 0 || seconds > 60)
		return false;
	if (take_character(&text, ".")) {
		size_t digits = strspn(text, "0123456789");

		if (digits < 1 || digits > 9)
			return false;
		text += digits;
	}
	if (take_character(&text, "Zz"))
		return *text == '\0';
	return take_character(&text, "+-") && take_hours_minutes(&text) && *text == '\0';
}

void tc_validate_value(const struct tc_field *field, json_t *value, const char *pointer,
		       struct tc_problem *problem)
{
	if (json_is_null(value) && field->type != TC_FIELD_ANY) {
		if (!(field->flags & TC_NULLABLE))
			tc_validate_add(problem, pointer, "must not be null");
		return;
	}
	if (has_nul(value)) {
		add_nul(pointer, problem);
		return;
	}
	switch (field->type) {
	case TC_FIELD_CURSOR:
		check_string(value, 1, TC_CURSOR_MAX, pointer, problem);
		break;
	case TC_FIELD_STRING:
		check_string(value, field->min, field->max, pointer, problem);
		break;
	case TC_FIELD_UUID:
		check_uuid(value, pointer, problem);
		break;
	case TC_FIELD_ENUM:
		check_enum(field, value, pointer, problem);
		break;
	case TC_FIELD_BOOLEAN:
		if (!json_is_boolean(value))
			tc_validate_add(problem, pointer, "must be true or false");
		break;
	case TC_FIELD_INTEGER:
		check_integer(field, value, pointer, problem);
		break;
	case TC_FIELD_STRINGS:
	case TC_FIELD_UUIDS:
		check_array(field, value, pointer, problem);
		break;
	case TC_FIELD_TIMESTAMP:
		if (!json_is_string(value) || !is_timestamp(json_string_value(value)))
			tc_validate_add(
				problem, pointer,
				"must be an RFC 3339 time, such as 2026-01-02T03:04:05.678Z");
		break;
	case TC_FIELD_ANY:
	case TC_FIELD_END:
		break;
	}
}
