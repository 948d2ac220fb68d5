/* core/procedure/procedure.h: the one table of procedures. A row drives router, validation, access, metrics,
 * OpenAPI and the command line.
 *
 * Model. The HTTP handler finds the row for method and path, checks content type, parses and validates
 * the input against the row's fields, finds out who calls, checks the access rule, and hands the
 * call over: inline rows run on the HTTP thread, work rows on the work executor, and a row may itself
 * pass the call on (batches). Whoever has the call answers it exactly once.
 *
 * Path, query and body fields of a row share one namespace: to the handler they are one object.
 *
 * Ownership: a call is owned by whoever runs it and gone once one of tc_call_reply* was called. */
#pragma once

#include "base/buffer.h"
#include "core/work/executor.h"
#include "http/problem.h"
#include "http/server.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct tc_http_stream; /* http/stream.h */
struct tc_http_stream_options;
struct tc_app; /* core/app.h: the wiring, opaque here */
struct tc_call;

enum tc_method { TC_GET, TC_POST, TC_PATCH, TC_PUT, TC_DELETE };
/* As in HTTP: "GET". */
extern const char *const tc_method_names[];

enum tc_field_type {
	TC_FIELD_END,
	TC_FIELD_STRING, /* min..max characters */
	TC_FIELD_UUID,
	TC_FIELD_ENUM, /* one of `choices` */
	TC_FIELD_BOOLEAN,
	TC_FIELD_INTEGER,   /* min..max */
	TC_FIELD_STRINGS,   /* array of min..max strings, each 1..item_max characters */
	TC_FIELD_UUIDS,     /* array of min..max UUIDs */
	TC_FIELD_TIMESTAMP, /* RFC 3339 */
	TC_FIELD_CURSOR, /* a page's "nextCursor"; handlers see positions: core/procedure/cursor.h */
	TC_FIELD_OBJECTS, /* array; that it has at most max objects, and what they are, the handler checks */
	TC_FIELD_ANY /* any JSON; the handler looks itself */
};

/* A header is text, and never required; its name is written as in HTTP: "Last-Event-ID". */
enum tc_field_place { TC_IN_BODY, TC_IN_QUERY, TC_IN_PATH, TC_IN_HEADER, TC_IN_COUNT };

enum {
	TC_REQUIRED = 1u << 0,
	/* null is allowed, and means: none. Whoever describes the field says how to write that: `description`
	 * does not, which commands show as well, where it is --no-NAME. */
	TC_NULLABLE = 1u << 1,
	/* Of TC_FIELD_STRINGS: an item is any text, also "" or one with NUL characters, as long as the body
	 * may be. For handlers that tell of each item what became of it. */
	TC_ANY_ITEMS = 1u << 2
};

struct tc_field {
	const char *name;
	enum tc_field_type type;
	enum tc_field_place place;
	unsigned flags;
	int64_t min,
		max; /* characters, items or value, by type; max 0 for strings: no bound but the body's */
	int64_t item_max;
	const char *const *choices; /* NULL-terminated */
	/* Of a TC_FIELD_STRING, for OpenAPI: what the handler takes, as a regular expression of ECMAScript. NULL: all. */
	const char *pattern;
	const char *description; /* for people: OpenAPI, and help of commands */
};

/* Access rules; a caller has a set of them (bits). */
enum {
	TC_RULE_NONE = 0, /* anybody */
	TC_RULE_INCIDENT_READ =
		1u << 0, /* incident.incident.read: a default rule, anonymous callers have it */
	TC_RULE_INCIDENT_MANAGE = 1u << 1, /* incident.incident.manage */
	TC_RULE_KEY_MANAGE = 1u << 2,      /* auth.key.manage */
	TC_RULE_SYSTEM_READ = 1u << 3,     /* catalog.system.read: a default rule */
	TC_RULE_SYSTEM_MANAGE = 1u << 4,   /* catalog.system.manage */
	TC_RULE_SOURCE_MANAGE = 1u << 5,   /* alert.source.manage */
	TC_RULE_USER_MANAGE = 1u << 6,     /* auth.user.manage */
	TC_RULE_AUDIT_READ = 1u << 7       /* event.audit.read */
};

