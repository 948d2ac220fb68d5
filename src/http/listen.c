/* http/listen.c: see listen.h. */
#include "http/listen.h"

#include "base/macro.h"
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

/* Whether another address, or port, would do. */
static int refuse(const char *address, struct tocsin_error *error)
{
	static const int faults[] = {EADDRINUSE,   EADDRNOTAVAIL,   EACCES, EPERM,
				     EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL, ENODEV};
	int number = errno, result = TOCSIN_E_SYSTEM;

	for (size_t i = 0; i < TC_ARRAY_LENGTH(faults); i++)
		if (number == faults[i])
			result = TOCSIN_E_INVALID;
	return tocsin_error_set(error, result, "cannot listen on %s: %s", address,
				strerror(number));
}

static int look_up(const char *address, struct addrinfo **ret_found, struct tocsin_error *error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	char host[64], port[8];
	int result = split(address, host, port, error);

	if (result)
		return result;
	/* What looks like a number is none of the name service's business, which may take its time to say so. */
	if (!host[strspn(host, "0123456789.")] || strchr(host, ':'))
		hints.ai_flags |= AI_NUMERICHOST;
	result = getaddrinfo(host, port, &hints, ret_found);
	if (result == 0)
		return TOCSIN_OK;
	return tocsin_error_set(error,
				result == EAI_AGAIN ? TOCSIN_E_UNAVAILABLE : TOCSIN_E_INVALID,
				"cannot listen on \"%s\": %s", address, gai_strerror(result));
}

int tc_bind(const char *address, int *ret_fd, struct tocsin_error *error)
{
	struct addrinfo *found = NULL;
	TC_CLOSE int fd = -1;
	int result = look_up(address, &found, error), on = 1;

	if (result)
		return result;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Without SO_REUSEADDR a restart would fail for a minute, while old connections time out. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0)
		result = refuse(address, error);
	freeaddrinfo(found);
	if (result)
		return result;
	*ret_fd = tc_take_fd(&fd);
	return TOCSIN_OK;
}

int tc_listen(int fd, const char *address, char ret_url[static TC_URL_SIZE],
	      struct tocsin_error *error)
{
	if (listen(fd, BACKLOG) != 0 || describe(fd, ret_url) != 0)
		return refuse(address, error);
	return TOCSIN_OK;
}
