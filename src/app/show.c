/* app/show.c: see show.h. */
#include "app/show.h"

#include "base/buffer.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 24
#define NAME_SIZE   64
#define DEPTH_MAX   4 /* of objects in objects; below that JSON */

/* What is shown of lists inside things; others show all that is simple. */
static const struct nested {
	const char *member, *columns;
} nested_columns[] = {
	{"updates", "id createdAt statusChange visibility createdByName message"},
	{"links", "id visibility label url"},
	{"contacts", "id type value label"},
};

struct columns {
	char names[COLUMNS_MAX][NAME_SIZE];
	size_t widths[COLUMNS_MAX];
	unsigned count;
};

/* Characters, not bytes: continuation bytes do not count. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xC0) != 0x80;
	return width;
}

/* C0, DEL, and C1 (which in UTF-8 begins with C2 and ends below A0). */
static void append_safe(struct tc_buffer *out, const char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text, next = (unsigned char)text[1];

		if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
			tc_buffer_append(out, "?", 1);
			text++;
		} else if (byte == '\n' || byte == '\t') {
			tc_buffer_append(out, " ", 1);
		} else {
			tc_buffer_append(out, byte < 0x20 || byte == 0x7F ? "?" : text, 1);
		}
	}
}

static void append_json(struct tc_buffer *out, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	append_safe(out, text ? text : "?");
	free(text);
}

static bool is_simple(json_t *value)
{
	size_t index;
	json_t *item;

	if (json_is_object(value))
		return false;
	json_array_foreach(value, index, item)
	{
		if (json_is_object(item) || json_is_array(item))
			return false;
	}
	return true;
}

/* One value on one line. */
static void append_value(struct tc_buffer *out, json_t *value)
{
	size_t index;
	json_t *item;

	if (!value || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0))
		tc_buffer_append_text(out, "-");
	else if (json_is_string(value))
		append_safe(out, json_string_value(value));
	else if (json_is_array(value) && is_simple(value))
		json_array_foreach(value, index, item)
		{
			if (index > 0)
				tc_buffer_append(out, ",", 1);
			append_value(out, item);
		}
	else
		append_json(out, value);
}

static const char *text_of(struct tc_buffer *out, json_t *value)
{
	tc_buffer_clear(out);
	append_value(out, value);
	return out->data && !out->failed ? out->data : "?";
}

static void add_column(struct columns *columns, const char *name, size_t length)
{
	if (columns->count < COLUMNS_MAX && length < NAME_SIZE)
		snprintf(columns->names[columns->count++], NAME_SIZE, "%.*s", (int)length, name);
}

static void choose_columns(struct columns *columns, json_t *objects, const char *names)
{
	const char *name;
	json_t *value;

	columns->count = 0;
	for (; names && *names; names += strspn(names, " ")) {
		add_column(columns, names, strcspn(names, " "));
		names += strcspn(names, " ");
	}
	if (columns->count > 0)
		return;
	json_object_foreach(json_array_get(objects, 0), name, value)
	{
		if (is_simple(value))
			add_column(columns, name, strlen(name));
	}
}

/* "createdAt" as "CREATED AT" */
static void heading_of(const char *name, char ret_text[static 2 * NAME_SIZE])
{
	size_t length = 0;

	for (; *name; name++) {
		if (isupper((unsigned char)*name) && length > 0)
			ret_text[length++] = ' ';
		ret_text[length++] = (char)toupper((unsigned char)*name);
	}
	ret_text[length] = '\0';
}

static void measure(struct columns *columns, json_t *objects, bool has_heading)
{
	TC_BUFFER text = {0};
	size_t index;
	json_t *object;

	for (unsigned i = 0; i < columns->count; i++) {
		char heading[2 * NAME_SIZE];

		heading_of(columns->names[i], heading);
		columns->widths[i] = has_heading ? strlen(heading) : 0;
	}
	json_array_foreach(objects, index, object)
	{
		for (unsigned i = 0; i < columns->count; i++) {
			size_t width = width_of(
				text_of(&text, json_object_get(object, columns->names[i])));

			columns->widths[i] = TC_MAX(columns->widths[i], width);
		}
	}
}

static void print_cell(const struct columns *columns, unsigned column, const char *text)
{
	size_t width = width_of(text);

	fputs(text, stdout);
	if (column + 1 == columns->count)
		putchar('\n');
	else
		printf("%*s", (int)(columns->widths[column] - width + 2), "");
}

void tc_show_table(json_t *objects, const char *names, bool has_heading)
{
	struct columns columns;
	TC_BUFFER text = {0};
	size_t index;
	json_t *object;

	choose_columns(&columns, objects, names);
	measure(&columns, objects, has_heading);
	for (unsigned i = 0; has_heading && i < columns.count; i++) {
		char heading[2 * NAME_SIZE];

		heading_of(columns.names[i], heading);
		print_cell(&columns, i, heading);
	}
	json_array_foreach(objects, index, object)
	{
		for (unsigned i = 0; i < columns.count; i++)
			print_cell(&columns, i,
				   text_of(&text, json_object_get(object, columns.names[i])));
	}
}

/* --- everything --- */

static size_t widest(json_t *object)
{
	size_t width = 0;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (is_simple(value))
			width = TC_MAX(width, width_of(name));
	}
	return width;
}

static const char *columns_for(const char *member)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(nested_columns); i++)
		if (strcmp(nested_columns[i].member, member) == 0)
			return nested_columns[i].columns;
	return NULL;
}

static void show_object(json_t *object, unsigned depth)
{
	TC_BUFFER text = {0}, safe_name = {0};
	size_t width = widest(object);
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		tc_buffer_clear(&safe_name);
		append_safe(&safe_name, name);
		if (is_simple(value))
			printf("%s%*s  %s\n", safe_name.data ? safe_name.data : "",
			       (int)(width - width_of(name)), "", text_of(&text, value));
	}
	json_object_foreach(object, name, value)
	{
		if (is_simple(value))
			continue;
		tc_buffer_clear(&safe_name);
		append_safe(&safe_name, name);
		printf("\n%s\n", safe_name.data ? safe_name.data : "");
		if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
			tc_show_table(value, columns_for(name), true);
		else if (json_is_object(value) && depth < DEPTH_MAX)
			show_object(value, depth + 1);
		else
			printf("%s\n", text_of(&text, value));
	}
}

void tc_show_detail(json_t *value)
{
	TC_BUFFER text = {0};

	if (json_is_object(value))
		show_object(value, 1);
	else if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
		tc_show_table(value, NULL, true);
	else if (!json_is_null(value))
		printf("%s\n", text_of(&text, value));
}

void tc_show_pairs(const char *label, json_t *object)
{
	TC_BUFFER text = {0};
	const char *name;
	json_t *value;

	append_safe(&text, label);
	json_object_foreach(object, name, value)
	{
		if (!is_simple(value))
			continue;
		tc_buffer_append_text(&text, "  ");
		append_safe(&text, name);
		tc_buffer_append_text(&text, "=");
		append_value(&text, value);
	}
	printf("%s\n", text.data && !text.failed ? text.data : "?");
}
