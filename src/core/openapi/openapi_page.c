/* core/openapi/openapi_page.c: the table of procedures as a page for people; see openapi.h. */
#include "core/openapi/openapi.h"

#include "core/openapi/openapi_schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
	":root{--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;--back:#fff;--tint:#f4f6f9;--accent:#"
	"0b5cad}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--soft:#9aa6b5;--line:#333c48;"
	"--back:#14181e;--tint:#1c222a;--accent:#6db3ff}}"
	"*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:2rem 1.25rem 5rem;"
	"font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--back)}"
	"h1{margin:0;font-size:2rem}h2{margin:2.5rem 0 .75rem;text-transform:capitalize}"
	"h3{margin:1.75rem 0 .25rem;font-size:1rem}"
	"a{color:var(--accent)}p{margin:.5rem 0}code,.path{font-family:ui-monospace,monospace;"
	"font-size:.9em}.soft{color:var(--soft)}nav a{margin-right:1rem;text-transform:capitalize}"
	"details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;overflow:hidden}"
	"summary{cursor:pointer;padding:.6rem .9rem;display:flex;gap:.75rem;align-items:baseline;"
	"flex-wrap:wrap}summary:hover,details[open]>summary{background:var(--tint)}"
	".body,section{overflow-x:auto}.body{padding:.5rem .9rem 1rem}"
	".verb{font:700 .75rem/1.6 ui-monospace,monospace;"
	"color:#fff;border-radius:.3rem;padding:0 .5rem;min-width:4.2rem;text-align:center}"
	".GET{background:#1f6feb}.POST{background:#1a7f37}.PATCH{background:#9a6700}"
	".PUT{background:#8250df}.DELETE{background:#cf222e}"
	"table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{text-align:left;"
	"vertical-align:top;padding:.35rem .75rem .35rem 0;border-top:1px solid var(--line)}"
	"th{font-size:.85rem;color:var(--soft);border:0}";

static void escape(struct tc_buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			tc_buffer_append_text(out, "&amp;");
		else if (*text == '<')
			tc_buffer_append_text(out, "&lt;");
		else if (*text == '>')
			tc_buffer_append_text(out, "&gt;");
		else if (*text == '"')
			tc_buffer_append_text(out, "&quot;");
		else
			tc_buffer_append(out, text, 1);
	}
}

static const char *const type_names[] = {
	[TC_FIELD_STRING] = "text",         [TC_FIELD_UUID] = "UUID",
	[TC_FIELD_ENUM] = "one of ",        [TC_FIELD_BOOLEAN] = "true or false",
	[TC_FIELD_INTEGER] = "integer",     [TC_FIELD_STRINGS] = "list of texts",
	[TC_FIELD_UUIDS] = "list of UUIDs", [TC_FIELD_TIMESTAMP] = "RFC 3339 time",
	[TC_FIELD_CURSOR] = "cursor",       [TC_FIELD_OBJECTS] = "list of objects",
	[TC_FIELD_ANY] = "any JSON",
};

static void append_choices(struct tc_buffer *out, const char *const *choices)
{
	for (const char *const *choice = choices; choice && *choice; choice++) {
		tc_buffer_append_text(out, choice == choices ? "<code>" : ", <code>");
		escape(out, *choice);
		tc_buffer_append_text(out, "</code>");
	}
}

static void append_type(struct tc_buffer *out, const struct tc_field *field)
{
	static const char *const units[] = {
		[TC_FIELD_STRING] = " characters", [TC_FIELD_INTEGER] = "",
		[TC_FIELD_STRINGS] = " items",     [TC_FIELD_UUIDS] = " items",
		[TC_FIELD_OBJECTS] = " items",     [TC_FIELD_ANY] = NULL};

	tc_buffer_append_text(out, type_names[field->type]);
	append_choices(out, field->choices);
	if (units[field->type] && field->max > 0)
		tc_buffer_append_format(out, ", %lld to %lld%s", (long long)field->min,
					(long long)field->max, units[field->type]);
	if (field->flags & TC_NULLABLE)
		tc_buffer_append_text(out, ", or null");
}

