/* app/cli/show.c: see show.h. */
#include "app/cli/show.h"

#include "app/cli/visible.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 24
#define NAME_SIZE   64
#define DEPTH_MAX   4 /* of objects in objects; below that JSON */

/* What is shown of lists inside things, and in maps inside them ({"updates": {ID: [...]}}), as far as something in
 * the list has it: a system's links, unlike an incident's, have no visibility. Other lists show all that is simple. */
static const struct nested {
	const char *member, *columns;
} nested_columns[] = {
	{"updates", "id createdAt statusChange visibility createdByName message"},
	{"links", "id visibility label url"},
	{"contacts", "id type value label"},
	{"incidents", "id status severity createdAt systemIds title"},
};

struct columns {
	char names[COLUMNS_MAX][NAME_SIZE];
	size_t widths[COLUMNS_MAX];
	unsigned count;
};

static void append_json(struct tc_buffer *out, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	tc_visible_append(out, text ? text : "?");
	free(text);
}

static bool is_simple(json_t *value)
{
	size_t index;
	json_t *item;

	if (json_is_object(value))
		return json_object_size(value) == 0;
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

	if (!value || json_is_null(value) ||
	    (json_is_array(value) && json_array_size(value) == 0) ||
	    (json_is_object(value) && json_object_size(value) == 0))
		tc_buffer_append_text(out, "-");
	else if (json_is_string(value))
		tc_visible_append(out, json_string_value(value));
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

static const char *visible(struct tc_buffer *out, const char *text)
{
	tc_buffer_clear(out);
	tc_visible_append(out, text);
	return out->data && !out->failed ? out->data : "";
}

static const char *text_of(struct tc_buffer *out, json_t *value)
{
	tc_buffer_clear(out);
	append_value(out, value);
	return out->data && !out->failed ? out->data : "?";
}

static bool has_member(json_t *objects, const char *name)
{
	size_t index;
	json_t *object;

	json_array_foreach(objects, index, object)
	{
		json_t *value = json_object_get(object, name);

		if (value && !json_is_null(value))
			return true;
	}
	return false;
}

/* Leaves out columns that nothing would be in. */
static void drop_empty_columns(struct columns *columns, json_t *objects)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < columns->count; i++) {
		if (has_member(objects, columns->names[i]))
			memmove(columns->names[kept++], columns->names[i], NAME_SIZE);
	}
	columns->count = kept;
}

/* A column once. */
static void add_column(struct columns *columns, const char *name, size_t length)
{
	for (unsigned i = 0; i < columns->count; i++)
		if (strlen(columns->names[i]) == length &&
		    strncmp(columns->names[i], name, length) == 0)
			return;
	if (columns->count < COLUMNS_MAX && length < NAME_SIZE)
		snprintf(columns->names[columns->count++], NAME_SIZE, "%.*s", (int)length, name);
}

static void choose_columns(struct columns *columns, json_t *objects, const char *names)
{
	const char *name;
	size_t index;
	json_t *object, *value;

	columns->count = 0;
	for (; names && *names; names += strspn(names, " ")) {
		add_column(columns, names, strcspn(names, " "));
		names += strcspn(names, " ");
	}
	if (columns->count > 0)
		return;
	json_array_foreach(objects, index, object)
	{
		json_object_foreach(object, name, value)
		{
			if (is_simple(value))
				add_column(columns, name, strlen(name));
		}
	}
}

/* "createdAt" as "CREATED AT" */
static const char *heading_of(struct tc_buffer *out, const char *name)
{
	char text[2 * NAME_SIZE];
	size_t length = 0;

	for (; *name; name++) {
		if (isupper((unsigned char)*name) && length > 0)
			text[length++] = ' ';
		text[length++] = (char)toupper((unsigned char)*name);
	}
	text[length] = '\0';
	return visible(out, text);
}

static void measure(struct columns *columns, json_t *objects, bool has_heading)
{
	TC_BUFFER text = {0};
	size_t index;
	json_t *object;

	for (unsigned i = 0; i < columns->count; i++) {
		const char *heading = heading_of(&text, columns->names[i]);

		columns->widths[i] = has_heading ? tc_visible_width(heading) : 0;
	}
	json_array_foreach(objects, index, object)
	{
		for (unsigned i = 0; i < columns->count; i++) {
			size_t width = tc_visible_width(
				text_of(&text, json_object_get(object, columns->names[i])));

			columns->widths[i] = TC_MAX(columns->widths[i], width);
		}
	}
}

