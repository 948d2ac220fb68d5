/* app/cli/show.h: JSON for people, on standard output. What a server says is not trusted: all of it is made visible
 * (app/cli/visible.h). */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* A table of objects. `columns`: "id status title", NULL: every simple member that one of them has. */
void tc_show_table(json_t *objects, const char *columns, bool has_heading);
/* Everything in a value: members one below the other, lists of objects as tables, text line by line. */
void tc_show_detail(json_t *value);
/* The simple members of an object on one line, after `label`: "label  name=value name=value". */
void tc_show_pairs(const char *label, json_t *object);