static void append_fields(struct tc_buffer *out, const struct tc_procedure *row)
{
	if (!row->fields || !row->fields->type)
		return;
	tc_buffer_append_text(out, "<table><tr><th>Field<th>In<th>Type<th>What it is</tr>");
	for (const struct tc_field *field = row->fields; field->type; field++) {
		bool is_required = field->place == TC_IN_PATH || field->flags & TC_REQUIRED;

		tc_buffer_append_text(out, "<tr><td><code>");
		escape(out, field->name);
		tc_buffer_append_format(out, "</code>%s<td>%s<td>",
					is_required ? " <span class=soft>required</span>" : "",
					tc_document_place(field->place));
		append_type(out, field);
		tc_buffer_append_text(out, "<td>");
		if (field->description)
			escape(out, field->description);
		tc_buffer_append_text(out, tc_document_null(field));
		tc_buffer_append_text(out, "</tr>");
	}
	tc_buffer_append_text(out, "</table>");
}

static void append_schema_link(struct tc_buffer *out, const char *name, size_t length)
{
	tc_buffer_append_format(out, "<a href=\"#schema-%.*s\">%.*s</a>", (int)length, name,
				(int)length, name);
}

/* "201 A/B, 204": each schema leads to what is said of it. */
static void append_answers(struct tc_buffer *out, const char *answers)
{
	while (*answers) {
		size_t length = strcspn(answers, " ,/");

		if (isalpha((unsigned char)*answers))
			append_schema_link(out, answers, length);
		else
			tc_buffer_append(out, answers, length ? length : 1);
		answers += length ? length : 1;
	}
}

static void append_access(struct tc_buffer *out, const struct tc_procedure *row,
			  uint32_t anonymous_rules)
{
	tc_buffer_append_text(out, "<p class=soft>");
	if (row->flags & TC_SESSION_NEEDED)
		tc_buffer_append_text(out, "For users who are logged in.");
	else if (!row->rule)
		tc_buffer_append_text(out, "For everybody.");
	for (const struct tc_rule *rule = tc_rules; rule->name; rule++) {
		if (!(row->rule & rule->rule))
			continue;
		tc_buffer_append_format(
			out, "Needs <code>%s</code>%s. ", rule->name,
			anonymous_rules & rule->rule
				? ", which everybody has unless anonymous reading is "
				  "switched off"
				: "");
	}
	if (row->answers || row->content_type) {
		tc_buffer_append_text(out, row->answers ? " Answers " : " Answers 200 ");
		if (row->answers)
			append_answers(out, row->answers);
		else
			escape(out, row->content_type);
		tc_buffer_append_text(out, ".");
	}
	if (row->group)
		tc_buffer_append_format(out, " Also at <code>POST /rest/%s/%s</code>.", row->group,
					row->name);
	if (tc_procedure_is_idempotent(row))
		tc_buffer_append_text(out, " Takes <code>Idempotency-Key</code>.");
	tc_buffer_append_text(out, "</p>");
}

static void append_row(struct tc_buffer *out, const struct tc_procedure *row,
		       uint32_t anonymous_rules)
{
	const char *verb = tc_method_names[row->method];

	tc_buffer_append_format(out,
				"<details id=\"%s\"><summary><span class=\"verb %s\">%s</span>"
				"<span class=path>",
				row->name, verb, verb);
	escape(out, row->path);
	tc_buffer_append_text(out, "</span><span class=soft>");
	escape(out, row->summary);
	tc_buffer_append_format(out, "</span></summary><div class=body><p><strong>%s</strong></p>",
				row->name);
	append_fields(out, row);
	append_access(out, row, anonymous_rules);
	tc_buffer_append_text(out, "</div></details>");
}

static const char *group_of(const struct tc_procedure *row)
{
	return row->group ? row->group : "server";
}

/* True for the first row of its group, in the order of the tables. */
static bool is_first(const struct tc_openapi_options *options, const struct tc_procedure *wanted)
{
	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name; row++)
			if (strcmp(group_of(row), group_of(wanted)) == 0)
				return row == wanted;
	return false;
}

