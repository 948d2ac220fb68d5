/* client.c: see client.h. Fails the running test where the network fails. */
#include "client.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A test that waits longer than this for an answer has failed. */
#define PATIENCE_S 20

int client_connect(const char *url)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	const char *port = strrchr(url, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_non_null(port);
	assert_true(fd >= 0);
	address.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
	/* Head and body are two sends: without this the second waits 40 ms for the first's receipt. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

void client_send(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return; /* the server closed: what it answered is still to be read */
		bytes += sent;
		length -= (size_t)sent;
	}
}

void client_send_request(int fd, const char *method, const char *path, const char *headers,
			 const char *body, size_t length)
{
	char head[8192];
	int size = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: test\r\n%s", method, path,
			    headers ? headers : "");

	assert_in_range(size, 0, sizeof(head) - 64);
	if (body)
		size += snprintf(head + size, sizeof(head) - (size_t)size,
				 "Content-Length: %zu\r\n", length);
	size += snprintf(head + size, sizeof(head) - (size_t)size, "\r\n");
	client_send(fd, head, (size_t)size);
	if (body)
		client_send(fd, body, length);
}

/* Reads `length` bytes; fewer when the connection ends. */
static size_t read_bytes(int fd, char *bytes, size_t length)
{
	size_t got = 0;

	while (got < length) {
		ssize_t size = recv(fd, bytes + got, length - got, 0);

		if (size <= 0)
			break;
		got += (size_t)size;
	}
	return got;
}

void client_read(int fd, bool head_only, struct reply *ret_reply)
{
	size_t length = 0, expected;
	const char *text;

	memset(ret_reply, 0, sizeof(*ret_reply));
	while (length < sizeof(ret_reply->headers) - 1 && !strstr(ret_reply->headers, "\r\n\r\n")) {
		if (read_bytes(fd, ret_reply->headers + length, 1) != 1)
			return;
		length++;
	}
	assert_memory_equal(ret_reply->headers, "HTTP/1.1 ", strlen("HTTP/1.1 "));
	ret_reply->status = (int)strtol(ret_reply->headers + strlen("HTTP/1.1 "), NULL, 10);
	text = client_header(ret_reply, "Content-Length");
	expected = text && !head_only ? strtoul(text, NULL, 10) : 0;
	assert_in_range(expected, 0, sizeof(ret_reply->body) - 1);
	ret_reply->body_length = read_bytes(fd, ret_reply->body, expected);
	assert_int_equal(ret_reply->body_length, expected);
}

const char *client_header(const struct reply *reply, const char *name)
{
	static _Thread_local char value[1024];
	size_t length = strlen(name);

	for (const char *line = strstr(reply->headers, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, length) != 0 || line[length] != ':')
			continue;
		line += length + 1 + strspn(line + length + 1, " ");
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r"), line);
		return value;
	}
	return NULL;
}

void client_ask(const char *url, const char *method, const char *path, const char *headers,
		const char *body, struct reply *ret_reply)
{
	int fd = client_connect(url);

	assert_true(fd >= 0);
	client_send_request(fd, method, path, headers, body, body ? strlen(body) : 0);
	client_read(fd, strcmp(method, "HEAD") == 0, ret_reply);
	close(fd);
}
