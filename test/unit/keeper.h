/* keeper.h: a server for tests, and a handler whose requests are answered when the test says so. Its functions fail
 * the test by themselves, and block as far as they say. */
#pragma once

#include "http/server.h"
#include <pthread.h>

#define MAX_BODY 100000
#define KEPT_MAX 32

/* A handler that keeps requests until the test says what becomes of them. */
struct keeper {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct tc_http_request *kept[KEPT_MAX];
	unsigned count;
};

void keeper_init(struct keeper *keeper);
/* The handler; its userdata is the keeper. */
void keep(struct tc_http_request *request, void *userdata);
/* Blocks until so many requests are kept. */
void keeper_await(struct keeper *keeper, unsigned count);

/* Answers with a text and the header X-Test: yes. Any thread. */
void respond_text(struct tc_http_request *request, unsigned status, const char *text);

/* A server on a free port of the loopback; the caller frees it. */
struct tc_http_server *start_server(void (*handler)(struct tc_http_request *, void *),
				    void *userdata, unsigned threads);