static void print_cell(const struct columns *columns, unsigned column, const char *text)
{
	size_t width = tc_visible_width(text);

	fputs(text, stdout);
	if (column + 1 == columns->count)
		putchar('\n');
	else
		printf("%*s", (int)(columns->widths[column] - width + 2), "");
}

static void print_table(struct columns *columns, json_t *objects, bool has_heading)
{
	TC_BUFFER text = {0};
	size_t index;
	json_t *object;

	measure(columns, objects, has_heading);
	for (unsigned i = 0; has_heading && i < columns->count; i++)
		print_cell(columns, i, heading_of(&text, columns->names[i]));
	json_array_foreach(objects, index, object)
	{
		for (unsigned i = 0; i < columns->count; i++)
			print_cell(columns, i,
				   text_of(&text, json_object_get(object, columns->names[i])));
	}
}

void tc_show_table(json_t *objects, const char *names, bool has_heading)
{
	struct columns columns;

	choose_columns(&columns, objects, names);
	print_table(&columns, objects, has_heading);
}

/* --- everything --- */

static size_t widest(json_t *object)
{
	TC_BUFFER text = {0};
	size_t width = 0;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (is_simple(value))
			width = TC_MAX(width, tc_visible_width(visible(&text, name)));
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

static void show_nested_table(const char *names, json_t *objects)
{
	struct columns columns;

	choose_columns(&columns, objects, names);
	drop_empty_columns(&columns, objects);
	print_table(&columns, objects, true);
}

/* `columns`: of lists whose name has none of its own; NULL: all. */
static void show_object(json_t *object, const char *columns, unsigned depth)
{
	TC_BUFFER text = {0}, label_text = {0};
	const char *name, *gap = depth > 1 ? "\n" : ""; /* before the next part */
	size_t width = widest(object);
	json_t *value;

	json_object_foreach(object, name, value)
	{
		const char *label = visible(&label_text, name);

		if (!is_simple(value))
			continue;
		printf("%s%*s  %s\n", label, (int)(width - tc_visible_width(label)), "",
		       text_of(&text, value));
		gap = "\n";
	}
	json_object_foreach(object, name, value)
	{
		const char *own = columns_for(name) ? columns_for(name) : columns;

		if (is_simple(value))
			continue;
		printf("%s%s\n", gap, visible(&label_text, name));
		gap = "\n";
		if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
			show_nested_table(own, value);
		else if (json_is_object(value) && depth < DEPTH_MAX)
			show_object(value, own, depth + 1);
		else
			printf("%s\n", text_of(&text, value));
	}
}

/* The lines stay as they are. */
static void show_text(const char *text)
{
	size_t length = strlen(text);
	TC_BUFFER lines = {.max = length * TC_VISIBLE_GROWTH_MAX};

	tc_visible_append_lines(&lines, text);
	fputs(lines.data && !lines.failed ? lines.data : "?", stdout);
	if (length > 0 && text[length - 1] != '\n')
		putchar('\n');
}

void tc_show_detail(json_t *value)
{
	TC_BUFFER text = {0};

	if (json_is_object(value))
		show_object(value, NULL, 1);
	else if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
		tc_show_table(value, NULL, true);
	else if (json_is_string(value))
		show_text(json_string_value(value));
	else if (!json_is_null(value))
		printf("%s\n", text_of(&text, value));
}

void tc_show_pairs(const char *label, json_t *object)
{
	TC_BUFFER text = {0};
	const char *name;
	json_t *value;

	tc_visible_append(&text, label);
	json_object_foreach(object, name, value)
	{
		if (!is_simple(value))
			continue;
		tc_buffer_append_text(&text, "  ");
		tc_visible_append(&text, name);
		tc_buffer_append_text(&text, "=");
		append_value(&text, value);
	}
	printf("%s\n", text.data && !text.failed ? text.data : "?");
}