/* Every rule has a name; a row of the table ends with a NULL name (rule.c). */
struct tc_rule {
	uint32_t rule;
	const char *name; /* "incident.incident.read" */
	const char *description;
};
extern const struct tc_rule tc_rules[];

#define TC_CSRF_SIZE 44 /* 43 characters of base64url, NUL */

struct tc_caller {
	uint32_t rules;
	bool is_anonymous;
	char id[64]; /* "key:<uuid>", "user:<uuid>", "" when anonymous; goes into the outbox as actor */
	char name[128];
	const char *role;        /* constant; NULL: none that this program knows */
	char session[37];        /* id of the session, "" without one */
	char csrf[TC_CSRF_SIZE]; /* the session's token against forged requests */
	bool has_secure_cookie; /* the session, also one that ended, came as a cookie for TLS only */
	uint64_t session_ends_ms; /* wall clock */
};

enum tc_run_on { TC_RUN_INLINE, TC_RUN_WORK };

enum {
	TC_UNKNOWN_FIELDS_ALLOWED =
		1u << 0, /* a foreign body (webhooks); else unknown fields are refused by name */
	/* A foreign protocol: its credential is in the body, its errors are no problem documents. The router
	 * looks at neither Authorization nor body; the handler reads the body by tc_call_parse_body. The fields
	 * only document. */
	TC_FOREIGN = 1u << 1,
	/* Nobody asks who calls: credentials are not looked at, and the caller is anonymous without rules.
	 * For log-in, which must work beside a session that ended, and for health. */
	TC_CALLER_IGNORED = 1u << 2,
	/* Not GET, and yet it only reads: no commit is told after it (core/outbox/outbox.h). */
	TC_CHANGES_NOTHING = 1u << 3,
	/* A GET whose answers may be kept and shared (core/cache/cache.h). Its handler may look at the caller's rules and
	 * at whether he is anonymous, but not at who he is. */
	TC_CACHED = 1u << 4,
	/* A change that only adds: of what was there before, only lists look different now. */
	TC_ONLY_ADDS = 1u << 5,
	/* The handler asks where the call comes from: tc_call_address, tc_call_forwarded. */
	TC_CLIENT_KNOWN = 1u << 6,
	/* Only a user who is logged in may call it: a key gets 403. */
	TC_SESSION_NEEDED = 1u << 7,
	/* A GET that answers with a stream: it has no ETag, and is never "not modified". */
	TC_STREAMS = 1u << 8
};

struct tc_procedure {
	const char *name; /* camelCase, the reference's name */
	enum tc_method method;
	const char *path; /* "/api/v1/incidents/{id}" */
	/* The row also answers at POST /rest/GROUP/NAME, with all its input (path, query and body fields) as one
	 * JSON object in the body; a GET row also there as GET, with all of it in the query. NULL: it does not. */
	const char *group;
	uint32_t rule;
	enum tc_run_on run_on;
	unsigned flags;
	const struct tc_field *fields; /* ends with TC_FIELD_END */
	void (*run)(struct tc_call *call);
	const struct tc_read
		*read; /* instead of `run`, for a GET on TC_RUN_WORK: core/procedure/read.h */
	const char *summary;
	/* What a cached read depends on, or what a change may change: TC_ABOUT_* of core/cache/cache.h; and the field
	 * that names the one thing of it, NULL: lists, for a read; anything of it, for a change. */
	unsigned about;
	const char *about_thing;
	/* Successful answers, for OpenAPI: "201 Incident", "200 A, 201 A/B" (either), "204". The names are
	 * schemas (core/openapi/openapi.h). NULL: "200", of `content_type`. */
	const char *answers;
	/* Of a row without `answers`: what its handler answers with; JSON is an object. Else NULL. */
	const char *content_type;
	/* Refusals of the handler's own, for OpenAPI: "404 409", all of them but 400 and 503, which any may give; those
	 * that come before it (who calls, the body, Idempotency-Key) are known from the rest of the row. NULL: none. */
	const char *refuses;
	/* Of a TC_FOREIGN row: the schema of these, which then are all that there are. Others are problem documents. */
	const char *refusal;
};
/* Whether the row takes Idempotency-Key. */
bool tc_procedure_is_idempotent(const struct tc_procedure *procedure);

