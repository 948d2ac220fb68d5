/* pg/hosts.h: connection strings that name several hosts, one by one.
 *
 * libpq goes on to the next host where one fails. But one that takes the connection and is silent then is left only by a
 * connect that blocks: whoever must not block asks for each host by itself.
 *
 * Any thread; nothing blocks. */
#pragma once

/* How many hosts the string (or URI) names; 1 where it names none, or is none. */
unsigned tc_hosts_count(const char *conninfo);

/* What comes on top of the string, so that it names one of its hosts. Owned; NULL: as the string has it. */
struct tc_host {
	char *host, *hostaddr, *port;
};

/* `index` is below tc_hosts_count. All NULL where there is one host only, where it has no name (libpq then means its
 * default), or when memory ran out: the string is as good. */
void tc_host_init(struct tc_host *host, const char *conninfo, unsigned index);
void tc_host_deinit(struct tc_host *host);
#define TC_HOST __attribute__((cleanup(tc_host_deinit))) struct tc_host
