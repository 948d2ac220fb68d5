/* http/listen.c: see listen.h. */
#include "http/listen.h"

#include "base/memory.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn. */
#define BACKLOG 1024

/* "host:port" or "[host]:port"; brackets are needed where the host itself has colons. */
static int split(const char *address, char host[static 64], char port[static 8],
		 struct tocsin_error *error)
{
	const char *colon = strrchr(address, ':'), *start = address;
	size_t length;

	if (!colon || !colon[1] || strlen(colon + 1) > 5 ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strtoul(colon + 1, NULL, 10) > 65535)
		goto invalid;
	length = (size_t)(colon - address);
	if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
		start++;
		length -= 2;
	} else if (memchr(address, ':', length)) {
		goto invalid;
	}
	if (length == 0 || length >= 64)
		goto invalid;
	memcpy(host, start, length);
	host[length] = '\0';
	snprintf(port, 8, "%s", colon + 1);
	return TOCSIN_OK;
invalid:
	return tocsin_error_set(error, TOCSIN_E_INVALID,
				"cannot listen on \"%s\": it is not HOST:PORT (such as "
				"127.0.0.1:3000 or [::1]:3000)",
				address);
}

static int describe(int fd, char ret_url[static TC_URL_SIZE])
{
	char text[INET6_ADDRSTRLEN] = "";
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound = {0};
	socklen_t size = sizeof(bound);

	if (getsockname(fd, &bound.any, &size) != 0)
		return -1;
	if (bound.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &bound.v6.sin6_addr, text, sizeof(text));
		snprintf(ret_url, TC_URL_SIZE, "http://[%s]:%u", text, ntohs(bound.v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &bound.v4.sin_addr, text, sizeof(text));
		snprintf(ret_url, TC_URL_SIZE, "http://%s:%u", text, ntohs(bound.v4.sin_port));
	}
	return 0;
}

int tc_listen(const char *address, int *ret_fd, char ret_url[static TC_URL_SIZE],
	      struct tocsin_error *error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[64], port[8];
	TC_CLOSE int fd = -1;
	int result, on = 1;

	result = split(address, host, port, error);
	if (result)
		return result;
	result = getaddrinfo(host, port, &hints, &found);
	if (result != 0)
		return tocsin_error_set(error, TOCSIN_E_INVALID, "cannot listen on \"%s\": %s",
					address, gai_strerror(result));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Without SO_REUSEADDR a restart would fail for a minute, while old connections time out. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
	    describe(fd, ret_url) != 0)
		result = tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot listen on %s: %s",
					  address, strerror(errno));
	freeaddrinfo(found);
	if (result)
		return result;
	*ret_fd = tc_take_fd(&fd);
	return TOCSIN_OK;
}
