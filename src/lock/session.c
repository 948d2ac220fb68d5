/* lock/session.c: every session lock of a service on one connection, driven by one thread.
 *
 * Model. Callers queue requests (try, release) and wait for their answers; the driver thread sends all
 * that wait in one go, each with a sync of its own, so that one that fails takes no other with it, and
 * then reads the answers in order. The connection is borrowed from the lock pool with the first
 * request and given back when no session is held: between requests the driver waits on its eventfd
 * and on the connection's socket, so it sees at once when the server goes away.
 *
 * A loss marks every held session lost, drops the connection and calls each owner back. The keys'
 * names are kept in a tree of libc (tsearch), so that one process takes a key only once.
 *
 * Locking: `mutex` guards the requests, the keys and every session's place. Only the driver thread
 * touches the connection. Callbacks run without the mutex; release waits for one that is running. */
#include "lock/advisory.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"
#include "pg/connection.h"
#include "pg/query.h"
#include "pg/rank.h"
#include "sql_lib.h"
#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Requests sent before answers are read: bounds what both sides must buffer. */
#define BATCH_MAX 256u

enum request_kind { REQUEST_TRY, REQUEST_RELEASE };

struct request {
	struct tc_list node;
	enum request_kind kind;
	struct tc_driven *driven;
	pthread_cond_t cond;
	bool is_done;
	int code;
	struct tocsin_error error;
};

/* What the driver knows of a session; lives as long as the key is its own. */
struct tc_driven {
	const char *key; /* the session's; first, for the tree */
	struct tocsin_session *session;
	struct tc_list node; /* in driver->held while held */
};

struct tc_session_driver {
	struct tocsin_locks *locks;
	struct tocsin_pool *pool;
	pthread_mutex_t mutex;
	pthread_cond_t callbacks_done;
	struct tc_list requests;
	struct tc_list held;
	void *keys;                           /* tsearch root of struct tc_driven */
	struct tocsin_connection *connection; /* the driver thread's */
	pthread_t thread;
	bool has_thread, is_stopping, is_calling_back;
	int wake_fd;
};

TC_DEFINE_CLEANUP(struct tc_session_driver *, tc_session_driver_free);

static int compare_keys(const void *left, const void *right)
{
	return strcmp(((const struct tc_driven *)left)->key,
		      ((const struct tc_driven *)right)->key);
}

static struct tc_driven *find_driven(struct tc_session_driver *driver, const char *key)
{
	const struct tc_driven probe = {.key = key};
	void **place = tfind(&probe, &driver->keys, compare_keys);

	return place ? *place : NULL;
}

/* Under the mutex: the key is free for others of this process. */
static void forget_driven(struct tc_session_driver *driver, struct tc_driven *driven)
{
	tdelete(driven, &driver->keys, compare_keys);
	tc_list_remove(&driven->node);
	free(driven);
}

