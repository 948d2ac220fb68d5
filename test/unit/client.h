/* client.h: a plain blocking HTTP client on a socket, which can also send what no library would. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct reply {
	int status;         /* 0: the connection closed without an answer */
	char headers[4096]; /* status line included */
	char body[16384];
	size_t body_length;
};

/* Connects to "http://127.0.0.1:PORT"; -1 when refused. */
int client_connect(const char *url);
void client_send(int fd, const char *bytes, size_t length);
/* Sends a whole request; `headers` are lines ending in \r\n, or NULL; `body` may be NULL. */
void client_send_request(int fd, const char *method, const char *path, const char *headers,
			 const char *body, size_t length);
/* Reads one answer; `head_only` for HEAD. An interim "100 Continue" counts as an answer. */
void client_read(int fd, bool head_only, struct reply *ret_reply);
/* The value of a header, in a static buffer a thread; NULL if it is not there. */
const char *client_header(const struct reply *reply, const char *name);
/* Connects, asks, reads, closes. */
void client_ask(const char *url, const char *method, const char *path, const char *headers,
		const char *body, struct reply *ret_reply);
