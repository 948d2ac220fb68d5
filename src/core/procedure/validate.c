/* core/procedure/validate.c: see validate.h. One function a type; sentences complete "FIELD ...". */
#include "core/procedure/validate.h"

#include "base/utf8.h"
#include "base/uuid.h"
#include "core/procedure/cursor.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US          INT64_C(1000000)
#define MINUTE_US          (60 * SECOND_US)
#define DAY_US             (INT64_C(24) * 60 * MINUTE_US)
#define OFFSET_MAX_MINUTES (15 * 60 + 59) /* PostgreSQL's */

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

static void check_item(const struct tc_field *field, json_t *item, const char *pointer,
		       struct tc_problem *problem)
{
	if (field->flags & TC_ANY_ITEMS)
		check_string(item, 0, 0, pointer, problem);
	else if (has_nul(item))
		add_nul(pointer, problem);
	else if (field->type == TC_FIELD_UUIDS)
		check_uuid(item, pointer, problem);
	else
		check_string(item, 1, field->item_max, pointer, problem);
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
		check_item(field, item, item_pointer, problem);
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

/* A time as it is written. */
struct written_time {
	int year, month, day;
	int64_t time_us; /* of the day; rounded to microseconds, as PostgreSQL does */
	int offset_minutes;
};

static bool take_date(const char **text, struct written_time *ret_time)
{
	struct written_time time = {.year = take_digits(text, 4)};

	if (time.year < 0 || !take_character(text, "-"))
		return false;
	time.month = take_digits(text, 2);
	if (time.month < 1 || time.month > 12 || !take_character(text, "-"))
		return false;
	time.day = take_digits(text, 2);
	if (time.day < 1 || time.day > days_in_month(time.year, time.month))
		return false;
	*ret_time = time;
	return true;
}

/* Hours and minutes with a colon between, in minutes; -1 if they are not there. */
static int take_hours_minutes(const char **text)
{
	int hours = take_digits(text, 2), minutes;

	if (hours < 0 || hours > 23 || !take_character(text, ":"))
		return -1;
	minutes = take_digits(text, 2);
	return minutes < 0 || minutes > 59 ? -1 : hours * 60 + minutes;
}

/* Seconds and a fraction of up to nine digits, if there is one, in microseconds; -1 if they are not
 * there. A leap second is allowed, as PostgreSQL does. */
static int64_t take_seconds(const char **text)
{
	int seconds = take_digits(text, 2);
	size_t digits = 0;
	int64_t fraction_ns = 0;

	if (seconds < 0 || seconds > 60)
		return -1;
	if (take_character(text, ".")) {
		digits = strspn(*text, "0123456789");
		if (digits < 1 || digits > 9)
			return -1;
		fraction_ns = take_digits(text, (unsigned)digits);
	}
	for (; digits < 9; digits++)
		fraction_ns *= 10;
	return seconds * SECOND_US + (fraction_ns + 500) / 1000;
}

static bool take_offset(const char **text, int *ret_minutes)
{
	bool is_west = **text == '-';
	int minutes;

	if (take_character(text, "Zz")) {
		*ret_minutes = 0;
		return true;
	}
	if (!take_character(text, "+-"))
		return false;
	minutes = take_hours_minutes(text);
	if (minutes < 0)
		return false;
	*ret_minutes = is_west ? -minutes : minutes;
	return true;
}

/* RFC 3339, section 5.6: date-time. */
static bool read_time(const char *text, struct written_time *ret_time)
{
	struct written_time time;
	int64_t seconds_us;
	int minutes;

	if (!take_date(&text, &time) || !take_character(&text, "Tt"))
		return false;
	minutes = take_hours_minutes(&text);
	if (minutes < 0 || !take_character(&text, ":"))
		return false;
	seconds_us = take_seconds(&text);
	if (seconds_us < 0 || !take_offset(&text, &time.offset_minutes) || *text != '\0')
		return false;
	time.time_us = minutes * MINUTE_US + seconds_us;
	*ret_time = time;
	return true;
}

/* An offset is shorter than a day: it leads out of these years from their first and their last day only. */
static bool is_in_years(const struct written_time *time)
{
	bool first = time->year == 1 && time->month == 1 && time->day == 1;
	bool last = time->year == 9999 && time->month == 12 && time->day == 31;
	int64_t utc_us = time->time_us - time->offset_minutes * MINUTE_US;

	return time->year >= 1 && !(first && utc_us < 0) && !(last && utc_us >= DAY_US);
}

/* What PostgreSQL would refuse, and what we could not show in RFC 3339, is refused here, where the field has a
 * name. */
static void check_timestamp(json_t *value, const char *pointer, struct tc_problem *problem)
{
	const char *text = json_string_value(value);
	struct written_time time;

	if (!text || !read_time(text, &time))
		tc_validate_add(problem, pointer,
				"must be an RFC 3339 time, such as 2026-01-02T03:04:05.678Z");
	else if (abs(time.offset_minutes) > OFFSET_MAX_MINUTES)
		tc_validate_add(problem, pointer, "must have an offset from -15:59 to +15:59");
	else if (time.time_us > DAY_US)
		tc_validate_add(problem, pointer, "must not be later than 23:59:60 of its day");
	else if (!is_in_years(&time))
		tc_validate_add(problem, pointer,
				"must be in the years 0001 to 9999, as written and in UTC");
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
	case TC_FIELD_OBJECTS:
		if (!json_is_array(value))
			tc_validate_add(problem, pointer, "must be an array of objects");
		break;
	case TC_FIELD_TIMESTAMP:
		check_timestamp(value, pointer, problem);
		break;
	case TC_FIELD_ANY:
	case TC_FIELD_END:
		break;
	}
}