static void wake(struct tc_session_driver *driver)
{
	uint64_t one = 1;

	if (write(driver->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort(); /* cannot happen to an eventfd; callers would wait for ever */
}

/* --- the driver thread --- */

static void answer(struct tc_session_driver *driver, struct request *request, int code)
{
	TC_LOCKED(&driver->mutex);

	request->code = code;
	request->is_done = true;
	pthread_cond_signal(&request->cond);
}

/* The server went away: nothing that was held is held any longer. */
static void lose_all(struct tc_session_driver *driver)
{
	struct tc_list *node;

	driver->connection->is_broken = true;
	driver->connection = tocsin_pool_release(driver->connection);
	tc_mutex_lock(&driver->mutex);
	driver->is_calling_back = true;
	while ((node = tc_list_pop_front(&driver->held))) {
		struct tc_driven *driven = tc_list_entry(node, struct tc_driven, node);
		struct tocsin_session *session = driven->session;

		forget_driven(driver, driven);
		driver->locks->sessions--;
		driver->locks->lost++;
		session->is_held = false;
		tc_mutex_unlock(&driver->mutex);
		if (session->lost)
			session->lost(session, session->userdata);
		tc_mutex_lock(&driver->mutex);
	}
	driver->is_calling_back = false;
	pthread_cond_broadcast(&driver->callbacks_done);
	tc_mutex_unlock(&driver->mutex);
}

static const struct tc_sql *request_sql(const struct request *request)
{
	return request->kind == REQUEST_TRY ? &tc_sql_lock_try_key : &tc_sql_lock_unlock_key;
}

/* Borrows the connection, prepares both statements on it: those that follow need no Parse. */
static int connect_driver(struct tc_session_driver *driver, struct tocsin_error *error)
{
	int code = TOCSIN_E_UNAVAILABLE;

	if (driver->connection)
		return TOCSIN_OK;
	for (unsigned i = 0; i < TOCSIN_TRANSACTION_ATTEMPTS && code == TOCSIN_E_UNAVAILABLE; i++) {
		code = tocsin_pool_acquire(driver->pool, &driver->connection, error);
		if (code != TOCSIN_OK)
			return code;
		code = tc_query_prepare(driver->connection, &tc_sql_lock_try_key, error);
		if (code == TOCSIN_OK)
			code = tc_query_prepare(driver->connection, &tc_sql_lock_unlock_key, error);
		if (code != TOCSIN_OK)
			driver->connection = tocsin_pool_release(driver->connection);
	}
	return code;
}

static int send_requests(struct tc_session_driver *driver, struct tc_list *batch)
{
	PGconn *pg = driver->connection->pg;

	if (!PQenterPipelineMode(pg))
		return TOCSIN_E_UNAVAILABLE;
	tc_list_each (node, batch) {
		struct request *request = tc_list_entry(node, struct request, node);
		const struct tc_sql *sql = request_sql(request);

		if (!PQsendQueryPrepared(pg, sql->name, 1, &request->driven->key, NULL, NULL, 0) ||
		    !PQpipelineSync(pg))
			return TOCSIN_E_UNAVAILABLE;
	}
	return TOCSIN_OK;
}

/* The answer to a try: granted, busy, or why not. */
static int judge_try(struct tc_session_driver *driver, struct request *request,
		     const PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		return tc_result_error(result, driver->connection->pg, &request->error);
	if (tc_result_is_true(result, 0, 0))
		return TOCSIN_OK;
	return tocsin_error_set(&request->error, TOCSIN_E_LOCK_BUSY, "the key '%s' is held",
				request->driven->key);
}

/* Under no lock. A granted try becomes held; a refused one or a release frees the key. */
static void settle(struct tc_session_driver *driver, struct request *request, int code)
{
	struct tc_driven *driven = request->driven;

	tc_mutex_lock(&driver->mutex);
	if (request->kind == REQUEST_TRY && code == TOCSIN_OK) {
		driven->session->is_held = true;
		driver->locks->sessions++;
		tc_list_push_back(&driver->held, &driven->node);
	} else {
		forget_driven(driver, driven);
	}
	tc_mutex_unlock(&driver->mutex);
	answer(driver, request, code);
}

/* Reads one result and the sync behind it. */
static int receive_answer(struct tc_session_driver *driver, struct request *request,
			  uint64_t deadline_ms)
{
	TC_RESULT *result = NULL, *sync = NULL;
	struct tocsin_connection *connection = driver->connection;
	int code = tc_query_receive(connection, deadline_ms, &result, &request->error);

	if (code == TOCSIN_OK)
		code = tc_connection_await(connection, deadline_ms, &request->error);
	if (code != TOCSIN_OK)
		return code;
	sync = PQgetResult(connection->pg);
	if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
		return tc_result_error(sync, connection->pg, &request->error);
	settle(driver, request,
	       request->kind == REQUEST_TRY ? judge_try(driver, request, result) : TOCSIN_OK);
	return TOCSIN_OK;
}

static void fail_requests(struct tc_session_driver *driver, struct tc_list *batch,
			  const struct tocsin_error *error)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(batch))) {
		struct request *request = tc_list_entry(node, struct request, node);

		request->error = *error;
		/* What was to be released went with the connection. */
		settle(driver, request, request->kind == REQUEST_RELEASE ? TOCSIN_OK : error->code);
	}
}

static void run_batch(struct tc_session_driver *driver, struct tc_list *batch)
{
	uint64_t deadline_ms = tc_clock_ms() + TC_QUERY_TIMEOUT_MS;
	struct tocsin_error error;
	int code = connect_driver(driver, &error);
	bool connected = code == TOCSIN_OK;

	if (connected) {
		code = send_requests(driver, batch);
		if (code != TOCSIN_OK)
			tocsin_error_set(&error, code, "lost the connection of the session locks");
	}
	while (code == TOCSIN_OK && !tc_list_is_empty(batch)) {
		struct request *request = tc_list_entry(batch->next, struct request, node);

		tc_list_remove(&request->node); /* once answered it is its caller's again */
		code = receive_answer(driver, request, deadline_ms);
		if (code != TOCSIN_OK) {
			error = request->error;
			tc_list_push_front(batch, &request->node);
		}
	}
	if (code == TOCSIN_OK && !PQexitPipelineMode(driver->connection->pg))
		code = tocsin_error_set(&error, TOCSIN_E_UNAVAILABLE,
					"lost the connection of the session locks");
	if (code != TOCSIN_OK) {
		if (connected)
			lose_all(driver);
		fail_requests(driver, batch, &error);
	}
}

/* Gives the connection back when nothing is held on it. */
static void rest(struct tc_session_driver *driver)
{
	bool is_needed;

	tc_mutex_lock(&driver->mutex);
	is_needed = !tc_list_is_empty(&driver->held) || !tc_list_is_empty(&driver->requests);
	tc_mutex_unlock(&driver->mutex);
	if (!is_needed)
		driver->connection = tocsin_pool_release(driver->connection);
}

