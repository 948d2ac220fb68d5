/* app/config.c: see config.h. One row a setting; a default goes through the same parser as a value, so
 * a row that cannot be read fails every start and every test. Secrets are never part of a message. */
#include "app/config.h"

#include "base/macro.h"
#include "base/memory.h"
#include "modules/alert/alertmanager.h"
#include "modules/auth/auth.h"
#include "modules/auth/auth_key.h"
#include "modules/event/live.h"
#include "pg/query.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <tocsin/pool.h>

#define DAY_MS     86400000
#define YEAR_HOURS 8760
#define DAY_S      86400u
#define YEAR_S     (365u * DAY_S)

enum kind { KIND_TEXT, KIND_NUMBER, KIND_DURATION, KIND_CHOICE, KIND_LOG };

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *fallback;   /* text; NULL: unset */
	const char *shown;      /* the default for people, where it is not `fallback` */
	unsigned max;           /* of numbers, and of durations in seconds; the least is 1 */
	const char *choices[2]; /* false, true */
	bool is_secret;
	/* Further rules of a text: true if it may be; `allowed` says what may. */
	bool (*check)(const char *value);
	const char *allowed;
	const char *help;
};

/* HOST:PORT; whether such a host exists is for the name service to say, at the start. */
static bool is_address(const char *value)
{
	const char *colon = strrchr(value, ':'), *digits = colon ? colon + 1 : "";
	bool is_bracketed = value[0] == '[';

	if (!colon || colon == value || !*digits || strlen(digits) > 5 ||
	    digits[strspn(digits, "0123456789")] != '\0' || strtoul(digits, NULL, 10) > 65535)
		return false;
	if (is_bracketed)
		return colon[-1] == ']' && colon - value > 2;
	return memchr(value, ':', (size_t)(colon - value)) == NULL;
}

static bool is_absolute(const char *value)
{
	return value[0] == '/';
}

TC_DEFINE_CLEANUP(PQconninfoOption *, PQconninfoFree);

static bool is_conninfo(const char *value)
{
	/* Its message may quote the value, password included: it is not shown. */
	TC_CLEANUP(PQconninfoFree) PQconninfoOption *options = NULL;
	char *message = NULL;

	options = PQconninfoParse(value, &message);
	if (message)
		PQfreemem(message);
	return options != NULL;
}

static bool is_key(const char *value)
{
	struct tc_auth_key key;

	return tc_auth_key_parse(value, &key);
}

static bool is_label_list(const char *value)
{
	struct tc_alert_labels labels = {0};
	bool is_good = tc_alert_labels_init(&labels, value, NULL) == TOCSIN_OK;

	if (is_good)
		tc_alert_labels_deinit(&labels);
	return is_good;
}

#define AT(member) offsetof(struct tc_config, member)