/* --- for handlers --- */
struct tc_app *tc_call_app(const struct tc_call *call);
const struct tc_caller *tc_call_caller(const struct tc_call *call);
const struct tc_procedure *tc_call_procedure(const struct tc_call *call);
/* The validated input as one JSON object: path, query and body fields; borrowed. Query booleans and
 * integers already have their JSON type. */
json_t *tc_call_input(const struct tc_call *call);
const char *tc_call_string(const struct tc_call *call,
			   const char *field); /* NULL if absent or null */
bool tc_call_boolean(const struct tc_call *call, const char *field, bool fallback);
int64_t tc_call_integer(const struct tc_call *call, const char *field, int64_t fallback);
bool tc_call_has(const struct tc_call *call, const char *field); /* present, even as null */
/* For a TC_FOREIGN row: the body as a JSON object, whatever its content type says; owned by the caller. NULL
 * when it is none, or has more than `max` bytes: `problem` then has status (400, 413, 503) and detail. */
json_t *tc_call_parse_body(const struct tc_call *call, size_t max, struct tc_problem *problem);

/* The request, for rows that run inline and have TC_CALLER_IGNORED: only there does the handler always run
 * on the HTTP thread. */
const struct tc_http_request *tc_call_request(const struct tc_call *call);
/* For rows with TC_CLIENT_KNOWN, on any thread: tc_http_request_address, and the last X-Forwarded-For (NULL: there
 * is none), which anybody may write. Borrowed. */
const char *tc_call_address(const struct tc_call *call);
const char *tc_call_forwarded(const struct tc_call *call);
/* tc_clock_us() when the call came in, before anybody asked who calls. */
uint64_t tc_call_started_us(const struct tc_call *call);
/* Headers of the answer, to be set before it. `cookie`: the value of Set-Cookie, malloc'ed, taken over. */
void tc_call_set_cookie(struct tc_call *call, char *cookie);
/* For 429 and 503, which have 1 unless it is set; or with any other answer. */
void tc_call_set_retry_after(struct tc_call *call, unsigned seconds);

/* What a handler needs when it goes on elsewhere: owned by the call from now on, freed with it by
 * `free_state`. Once a call. */
void tc_call_set_state(struct tc_call *call, void *state, void (*free_state)(void *state));
void *tc_call_state(const struct tc_call *call); /* NULL unless set */
/* Goes on in `run`, on a thread of the executor; answers 503 if that is full or closed. */
void tc_call_submit(struct tc_call *call, struct tc_executor *executor,
		    void (*run)(struct tc_job *job));
/* The same, but for the answer: a call that cannot go on (TOCSIN_E_FULL, TOCSIN_E_CLOSED) is still the caller's. */
int tc_call_try_submit(struct tc_call *call, struct tc_executor *executor,
		       void (*run)(struct tc_job *job));
/* Answers it then. */
void tc_call_reply_busy(struct tc_call *call, int result);

/* Calls `committed` when what the call did is committed, before it is answered; it must not block. With an
 * Idempotency-Key that is after the handler has answered. For what a node remembers, and has to forget. */
void tc_call_when_committed(struct tc_call *call, void (*committed)(struct tc_call *call));

/* The handler found that there was nothing to change: no commit is told, no kept answer dropped. */
void tc_call_set_unchanged(struct tc_call *call);

/* The answer comes with many of its kind, to calls that asked for the same: others go first. */
void tc_call_set_follower(struct tc_call *call);

