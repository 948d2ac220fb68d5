/* support/service.c: see service.h. */
#include "support/service.h"

#include "support/postgres.h"

static int set_up(void **state, bool has_database, unsigned wait_timeout_ms)
{
	static struct tc_service service;
	struct tocsin_error error;

	service = (struct tc_service){.has_database = has_database};
	tc_gate_init(&service.is_held);
	tc_gate_init(&service.may_leave);
	tc_gate_init(&service.is_ready);
	if (has_database) {
		tc_node_init(&service.node, tc_test_conninfo(), "contract",
			     &(struct tc_node_options){.wait_timeout_ms = wait_timeout_ms});
		service.locks = service.node.locks;
	} else {
		assert_ok(tocsin_locks_new_memory(
			&service.locks, wait_timeout_ms ? wait_timeout_ms : TC_PATIENCE_MS,
			&error));
	}
	*state = &service;
	return 0;
}

int tc_service_set_up_database(void **state)
{
	return set_up(state, true, 0);
}

int tc_service_set_up_memory(void **state)
{
	return set_up(state, false, 0);
}

int tc_service_set_up_database_hasty(void **state)
{
	return set_up(state, true, TC_HASTY_MS);
}

int tc_service_set_up_memory_hasty(void **state)
{
	return set_up(state, false, TC_HASTY_MS);
}

int tc_service_tear_down(void **state)
{
	struct tc_service *service = *state;

	if (service->has_database)
		tc_node_deinit(&service->node);
	else
		tocsin_locks_free(service->locks);
	tc_gate_deinit(&service->is_held);
	tc_gate_deinit(&service->may_leave);
	tc_gate_deinit(&service->is_ready);
	return 0;
}

int tc_held_stay(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct tc_service *service = userdata;

	(void)held;
	tc_gate_signal(&service->is_held);
	if (!tc_gate_wait(&service->may_leave, 1))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "nobody let the holder go");
	return TOCSIN_OK;
}

static int hold_hot(void *argument, unsigned index, struct tocsin_error *error)
{
	struct tc_service *service = argument;

	(void)index;
	return tocsin_lock_with(service->locks, "hot", tc_held_stay, service, error);
}

void tc_service_start_holder(struct tc_service *service, struct tc_crew *crew)
{
	tc_crew_init(crew);
	tc_crew_start(crew, 1, hold_hot, service);
	assert_true(tc_gate_wait(&service->is_held, 1));
}

void tc_service_finish_holder(struct tc_service *service, struct tc_crew *crew)
{
	tc_gate_signal(&service->may_leave);
	tc_crew_finish(crew, TOCSIN_OK);
}
