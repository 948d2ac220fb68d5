/* modules/catalog/catalog.h: the catalog: systems that incidents are about, their contacts and links, groups.
 *
 * Model. A system is registered by somebody, or discovered: an incident named it before anybody did. A
 * discovered one has its id as its name; registering or changing it makes it a registered one. Names of
 * registered systems, and of groups, are unique without regard to case. A system may be in many groups.
 *
 * A change runs in one transaction that holds the row of the system or group, and writes its outbox row
 * there: catalog.system.created, .updated, .deleted, catalog.group.created, .updated, .deleted. (A
 * discovery is told by the incident.created that names the system.)
 *
 * A deletion (deleter.h) ends under the lock key under which incidents of the system are opened once: a create is
 * either over before it, and loses the system, or comes after it, and discovers the system anew. Rows are taken in
 * one order everywhere: the key, incidents by id, systems.
 *
 * Answers are JSON as the API shows it, built by PostgreSQL. All functions block for the database; any
 * thread that holds no connection may call them. `ret_json` is an empty buffer; what is in it after a failure means
 * nothing. `actor` is tc_caller.id, or NULL.
 *
 * *ret_conflict is set with EXISTS only: the name of the field that somebody else's thing has taken, constant;
 * NULL if it is not a field. */
#pragma once

#include "base/buffer.h"
#include "core/procedure/procedure.h"
#include <tocsin/tocsin.h>

#define TC_CATALOG_LIST_DEFAULT 50
#define TC_CATALOG_LIST_MAX     500
#define TC_CATALOG_CONTACTS_MAX 100 /* of a system */
#define TC_CATALOG_LINKS_MAX    100 /* of a system */
#define TC_CATALOG_GROUPS_MAX   100 /* that one system is in */

/* --- systems --- */

struct tc_catalog_filter {
	const bool *discovered; /* only these, or only registered ones; NULL: both */
	const char *group;      /* only systems of this group (a UUID); NULL: all */
	unsigned limit;         /* 1 to TC_CATALOG_LIST_MAX */
	const char *cursor;     /* nextCursor of the page before; NULL: from the newest */
};

/* {"systems": [...], "nextCursor"?}, newest first. INVALID for a cursor that no list gave. */
int tc_catalog_list_systems(struct tocsin_pool *work_pool, const struct tc_catalog_filter *filter,
			    struct tc_buffer *ret_json, struct tocsin_error *error);

/* Says that there is no such system or group; returns NOT_FOUND. */
int tc_catalog_not_found(const char *what, const char *id, struct tocsin_error *error);

/* A system or a group as somebody wants it. */
struct tc_catalog_wish {
	const char *id;          /* of a new system: NULL: see below */
	const char *name;        /* NULL: as it is */
	const char *description; /* NULL: none */
	bool has_description;    /* for a change: false: as it is */
	const char *actor;
};

/* Registers a system. Without an id it is the discovered system whose id is the name, since that is what
 * incidents call it; if there is none it gets a UUID. EXISTS: id or name. */
int tc_catalog_create_system(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			     struct tc_buffer *ret_json, const char **ret_conflict,
			     struct tocsin_error *error);
/* NOT_FOUND, EXISTS: name. */
int tc_catalog_update_system(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			     struct tc_buffer *ret_json, const char **ret_conflict,
			     struct tocsin_error *error);

struct tc_catalog_contact {
	const char *system, *type, *value, *label; /* label: may be NULL */
	const char *actor;
};
/* NOT_FOUND: the system; EXISTS: value, or no field: it has too many. */
int tc_catalog_add_contact(struct tocsin_pool *work_pool, const struct tc_catalog_contact *contact,
			   struct tc_buffer *ret_json, const char **ret_conflict,
			   struct tocsin_error *error);
int tc_catalog_remove_contact(struct tocsin_pool *work_pool, const char *system, const char *id,
			      const char *actor, struct tocsin_error *error);

struct tc_catalog_link {
	const char *system, *url, *label; /* label: may be NULL */
	const char *actor;
};
/* INVALID for a URL that is neither http nor https. NOT_FOUND: the system; EXISTS: url, or no field. */
int tc_catalog_add_link(struct tocsin_pool *work_pool, const struct tc_catalog_link *link,
			struct tc_buffer *ret_json, const char **ret_conflict,
			struct tocsin_error *error);
int tc_catalog_remove_link(struct tocsin_pool *work_pool, const char *system, const char *id,
			   const char *actor, struct tocsin_error *error);

/* --- groups; ids are UUIDs --- */

/* {"groups": [...], "nextCursor"?}, newest first. */
int tc_catalog_list_groups(struct tocsin_pool *work_pool, unsigned limit, const char *cursor,
			   struct tc_buffer *ret_json, struct tocsin_error *error);
int tc_catalog_get_group(struct tocsin_pool *work_pool, const char *id, struct tc_buffer *ret_json,
			 struct tocsin_error *error);
/* The id of a wish for a new group is not used. */
int tc_catalog_create_group(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			    struct tc_buffer *ret_json, const char **ret_conflict,
			    struct tocsin_error *error);
int tc_catalog_update_group(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			    struct tc_buffer *ret_json, const char **ret_conflict,
			    struct tocsin_error *error);
int tc_catalog_delete_group(struct tocsin_pool *work_pool, const char *id, const char *actor,
			    struct tocsin_error *error);
/* Harmless for a system that is in the group. NOT_FOUND: system or group; EXISTS: it is in too many. */
int tc_catalog_add_member(struct tocsin_pool *work_pool, const char *system, const char *group,
			  const char *actor, struct tocsin_error *error);
/* NOT_FOUND if it is not in it. */
int tc_catalog_remove_member(struct tocsin_pool *work_pool, const char *system, const char *group,
			     const char *actor, struct tocsin_error *error);

/* Procedures of systems and of groups; each ends with a row whose name is NULL. */
extern const struct tc_procedure tc_catalog_system_procedures[];
extern const struct tc_procedure tc_catalog_group_procedures[];
