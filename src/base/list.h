/* base/list.h: an intrusive doubly linked list. The list owns nothing; a node is in one list at most.
 * Invariant: an unlinked node points to itself. */
#pragma once

#include "base/macro.h"
#include <stdbool.h>

struct tc_list {
	struct tc_list *next, *previous;
};

static inline void tc_list_init(struct tc_list *list)
{
	list->next = list->previous = list;
}

static inline bool tc_list_is_empty(const struct tc_list *list)
{
	return list->next == list;
}

static inline void tc_list_push_back(struct tc_list *list, struct tc_list *node)
{
	node->previous = list->previous;
	node->next = list;
	list->previous->next = node;
	list->previous = node;
}

static inline void tc_list_push_front(struct tc_list *list, struct tc_list *node)
{
	tc_list_push_back(list->next, node);
}

/* Harmless on an unlinked node. */
static inline void tc_list_remove(struct tc_list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	tc_list_init(node);
}

/* The first node, unlinked; NULL when empty. */
static inline struct tc_list *tc_list_pop_front(struct tc_list *list)
{
	struct tc_list *node = list->next;

	if (node == list)
		return NULL;
	tc_list_remove(node);
	return node;
}

/* Moves all nodes of `from` to the end of `to`. */
static inline void tc_list_splice_back(struct tc_list *to, struct tc_list *from)
{
	if (tc_list_is_empty(from))
		return;
	from->next->previous = to->previous;
	to->previous->next = from->next;
	from->previous->next = to;
	to->previous = from->previous;
	tc_list_init(from);
}

/* Iterates; the body may remove `node`. */
#define tc_list_each(node, list)                                                                   \
	for (struct tc_list *node = (list)->next, *tc_next = node->next; node != (list);           \
	     node = tc_next, tc_next = node->next)

#define tc_list_entry(node, type, member) tc_container_of(node, type, member)