static const struct setting settings[] = {
	{.name = "TOCSIN_LISTEN",
	 .kind = KIND_TEXT,
	 .offset = AT(listen),
	 .fallback = "127.0.0.1:3000",
	 .check = is_address,
	 .allowed = "an address of this machine and a free port, such as 127.0.0.1:3000 or "
		    "[::1]:3000",
	 .help = "where to serve HTTP; port 0 takes any free one"},
	{.name = "TOCSIN_DATA_DIR",
	 .kind = KIND_TEXT,
	 .offset = AT(data_directory),
	 .shown = "/var/lib/tocsin as root, else $XDG_DATA_HOME/tocsin",
	 .check = is_absolute,
	 .allowed =
		 "an absolute path of a directory that Tocsin can make or write, and PostgreSQL's "
		 "user can enter",
	 .help = "where the embedded PostgreSQL lives"},
	{.name = "DATABASE_URL",
	 .kind = KIND_TEXT,
	 .offset = AT(database_url),
	 .shown = "unset",
	 .is_secret = true,
	 .check = is_conninfo,
	 .allowed = "a connection string or URI of libpq",
	 .help = "the database to use; unset: an embedded PostgreSQL"},
	{.name = "TOCSIN_ADMIN_KEY",
	 .kind = KIND_TEXT,
	 .offset = AT(admin_key),
	 .shown = "unset",
	 .is_secret = true,
	 .check = is_key,
	 .allowed = TC_AUTH_KEY_FORM,
	 .help = "use this admin key instead of making one at the first start"},
	{.name = "TOCSIN_ANONYMOUS_READ",
	 .kind = KIND_CHOICE,
	 .offset = AT(anonymous_read),
	 .fallback = "true",
	 .choices = {"false", "true"},
	 .help = "whether everybody may read what is public, without a key or a session"},
	{.name = "TOCSIN_SESSION_HOURS",
	 .kind = KIND_NUMBER,
	 .offset = AT(session_hours),
	 .fallback = "24",
	 .max = YEAR_HOURS,
	 .help = "a user has to log in again after this long"},
	{.name = "TOCSIN_COOKIE_SECURE",
	 .kind = KIND_CHOICE,
	 .offset = AT(cookie_secure),
	 .fallback = "false",
	 .choices = {"false", "true"},
	 .help = "have browsers send the session's cookie by TLS only, even where the log-in "
		 "did not come with X-Forwarded-Proto: https"},
	{.name = "TOCSIN_TRUST_PROXY",
	 .kind = KIND_CHOICE,
	 .offset = AT(trust_proxy),
	 .fallback = "false",
	 .choices = {"false", "true"},
	 .help = "take a client's address from the end of X-Forwarded-For; only behind a proxy "
		 "that writes it"},
	{.name = "TOCSIN_LOG",
	 .kind = KIND_LOG,
	 .offset = AT(log_level),
	 .fallback = "info",
	 .allowed = "error, warning, info or debug, and ,json after it for JSON",
	 .help = "what to log on standard error, and how"},
	{.name = "DATABASE_POOL_MAX",
	 .kind = KIND_NUMBER,
	 .offset = AT(pool_max),
	 .fallback = "20",
	 .max = TOCSIN_POOL_MAX,
	 .help = "connections for work"},
	{.name = "DATABASE_LOCK_POOL_MAX",
	 .kind = KIND_NUMBER,
	 .offset = AT(lock_pool_max),
	 .fallback = "10",
	 .max = TOCSIN_POOL_MAX,
	 .help = "connections for locks; deduped creates and alerts take turns on few of them"},
	{.name = "DATABASE_POOL_CONNECTION_TIMEOUT_MS",
	 .kind = KIND_NUMBER,
	 .offset = AT(connection_timeout_ms),
	 .fallback = "10000",
	 .max = DAY_MS,
	 .help = "longest wait for a connection"},
	{.name = "DATABASE_POOL_IDLE_TIMEOUT_MS",
	 .kind = KIND_NUMBER,
	 .offset = AT(idle_timeout_ms),
	 .fallback = "30000",
	 .max = DAY_MS,
	 .help = "an idle connection is closed after this long"},
	{.name = "DATABASE_LOCK_IDLE_TX_TIMEOUT_MS",
	 .kind = KIND_NUMBER,
	 .offset = AT(lock_idle_tx_timeout_ms),
	 .fallback = "30000",
	 .max = DAY_MS,
	 .help = "a lock whose holder stalls is taken away after this long"},
	{.name = "DATABASE_LOCK_TIMEOUT_MS",
	 .kind = KIND_NUMBER,
	 .offset = AT(lock_timeout_ms),
	 .fallback = "30000",
	 .max = DAY_MS,
	 .help = "longest wait for a lock that another holds"},
	{.name = "TOCSIN_UNKNOWN_SYSTEMS",
	 .kind = KIND_CHOICE,
	 .offset = AT(reject_unknown_systems),
	 .fallback = "discover",
	 .choices = {"discover", "reject"},
	 .help = "what to do with a system that nobody registered"},
	{.name = "TOCSIN_ALERT_SYSTEM_LABELS",
	 .kind = KIND_TEXT,
	 .offset = AT(alert_system_labels),
	 .fallback = "system,service,job,instance",
	 .check = is_label_list,
	 .allowed = "names of labels with commas between them",
	 .help = "the first of these labels that an alert has names its system"},
	{.name = "TOCSIN_ALERT_AUTO_RESOLVE",
	 .kind = KIND_CHOICE,
	 .offset = AT(alert_auto_resolve),
	 .fallback = "true",
	 .choices = {"false", "true"},
	 .help = "resolve an incident that alerts opened with its last firing alert"},
	{.name = "TOCSIN_EVENT_RETENTION",
	 .kind = KIND_DURATION,
	 .offset = AT(event_retention_s),
	 .fallback = "7d",
	 .max = 10 * YEAR_S,
	 .help = "events are removed after so long, once all readers have them; streams resume "
		 "within it"},
	{.name = "TOCSIN_EVENT_STREAMS_PER_CALLER",
	 .kind = KIND_NUMBER,
	 .offset = AT(event_streams_per_caller),
	 .fallback = "256",
	 .max = TC_EVENT_STREAMS_MAX,
	 .help = "streams of events that a key, a user, or an address without either may have open "
		 "on a node"},
	{.name = "TOCSIN_AUDIT_RETENTION",
	 .kind = KIND_DURATION,
	 .offset = AT(audit_retention_s),
	 .fallback = "365d",
	 .max = 10 * YEAR_S,
	 .help = "entries of the audit trail are removed after so long"},
	{.name = "TOCSIN_ALERT_RETENTION",
	 .kind = KIND_DURATION,
	 .offset = AT(alert_retention_s),
	 .fallback = "30d",
	 .max = 10 * YEAR_S,
	 .help = "resolved alerts are removed after so long"},
};

