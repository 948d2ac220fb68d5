/* tocsin/error.h: the one error convention of Tocsin and libtocsin.
 *
 * A function that can fail returns an int: TOCSIN_OK (0), or one of the positive codes below.
 * Its last parameter is a `struct tocsin_error *`, which may be NULL; on failure, and only then,
 * it holds the code, a sentence for a person, and the SQLSTATE where the database spoke.
 * Outputs are named `ret_x` and are untouched on failure.
 *
 * Threads: no function here has shared state. Nothing here blocks or allocates. */
#pragma once

#include <stdbool.h>

#pragma GCC visibility push(default)

enum {
	TOCSIN_OK = 0,
	TOCSIN_E_INVALID,      /* an argument or input that can never work */
	TOCSIN_E_NOMEM,        /* out of memory */
	TOCSIN_E_SYSTEM,       /* an operating-system call failed */
	TOCSIN_E_RANK,         /* circular acquisition: names both pools; a programming error */
	TOCSIN_E_TIMEOUT,      /* no connection came free within the connection timeout */
	TOCSIN_E_UNAVAILABLE,  /* the database cannot be reached, or went away; try again later */
	TOCSIN_E_LOCK_BUSY,    /* tried without waiting, and somebody holds the key */
	TOCSIN_E_LOCK_TIMEOUT, /* the key was not granted within the lock timeout */
	TOCSIN_E_LOCK_HELD, /* this process (session lock) or operation (nested) already holds it */
	TOCSIN_E_LOCK_LOST, /* the lock was lost; fenced work was rolled back */
	TOCSIN_E_DEADLOCK,  /* operations wait for each other; this one was ended: retry it */
	TOCSIN_E_RETRY,     /* serialization failure: retry the transaction */
	TOCSIN_E_FULL,      /* a bounded thing is full: queue, or the server's lock table */
	TOCSIN_E_CLOSED,    /* the pool, lock service or queue is shutting down */
	TOCSIN_E_EXISTS,    /* unique violation */
	TOCSIN_E_REFERENCE, /* foreign-key violation */
	TOCSIN_E_NOT_FOUND, /* no such thing */
	TOCSIN_E_DATABASE,  /* any other database error; see sqlstate */
	TOCSIN_E_COUNT
};

#define TOCSIN_ERROR_MESSAGE_SIZE 512

struct tocsin_error {
	int code;
	char sqlstate[6]; /* "" where the database did not speak */
	char message[TOCSIN_ERROR_MESSAGE_SIZE];
};

/* A short constant name such as "lock_timeout"; "unknown" for a number that is no code. */
const char *tocsin_error_name(int code);

/* True where the same call may succeed later with nothing changed by the caller. */
bool tocsin_error_is_retryable(int code);

/* Fills `error` (may be NULL) with `code` and a formatted message, clears its sqlstate, returns
 * `code`: so that a failing function ends in `return tocsin_error_set(error, CODE, ...)`. */
int tocsin_error_set(struct tocsin_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#pragma GCC visibility pop