/* A job embedded in the call, for handing it to an executor oneself, and a list node for queues. */
struct tc_job *tc_call_job(struct tc_call *call);
struct tc_call *tc_call_from_job(struct tc_job *job);

/* Answers. Each takes the call; `body` is malloc'ed JSON text, taken over; NULL, from an allocation that
 * failed, is answered with 503. */
void tc_call_reply(struct tc_call *call, unsigned status, char *body, size_t length);
void tc_call_reply_buffer(struct tc_call *call, unsigned status, struct tc_buffer *body);
void tc_call_reply_copy(struct tc_call *call, unsigned status, const char *json);
/* The same for text that is not JSON, such as metrics. */
void tc_call_reply_content(struct tc_call *call, unsigned status, const char *content_type,
			   char *body, size_t length);
void tc_call_reply_empty(struct tc_call *call, unsigned status);
void tc_call_reply_problem(struct tc_call *call, const struct tc_problem *problem);
void tc_call_reply_problem_text(struct tc_call *call, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Answers with a stream (tc_http_stream_start). On failure the call is still to be answered. */
int tc_call_stream(struct tc_call *call, const struct tc_http_stream_options *options,
		   struct tc_http_stream **ret_stream, struct tocsin_error *error);
/* A failed call of a lower layer: its code decides the status (one table: TIMEOUT, UNAVAILABLE, FULL,
 * CLOSED 503 with Retry-After; LOCK_*, DEADLOCK, RETRY 409 with it; EXISTS 409; NOT_FOUND 404; INVALID 400; else 500 with
 * a fixed sentence). 500s are logged with the error's text and never show it. */
void tc_call_reply_error(struct tc_call *call, const struct tocsin_error *error);

/* --- for the wiring --- */
struct tc_router;

/* What a request says about who sends it; each NULL where the header is absent. Borrowed for a call. */
struct tc_credentials {
	const char *authorization;
	/* Read only where there is no Authorization: a key needs no cookie and cannot be forged. */
	const char *cookie, *csrf /* X-Tocsin-CSRF */, *origin, *host;
	const char *protocol; /* X-Forwarded-Proto */
	bool is_read;         /* GET or HEAD */
};

/* Finds out who calls. It is called on the HTTP thread first with `may_block` false; it may answer
 * TC_AUTH_AGAIN, and is then called on the work executor with `may_block` true. TC_AUTH_FORGED: the
 * session is good, but nothing shows that its owner wants this request. */
enum tc_auth_answer { TC_AUTH_OK, TC_AUTH_REFUSED, TC_AUTH_FORGED, TC_AUTH_AGAIN, TC_AUTH_FAILED };
typedef enum tc_auth_answer (*tc_authenticate_fn)(struct tc_app *app,
						  const struct tc_credentials *credentials,
						  bool may_block, struct tc_caller *ret_caller,
						  struct tocsin_error *error);

struct tc_router_options {
	const struct tc_procedure *const *tables; /* each ends with a row whose name is NULL */
	size_t tables_count;
	struct tc_app *app;
	tc_authenticate_fn authenticate;
	struct tc_executor *work; /* borrowed */
	struct tc_executor
		*reads; /* borrowed; gathers tc_read_run_many. Needed for rows with a `read` */
	struct tc_cache *cache; /* borrowed; NULL: nothing is kept */
	/* Borrowed; for Idempotency-Key (core/procedure/idempotency.h). NULL: the header is not looked at. */
	struct tocsin_pool *work_pool;
	/* Called before the answer of every call that ran and may have changed something, whatever became
	 * of it, on the thread that answers; must not block. NULL: nobody is told. */
	void (*committed)(struct tc_app *app);
};
int tc_router_new(struct tc_router **ret_router, const struct tc_router_options *options,
		  struct tocsin_error *error);
struct tc_router *tc_router_free(struct tc_router *router);
/* The http/server.h handler; userdata is the router. */
void tc_router_handle(struct tc_http_request *request, void *router);