static void format_allowed(const struct setting *setting, char *ret_text, size_t size)
{
	if (setting->kind == KIND_NUMBER)
		snprintf(ret_text, size, "a whole number from 1 to %u", setting->max);
	else if (setting->kind == KIND_DURATION)
		snprintf(ret_text, size, "a whole number and s, m, h or d, from 1s to %ud",
			 setting->max / DAY_S);
	else if (setting->kind == KIND_CHOICE)
		snprintf(ret_text, size, "%s or %s", setting->choices[0], setting->choices[1]);
	else
		snprintf(ret_text, size, "%s", setting->allowed);
}

static int refuse(const struct setting *setting, const char *value, struct tocsin_error *error)
{
	char allowed[128];

	format_allowed(setting, allowed, sizeof(allowed));
	if (setting->is_secret)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"%s: the value (not shown, it is a secret) is not %s",
					setting->name, allowed);
	return tocsin_error_set(error, TOCSIN_E_INVALID, "%s: \"%.100s\" is not %s", setting->name,
				value, allowed);
}

int tc_config_refuse(const char *name, const char *value, struct tocsin_error *error)
{
	char reason[TOCSIN_ERROR_MESSAGE_SIZE];
	size_t i = 0;

	while (i + 1 < TC_ARRAY_LENGTH(settings) && strcmp(settings[i].name, name) != 0)
		i++;
	if (!error)
		return TOCSIN_E_INVALID;
	snprintf(reason, sizeof(reason), "%s", error->message);
	return tocsin_error_set(error, TOCSIN_E_INVALID, "%s: \"%.100s\" is not %s: %.250s", name,
				value, settings[i].allowed, reason);
}

static int read_text(const struct setting *setting, const char *value, char **target,
		     struct tocsin_error *error)
{
	if (setting->check && !setting->check(value))
		return refuse(setting, value, error);
	*target = strdup(value);
	return *target ? TOCSIN_OK : tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
}

static int read_number(const struct setting *setting, const char *value, unsigned *target,
		       struct tocsin_error *error)
{
	unsigned long number;

	/* Digits only: strtoul would take signs and spaces. */
	if (!*value || value[strspn(value, "0123456789")] != '\0')
		return refuse(setting, value, error);
	errno = 0;
	number = strtoul(value, NULL, 10);
	if (errno || number < 1 || number > setting->max)
		return refuse(setting, value, error);
	*target = (unsigned)number;
	return TOCSIN_OK;
}

static int read_duration(const struct setting *setting, const char *value, unsigned *target,
			 struct tocsin_error *error)
{
	static const struct {
		char unit;
		unsigned seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY_S}};
	size_t digits = strspn(value, "0123456789"), unit = 0;
	unsigned long number;

	while (unit < TC_ARRAY_LENGTH(units) && units[unit].unit != value[digits])
		unit++;
	if (digits == 0 || unit == TC_ARRAY_LENGTH(units) || value[digits + 1] != '\0')
		return refuse(setting, value, error);
	errno = 0;
	number = strtoul(value, NULL, 10);
	if (errno || number < 1 || number > setting->max / units[unit].seconds)
		return refuse(setting, value, error);
	*target = (unsigned)number * units[unit].seconds;
	return TOCSIN_OK;
}