/* Waits for requests, or for the server to go away. False when it is time to stop. */
static bool wait_for_work(struct tc_session_driver *driver, struct tc_list *batch)
{
	struct pollfd wanted[2] = {{.fd = driver->wake_fd, .events = POLLIN},
				   {.fd = -1, .events = POLLIN}};
	uint64_t wakes;

	if (driver->connection)
		wanted[1].fd = PQsocket(driver->connection->pg);
	if (poll(wanted, 2, -1) < 0 && errno != EINTR)
		abort(); /* EFAULT, EINVAL: a programming error */
	if (driver->connection && wanted[1].revents && !tc_connection_is_alive(driver->connection))
		lose_all(driver);
	if (wanted[0].revents && read(driver->wake_fd, &wakes, sizeof(wakes)) < 0)
		return true;
	TC_LOCKED(&driver->mutex);
	for (unsigned i = 0; i < BATCH_MAX && !tc_list_is_empty(&driver->requests); i++)
		tc_list_push_back(batch, tc_list_pop_front(&driver->requests));
	if (!tc_list_is_empty(&driver->requests))
		wake(driver);
	return !(driver->is_stopping && tc_list_is_empty(batch));
}

static void *run_driver(void *argument)
{
	struct tc_session_driver *driver = argument;
	struct tc_list batch;

	tc_list_init(&batch);
	while (wait_for_work(driver, &batch)) {
		if (!tc_list_is_empty(&batch))
			run_batch(driver, &batch);
		rest(driver);
	}
	driver->connection = tocsin_pool_release(driver->connection);
	return NULL;
}

/* --- callers --- */

int tc_session_driver_new(struct tc_session_driver **ret_driver, struct tocsin_locks *locks,
			  struct tocsin_pool *lock_pool, struct tocsin_error *error)
{
	TC_CLEANUP(tc_session_driver_free)
	struct tc_session_driver *driver = calloc(1, sizeof(*driver));
	int code;

	if (!driver)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for session locks");
	driver->locks = locks;
	driver->pool = lock_pool;
	tc_mutex_init(&driver->mutex);
	tc_cond_init(&driver->callbacks_done);
	tc_list_init(&driver->requests);
	tc_list_init(&driver->held);
	driver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (driver->wake_fd < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "eventfd: %s", strerror(errno));
	code = tc_thread_start(&driver->thread, "session-locks", run_driver, driver, error);
	driver->has_thread = code == TOCSIN_OK;
	if (code != TOCSIN_OK)
		return code;
	*ret_driver = tc_take(driver);
	return TOCSIN_OK;
}

struct tc_session_driver *tc_session_driver_free(struct tc_session_driver *driver)
{
	if (!driver)
		return NULL;
	if (driver->has_thread) {
		tc_mutex_lock(&driver->mutex);
		driver->is_stopping = true;
		tc_mutex_unlock(&driver->mutex);
		wake(driver);
		pthread_join(driver->thread, NULL);
	}
	if (driver->wake_fd >= 0)
		close(driver->wake_fd);
	pthread_cond_destroy(&driver->callbacks_done);
	pthread_mutex_destroy(&driver->mutex);
	free(driver);
	return NULL;
}

/* Under the mutex: hands a request over and waits for its answer, which is bounded by the driver's
 * own bounds. */
static int request_and_wait(struct tc_session_driver *driver, enum request_kind kind,
			    struct tc_driven *driven, struct tocsin_error *error)
{
	struct request request = {.kind = kind, .driven = driven};

	tc_cond_init(&request.cond);
	tc_list_push_back(&driver->requests, &request.node);
	wake(driver);
	while (!request.is_done)
		tc_cond_wait(&request.cond, &driver->mutex);
	pthread_cond_destroy(&request.cond);
	if (request.code != TOCSIN_OK && error)
		*error = request.error;
	return request.code;
}

int tc_session_driver_try(struct tc_session_driver *driver, struct tocsin_session *session,
			  struct tocsin_error *error)
{
	TC_LOCKED(&driver->mutex);
	struct tc_driven *driven;

	if (find_driven(driver, session->key))
		return tocsin_error_set(error, TOCSIN_E_LOCK_HELD,
					"this process already holds the key '%s'", session->key);
	driven = calloc(1, sizeof(*driven));
	if (!driven)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a session lock");
	driven->key = session->key;
	driven->session = session;
	tc_list_init(&driven->node);
	if (!tsearch(driven, &driver->keys, compare_keys)) {
		free(driven);
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a session lock");
	}
	return request_and_wait(driver, REQUEST_TRY, driven, error);
}

void tc_session_driver_release(struct tc_session_driver *driver, struct tocsin_session *session)
{
	TC_LOCKED(&driver->mutex);
	struct tc_driven *driven = session->is_held ? find_driven(driver, session->key) : NULL;

	if (driven) {
		session->is_held = false;
		tc_list_remove(
			&driven->node); /* a loss from here on is none of its owner's business */
		driver->locks->sessions--;
		request_and_wait(driver, REQUEST_RELEASE, driven, NULL);
	}
	while (driver->is_calling_back && !pthread_equal(pthread_self(), driver->thread))
		tc_cond_wait(&driver->callbacks_done, &driver->mutex);
}
