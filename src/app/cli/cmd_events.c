/* app/cli/cmd_events.c: tocsin events: following the stream of a server (server-sent events), across its restarts.
 *
 * A stream that ends is opened again after the last event that came: when the server said, and as long as nothing
 * comes more and more slowly. Servers end streams in good order, those of keys each minute: of that nobody is told.
 * The first connection has to succeed, so that a wrong address or key is said. */
#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/cli/show.h"
#include "base/buffer.h"
#include "base/memory.h"
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define ID_SIZE        128
#define NAME_SIZE      128
#define RETRY_MS       1000
#define RETRY_MAX_MS   30000

TC_DEFINE_CLEANUP(json_t *, json_decref);

struct follower {
	const char *url;
	bool json;
	unsigned long limit; /* 0: none */
	unsigned long printed;
	bool was_connected, cannot_write;
	bool is_heard; /* something came on this connection, as on every good one: its place */
	int retry_ms;
	char id[ID_SIZE], name[NAME_SIZE]; /* of the event that is being read */
	char last_id[ID_SIZE];
	struct tc_buffer line, data;
};

static bool is_done(const struct follower *follower)
{
	return follower->cannot_write || (follower->limit && follower->printed >= follower->limit);
}

static void print_event(struct follower *follower)
{
	TC_CLEANUP(json_decref)
	json_t *data =
		json_loadb(follower->data.data, follower->data.length, JSON_DECODE_ANY, NULL);
	TC_CLEANUP(json_decref) json_t *event = NULL;

	if (follower->json) {
		event = json_pack("{s:s, s:s, s:O?}", "id", follower->last_id, "event",
				  follower->name, "data", data);
		if (event)
			json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		tc_show_pairs(follower->name, data);
	}
	follower->printed++;
	/* Now: whoever reads a pipe waits for it. */
	if (tc_command_finish() != TC_EXIT_OK)
		follower->cannot_write = true;
}

/* An empty line ends an event; one without data only says where we are. */
static void end_event(struct follower *follower)
{
	if (follower->id[0])
		memcpy(follower->last_id, follower->id, sizeof(follower->last_id));
	if (follower->data.length > 0)
		print_event(follower);
	follower->name[0] = '\0';
	tc_buffer_clear(&follower->data);
}

static void take_line(struct follower *follower, const char *line)
{
	size_t name = strcspn(line, ":");
	const char *value = line + name + (line[name] == ':');

	value += *value == ' ';
	if (!*line)
		end_event(follower);
	else if (name == 2 && strncmp(line, "id", name) == 0 && strlen(value) < ID_SIZE)
		snprintf(follower->id, sizeof(follower->id), "%s", value);
	else if (name == 5 && strncmp(line, "event", name) == 0)
		snprintf(follower->name, sizeof(follower->name), "%.*s", NAME_SIZE - 1, value);
	else if (name == 5 && strncmp(line, "retry", name) == 0)
		follower->retry_ms = (int)TC_MAX(1, TC_MIN(strtol(value, NULL, 10), RETRY_MAX_MS));
	else if (name == 4 && strncmp(line, "data", name) == 0) {
		if (follower->data.length > 0)
			tc_buffer_append(&follower->data, "\n", 1);
		tc_buffer_append_text(&follower->data, value);
	}
}

static bool receive(const char *bytes, size_t length, void *userdata)
{
	struct follower *follower = userdata;

	follower->was_connected = follower->is_heard = true;
	for (; length > 0 && !is_done(follower); bytes++, length--) {
		if (*bytes != '\n') {
			tc_buffer_append(&follower->line, bytes, 1);
			continue;
		}
		if (follower->line.length > 0 &&
		    follower->line.data[follower->line.length - 1] == '\r')
			follower->line.data[--follower->line.length] = '\0';
		if (follower->line.failed || follower->data.failed)
			return false;
		take_line(follower, follower->line.data ? follower->line.data : "");
		tc_buffer_clear(&follower->line);
	}
	return !is_done(follower);
}

static int follow(const struct tc_command *command, struct follower *follower)
{
	const struct tc_client_stream request = {.url = follower->url,
						 .path = "/api/v1/events",
						 .last_id = follower->last_id,
						 .receive = receive,
						 .userdata = follower};
	int wait_ms = 0;

	for (;;) {
		struct tocsin_error error = {0};
		int result;

		tc_buffer_clear(&follower->line);
		tc_buffer_clear(&follower->data);
		follower->name[0] = '\0';
		follower->retry_ms = RETRY_MS;
		follower->is_heard = false;
		result = tc_client_follow(&request, &error);
		if (is_done(follower))
			return follower->cannot_write ? TC_EXIT_FAILED : TC_EXIT_OK;
		if (follower->line.failed || follower->data.failed)
			tocsin_error_set(&error, TOCSIN_E_INVALID, "an event is too long");
		/* Refused, or never there: waiting would not help. */
		if (!follower->was_connected || (error.code && error.code != TOCSIN_E_UNAVAILABLE))
			return tc_command_failed(command, &error);
		wait_ms = follower->is_heard || !wait_ms ? follower->retry_ms
							 : TC_MIN(wait_ms * 2, RETRY_MAX_MS);
		if (result || !follower->is_heard)
			tc_command_say("tocsin events: %s; trying again",
				       result ? error.message : "the server ended the stream");
		poll(NULL, 0, wait_ms);
	}
}

static bool parse_limit(const char *text, unsigned long *ret_limit)
{
	if (!*text || strlen(text) > 9 || text[strspn(text, "0123456789")] != '\0')
		return false;
	*ret_limit = strtoul(text, NULL, 10);
	return *ret_limit > 0;
}

int tc_cmd_events(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"since", required_argument, NULL, 's'},
						{"limit", required_argument, NULL, 'l'},
						{"url", required_argument, NULL, 'u'},
						{"json", no_argument, NULL, 'j'},
						TC_HELP_OPTION,
						{0}};
	struct follower follower = {.line.max = LINE_MAX_BYTES, .data.max = LINE_MAX_BYTES};
	int option, status = TC_EXIT_OK;

	while ((option = tc_command_option(command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status;
		if (option == 's' && (strlen(optarg) >= ID_SIZE || strpbrk(optarg, "\r\n")))
			return tc_command_misused(command, "--since: that is no id of an event");
		if (option == 's')
			snprintf(follower.last_id, sizeof(follower.last_id), "%s", optarg);
		else if (option == 'l' && !parse_limit(optarg, &follower.limit))
			return tc_command_misused(command, "--limit: \"%s\" is no number from 1",
						  optarg);
		else if (option == 'u')
			follower.url = optarg;
		else if (option == 'j')
			follower.json = true;
	}
	if (optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	status = follow(command, &follower);
	tc_buffer_deinit(&follower.line);
	tc_buffer_deinit(&follower.data);
	return status;
}
