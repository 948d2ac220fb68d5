/* app/cmd_incident.c: tocsin incident list, show, create, resolve: requests to a server. */
#include "app/client.h"
#include "app/command.h"
#include "base/memory.h"
#include <string.h>

TC_DEFINE_CLEANUP(json_t *, json_decref);

/* The options of all of them; each command has its own table of which it takes. */
struct request {
	const struct tc_command *command;
	const char *url, *system, *status, *limit, *severity, *description, *message;
	bool all, dedupe, json;
};

static int read_options(struct request *request, int argc, char **argv,
			const struct option *options)
{
	int option, status = TC_EXIT_OK;

	while ((option = tc_command_option(request->command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		switch (option) {
		case TC_OPTION_EXIT:
			return status ? status : -1; /* -1: help was asked for and given */
		case 'u':
			request->url = optarg;
			break;
		case 'y':
			request->system = optarg;
			break;
		case 's':
			request->status = optarg;
			break;
		case 'l':
			request->limit = optarg;
			break;
		case 'v':
			request->severity = optarg;
			break;
		case 'd':
			request->description = optarg;
			break;
		case 'm':
			request->message = optarg;
			break;
		case 'a':
			request->all = true;
			break;
		case 'e':
			request->dedupe = true;
			break;
		default:
			request->json = true;
			break;
		}
	}
	return TC_EXIT_OK;
}

#define OPTION_URL                                                                                 \
	{                                                                                          \
		"url", required_argument, NULL, 'u'                                                \
	}
#define OPTION_JSON                                                                                \
	{                                                                                          \
		"json", no_argument, NULL, 'j'                                                     \
	}

/* What read_options said about ending early, as an exit status. */
static int early(int status)
{
	return status < 0 ? TC_EXIT_OK : status;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static void print_systems(const json_t *incident)
{
	size_t index;
	json_t *system;

	json_array_foreach(json_object_get(incident, "systemIds"), index, system)
		printf("%s%s", index ? "," : "", json_string_value(system));
}

static void print_line(const json_t *incident)
{
	printf("%s  %-13s  %-8s  %s  ", text_of(incident, "id"), text_of(incident, "status"),
	       text_of(incident, "severity"), text_of(incident, "createdAt"));
	print_systems(incident);
	printf("  %s\n", text_of(incident, "title"));
}

static void print_list(const json_t *answer)
{
	size_t index;
	json_t *incident;

	json_array_foreach(json_object_get(answer, "incidents"), index, incident)
		print_line(incident);
	if (json_object_get(answer, "nextCursor"))
		fprintf(stderr, "there are more; raise --limit\n");
}

static void print_detail(const json_t *incident)
{
	size_t index;
	json_t *update;

	printf("%s\n  id        %s\n  status    %s\n  severity  %s\n  systems   ",
	       text_of(incident, "title"), text_of(incident, "id"), text_of(incident, "status"),
	       text_of(incident, "severity"));
	print_systems(incident);
	printf("\n  created   %s\n  resolved  %s\n", text_of(incident, "createdAt"),
	       text_of(incident, "resolvedAt"));
	if (json_object_get(incident, "description"))
		printf("\n%s\n", text_of(incident, "description"));
	json_array_foreach(json_object_get(incident, "updates"), index, update)
	{
		printf("\n%s  %s\n  %s\n", text_of(update, "createdAt"),
		       text_of(update, "statusChange"), text_of(update, "message"));
	}
}

static int run(const struct request *request, const struct tc_client_request *call,
	       void (*print)(const json_t *answer))
{
	TC_CLEANUP(json_decref) json_t *answer = NULL;
	struct tocsin_error error;

	if (tc_client_run(call, &answer, &error) != TOCSIN_OK)
		return tc_command_failed(request->command, &error);
	if (request->json)
		return tc_command_print_json(answer);
	print(answer);
	return tc_command_finish();
}

static int out_of_memory(const struct request *request)
{
	struct tocsin_error error;

	tocsin_error_set(&error, TOCSIN_E_NOMEM, "out of memory");
	return tc_command_failed(request->command, &error);
}

int tc_cmd_incident_list(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {OPTION_URL,
						OPTION_JSON,
						{"system", required_argument, NULL, 'y'},
						{"status", required_argument, NULL, 's'},
						{"limit", required_argument, NULL, 'l'},
						{"all", no_argument, NULL, 'a'},
						TC_HELP_OPTION,
						{0}};
	struct request request = {.command = command, .limit = "50"};
	int status = read_options(&request, argc, argv, options);
	TC_FREE char *path = NULL, *system = NULL, *wanted = NULL, *limit = NULL;

	if (status != TC_EXIT_OK)
		return early(status);
	if (optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	system = tc_client_escape(request.system ? request.system : "");
	wanted = tc_client_escape(request.status ? request.status : "");
	limit = tc_client_escape(request.limit);
	if (!system || !wanted || !limit ||
	    asprintf(&path, "/api/v1/incidents?limit=%s%s%s%s%s%s", limit,
		     request.system ? "&systemId=" : "", system, request.status ? "&status=" : "",
		     wanted, request.all ? "&includeResolved=true" : "") < 0) {
		path = NULL;
		return out_of_memory(&request);
	}
	return run(&request,
		   &(struct tc_client_request){.url = request.url, .method = "GET", .path = path},
		   print_list);
}

int tc_cmd_incident_show(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {OPTION_URL, OPTION_JSON, TC_HELP_OPTION, {0}};
	struct request request = {.command = command};
	int status = read_options(&request, argc, argv, options);
	TC_FREE char *path = NULL, *id = NULL;

	if (status != TC_EXIT_OK)
		return early(status);
	if (optind + 1 != argc)
		return tc_command_misused(command, "one ID is needed");
	id = tc_client_escape(argv[optind]);
	if (!id || asprintf(&path, "/api/v1/incidents/%s", id) < 0) {
		path = NULL;
		return out_of_memory(&request);
	}
	return run(&request,
		   &(struct tc_client_request){.url = request.url, .method = "GET", .path = path},
		   print_detail);
}

static void print_created(const json_t *answer)
{
	const json_t *incident = json_object_get(answer, "incident");

	print_line(incident ? incident : answer);
	if (json_is_true(json_object_get(answer, "reused")))
		fprintf(stderr, "this incident was open already\n");
}

/* NULL if memory ran out, or a text is not UTF-8. */
static json_t *make_body(const struct request *request, const char *title, char **systems)
{
	TC_CLEANUP(json_decref)
	json_t *body = json_pack("{s:s, s:s, s:[], s:s*, s:s*}", "title", title, "severity",
				 request->severity, "systemIds", "description",
				 request->description, "initialMessage", request->message);
	json_t *ids = json_object_get(body, "systemIds");

	for (; ids && *systems; systems++) {
		if (json_array_append_new(ids, json_string(*systems)) < 0)
			return NULL;
	}
	if (!body ||
	    (request->dedupe && json_object_set_new(body, "dedupeOpenForSystem", json_true()) < 0))
		return NULL;
	return tc_take(body);
}

int tc_cmd_incident_create(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {OPTION_URL,
						OPTION_JSON,
						{"severity", required_argument, NULL, 'v'},
						{"description", required_argument, NULL, 'd'},
						{"message", required_argument, NULL, 'm'},
						{"dedupe", no_argument, NULL, 'e'},
						TC_HELP_OPTION,
						{0}};
	struct request request = {.command = command, .severity = "major"};
	int status = read_options(&request, argc, argv, options);
	TC_CLEANUP(json_decref) json_t *body = NULL;

	if (status != TC_EXIT_OK)
		return early(status);
	if (argc - optind < 2)
		return tc_command_misused(command, "a TITLE and at least one SYSTEM are needed");
	body = make_body(&request, argv[optind], argv + optind + 1);
	if (!body)
		return tc_command_misused(command, "the texts must be UTF-8");
	return run(&request,
		   &(struct tc_client_request){.url = request.url,
					       .method = "POST",
					       .path = "/api/v1/incidents",
					       .body = body},
		   print_created);
}

int tc_cmd_incident_resolve(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {OPTION_URL,
						OPTION_JSON,
						{"message", required_argument, NULL, 'm'},
						TC_HELP_OPTION,
						{0}};
	struct request request = {.command = command};
	int status = read_options(&request, argc, argv, options);
	TC_FREE char *path = NULL, *id = NULL;
	TC_CLEANUP(json_decref) json_t *body = NULL;

	if (status != TC_EXIT_OK)
		return early(status);
	if (optind + 1 != argc)
		return tc_command_misused(command, "one ID is needed");
	body = json_pack("{s:s*}", "message", request.message);
	if (!body)
		return tc_command_misused(command, "the texts must be UTF-8");
	id = tc_client_escape(argv[optind]);
	if (!id || asprintf(&path, "/api/v1/incidents/%s/resolve", id) < 0) {
		path = NULL;
		return out_of_memory(&request);
	}
	return run(&request,
		   &(struct tc_client_request){
			   .url = request.url, .method = "POST", .path = path, .body = body},
		   print_line);
}
