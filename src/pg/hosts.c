/* pg/hosts.c: see hosts.h. Lists are separated by commas (PostgreSQL manual, "Specifying Multiple Hosts"). */
#include "pg/hosts.h"

#include "base/memory.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

/* An empty one in a list of ports. */
#define DEFAULT_PORT "5432"

TC_DEFINE_CLEANUP(PQconninfoOption *, PQconninfoFree);

static const char *find(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

static unsigned count(const char *list)
{
	unsigned elements = 1;

	for (; list && (list = strchr(list, ',')); list++)
		elements++;
	return elements;
}

unsigned tc_hosts_count(const char *conninfo)
{
	TC_CLEANUP(PQconninfoFree) PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

	return TC_MAX(count(find(options, "host")), count(find(options, "hostaddr")));
}

/* NULL where the list is none: what it says is for all hosts. */
static char *pick(const char *list, unsigned index)
{
	if (!list || !strchr(list, ','))
		return NULL;
	for (; list && index > 0; index--) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	return list ? strndup(list, strcspn(list, ",")) : NULL;
}

static bool is_nameless(const char *name)
{
	return name && !*name;
}

void tc_host_init(struct tc_host *host, const char *conninfo, unsigned index)
{
	TC_CLEANUP(PQconninfoFree) PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

	host->host = pick(find(options, "host"), index);
	host->hostaddr = pick(find(options, "hostaddr"), index);
	host->port = pick(find(options, "port"), index);
	if (is_nameless(host->host) || is_nameless(host->hostaddr))
		tc_host_deinit(host);
	if (is_nameless(host->port)) {
		free(host->port);
		host->port = strdup(DEFAULT_PORT);
	}
}

void tc_host_deinit(struct tc_host *host)
{
	free(host->host);
	free(host->hostaddr);
	free(host->port);
	*host = (struct tc_host){0};
}