static int read_choice(const struct setting *setting, const char *value, bool *target,
		       struct tocsin_error *error)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(setting->choices); i++) {
		if (strcmp(value, setting->choices[i]) == 0) {
			*target = i == 1;
			return TOCSIN_OK;
		}
	}
	return refuse(setting, value, error);
}

/* "info", "debug,json", "json" (with the usual level), "info,text". */
static int read_log(const struct setting *setting, const char *value, struct tc_config *config,
		    struct tocsin_error *error)
{
	static const char *const levels[] = {[TC_LOG_ERROR] = "error",
					     [TC_LOG_WARNING] = "warning",
					     [TC_LOG_INFO] = "info",
					     [TC_LOG_DEBUG] = "debug"};
	TC_FREE char *copy = strdup(value);
	char *rest = copy, *word;

	if (!copy)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	config->log_level = TC_LOG_INFO;
	config->log_json = false;
	while ((word = strsep(&rest, ","))) {
		size_t level = 0;

		if (strcmp(word, "json") == 0 || strcmp(word, "text") == 0) {
			config->log_json = word[0] == 'j';
			continue;
		}
		while (level < TC_ARRAY_LENGTH(levels) && strcmp(word, levels[level]) != 0)
			level++;
		if (level == TC_ARRAY_LENGTH(levels))
			return refuse(setting, value, error);
		config->log_level = (enum tc_log_level)level;
	}
	return TOCSIN_OK;
}

static int read_setting(struct tc_config *config, const struct setting *setting,
			struct tocsin_error *error)
{
	const char *value = getenv(setting->name);
	char *target = (char *)config + setting->offset;

	/* An empty text is as good as none; an empty number is a mistake. */
	if (!value || (!*value && setting->kind == KIND_TEXT))
		value = setting->fallback;
	if (!value)
		return TOCSIN_OK;
	switch (setting->kind) {
	case KIND_TEXT:
		return read_text(setting, value, (char **)(void *)target, error);
	case KIND_NUMBER:
		return read_number(setting, value, (unsigned *)(void *)target, error);
	case KIND_DURATION:
		return read_duration(setting, value, (unsigned *)(void *)target, error);
	case KIND_CHOICE:
		return read_choice(setting, value, (bool *)(void *)target, error);
	case KIND_LOG:
		return read_log(setting, value, config, error);
	}
	return TOCSIN_OK;
}

/* Where data lives when nobody says: the machine's place for root, the user's own for a user. */
static int find_data_directory(struct tc_config *config, struct tocsin_error *error)
{
	const char *data_home = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int length;

	if (geteuid() == 0)
		length = asprintf(&config->data_directory, "/var/lib/tocsin");
	else if (data_home && data_home[0] == '/')
		length = asprintf(&config->data_directory, "%s/tocsin", data_home);
	else if (home && home[0] == '/')
		length = asprintf(&config->data_directory, "%s/.local/share/tocsin", home);
	else
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"TOCSIN_DATA_DIR is not set, and neither XDG_DATA_HOME nor HOME says "
			"where data may live");
	if (length < 0) {
		config->data_directory = NULL;
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	}
	return TOCSIN_OK;
}

int tc_config_init(struct tc_config *config, struct tocsin_error *error)
{
	struct tc_config read = {0};
	int result = TOCSIN_OK;

	for (size_t i = 0; i < TC_ARRAY_LENGTH(settings) && result == TOCSIN_OK; i++)
		result = read_setting(&read, &settings[i], error);
	if (result == TOCSIN_OK && !read.data_directory)
		result = find_data_directory(&read, error);
	if (result != TOCSIN_OK) {
		tc_config_deinit(&read);
		return result;
	}
	*config = read;
	return TOCSIN_OK;
}

void tc_config_deinit(struct tc_config *config)
{
	free(config->listen);
	free(config->data_directory);
	free(config->database_url);
	free(config->admin_key);
	free(config->alert_system_labels);
	*config = (struct tc_config){0};
}

void tc_config_help(FILE *out)
{
	fprintf(out, "Settings (environment):\n");
	for (size_t i = 0; i < TC_ARRAY_LENGTH(settings); i++) {
		const struct setting *setting = &settings[i];
		char allowed[128];

		format_allowed(setting, allowed, sizeof(allowed));
		fprintf(out, "  %s  (default: %s)\n      %s; %s\n", setting->name,
			setting->shown ? setting->shown : setting->fallback, setting->help,
			allowed);
	}
}
