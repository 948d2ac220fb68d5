/* lock_helper CONNINFO OUTER INNER: another process for tests: takes OUTER, prints "held", waits for a
 * byte on standard input, nests INNER, prints the name of what came of it, and leaves. */
#include <stdio.h>
#include <tocsin/tocsin.h>
#include <unistd.h>

#define PATIENCE_MS 60000u

static int nothing(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	(void)held;
	(void)userdata;
	(void)error;
	return TOCSIN_OK;
}

static int nest(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	char byte;

	puts("held");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "nobody said go");
	return tocsin_lock_nest(held, userdata, nothing, NULL, error);
}

int main(int argc, char **argv)
{
	struct tocsin_pool_options pool = {.name = "helper-lock",
					   .purpose = TOCSIN_POOL_LOCK,
					   .max = 1,
					   .connection_timeout_ms = PATIENCE_MS,
					   .idle_timeout_ms = PATIENCE_MS,
					   .lock_timeout_ms = PATIENCE_MS};
	struct tocsin_locks_options options = {.wait_timeout_ms = PATIENCE_MS};
	struct tocsin_locks *locks = NULL;
	struct tocsin_error error = {0};
	int result;

	if (argc != 4) {
		fprintf(stderr, "usage: lock_helper CONNINFO OUTER INNER\n");
		return 2;
	}
	pool.conninfo = argv[1];
	result = tocsin_pool_new(&options.lock_pool, &pool, &error);
	if (result == TOCSIN_OK)
		result = tocsin_locks_new(&locks, &options, &error);
	if (result == TOCSIN_OK)
		result = tocsin_lock_with(locks, argv[2], nest, argv[3], &error);
	puts(tocsin_error_name(result));
	if (result != TOCSIN_OK)
		fprintf(stderr, "# helper: %s\n", error.message);
	tocsin_locks_free(locks);
	tocsin_pool_free(options.lock_pool);
	return 0;
}