static void append_group(struct tc_buffer *out, const struct tc_openapi_options *options,
			 const char *group)
{
	tc_buffer_append_format(out, "<h2 id=\"group-%s\">%s</h2>", group, group);
	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name; row++)
			if (strcmp(group_of(row), group) == 0)
				append_row(out, row, options->anonymous_rules);
}

static void each_group(struct tc_buffer *out, const struct tc_openapi_options *options,
		       bool is_index)
{
	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name; row++) {
			if (!is_first(options, row))
				continue;
			if (is_index)
				tc_buffer_append_format(out, "<a href=\"#group-%s\">%s</a> ",
							group_of(row), group_of(row));
			else
				append_group(out, options, group_of(row));
		}
}

/* --- what is answered --- */

static void append_members(struct tc_buffer *out, const struct tc_member *members)
{
	for (const struct tc_member *member = members; member && member->name; member++) {
		tc_buffer_append_format(out, "<tr><td><code>%s</code>%s<td>", member->name,
					member->flags & TC_MEMBER_OPTIONAL
						? " <span class=soft>may be absent</span>"
						: "");
		if (member->flags & TC_MEMBER_MAP)
			tc_buffer_append_text(out, "by name, each: ");
		if (member->flags & TC_MEMBER_MANY)
			tc_buffer_append_text(out, "list, each: ");
		if (member->schema)
			append_schema_link(out, member->schema, strlen(member->schema));
		else
			tc_buffer_append_text(out, type_names[member->type]);
		append_choices(out, member->choices);
		if (member->flags & TC_MEMBER_NULLABLE)
			tc_buffer_append_text(out, ", or null");
		tc_buffer_append_text(out, "<td>");
		escape(out, member->description ? member->description : "");
		tc_buffer_append_text(out, "</tr>");
	}
}

static void append_schemas(struct tc_buffer *out, const struct tc_schema *schemas)
{
	tc_buffer_append_text(out, "<h2 id=answers>answers</h2>");
	for (const struct tc_schema *schema = schemas; schema->name; schema++) {
		tc_buffer_append_format(out, "<section id=\"schema-%s\"><h3>%s</h3><p class=soft>",
					schema->name, schema->name);
		escape(out, schema->description ? schema->description : "");
		tc_buffer_append_text(out, "</p><table>");
		if (schema->map_of) {
			tc_buffer_append_text(out, "<tr><td>by name<td>");
			append_schema_link(out, schema->map_of, strlen(schema->map_of));
			tc_buffer_append_text(out, "</tr>");
		}
		append_members(out, schema->members);
		append_members(out, schema->more);
		tc_buffer_append_text(out, "</table></section>");
	}
}

int tc_openapi_format_page(const struct tc_openapi_options *options, struct tc_buffer *ret_html,
			   struct tocsin_error *error)
{
	tc_buffer_append_format(
		ret_html,
		"<!doctype html><html lang=en><meta charset=utf-8>"
		"<meta name=viewport content=\"width=device-width,initial-scale=1\">"
		"<title>Tocsin API</title><style>%s</style><h1>Tocsin API</h1>"
		"<p class=soft>Version %s. For programs: <a href=\"/openapi.json\">"
		"/openapi.json</a> (OpenAPI 3.1).</p>"
		"<p>Say who you are with <code>Authorization: Bearer "
		"tocsin_ID_SECRET</code>, or with the cookie of logIn. Errors are <a "
		"href=\"#schema-Problem\">problem documents</a> (RFC 9457).</p><nav>",
		style, options->version);
	each_group(ret_html, options, true);
	tc_buffer_append_text(ret_html, "<a href=\"#answers\">answers</a></nav>");
	each_group(ret_html, options, false);
	append_schemas(ret_html, options->schemas);
	tc_buffer_append_text(ret_html, "</html>\n");
	if (ret_html->failed)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the page");
	return TOCSIN_OK;
}
