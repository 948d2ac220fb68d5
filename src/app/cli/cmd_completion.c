/* app/cli/cmd_completion.c: tocsin completion: what makes bash and zsh complete commands, options and their
 * values. A shell gets tables made of ours, and a function that looks things up in them; it starts no process. */
#include "app/cli/option.h"
#include "app/cli/remote.h"
#include "app/procedures.h"
#include <string.h>

/* Words that may follow `prefix` in names of commands; "" for the first word. A word once. */
static void print_next_words(const char *prefix)
{
	size_t length = strlen(prefix);
	const char *last = "";
	size_t last_length = 0;

	for (size_t i = 0; i < tc_commands_count; i++) {
		const char *rest = tc_commands[i].name;
		size_t word;

		if (length > 0 && (strncmp(rest, prefix, length) != 0 || rest[length] != ' '))
			continue;
		rest += length > 0 ? length + 1 : 0;
		word = strcspn(rest, " ");
		/* Commands of a group stand together in the table. */
		if (word == last_length && strncmp(rest, last, word) == 0)
			continue;
		printf("%s%.*s", *last ? " " : "", (int)word, rest);
		last = rest;
		last_length = word;
	}
}

/* Every group once: its name, quoted, and its words. */
static void print_groups(void)
{
	char printed[128] = "";

	for (size_t i = 0; i < tc_commands_count; i++) {
		const char *name = tc_commands[i].name;

		for (const char *space = strchr(name, ' '); space; space = strchr(space + 1, ' ')) {
			char group[64];

			snprintf(group, sizeof(group), "%.*s", (int)(space - name), name);
			if (strstr(printed, group) && strlen(group) <= strlen(printed))
				continue;
			snprintf(printed, sizeof(printed), "%s", group);
			printf("\t['%s']='", group);
			print_next_words(group);
			printf("'\n");
		}
	}
}

static void print_procedures(void)
{
	const char *space = "";

	for (size_t i = 0; i < tc_procedure_tables_count; i++) {
		for (const struct tc_procedure *row = tc_procedure_tables[i]; row->name; row++) {
			if (tc_procedure_not_called(row))
				continue;
			printf("%s%s", space, row->name);
			space = " ";
		}
	}
}

static void print_words(void)
{
	printf("\t['/']='"); /* bash knows no empty subscript */
	print_next_words("");
	printf("'\n");
	print_groups();
	printf("\t['call']='");
	print_procedures();
	printf("'\n\t['completion']='bash zsh'\n");
}

static void print_options(const struct tc_command *command)
{
	struct tc_options options;

	tc_options_init(&options, command);
	printf("\t['%s']='", command->name);
	for (unsigned i = 0; i < options.count; i++) {
		const struct tc_option *option = &options.list[i];

		printf("%s--%s%s", i > 0 ? " " : "", option->name,
		       option->argument[0] && !option->is_optional ? "=" : "");
	}
	printf("'\n");
}

static void print_choices(const struct tc_command *command)
{
	struct tc_options options;

	tc_options_init(&options, command);
	for (unsigned i = 0; i < options.count; i++) {
		const struct tc_option *option = &options.list[i];

		if (!option->choices)
			continue;
		printf("\t['%s --%s']='", command->name, option->name);
		for (unsigned c = 0; option->choices[c]; c++)
			printf("%s%s", c > 0 ? " " : "", option->choices[c]);
		printf("'\n");
	}
}

/* Each command, and each procedure that `call` makes one of. */
static void for_each(void (*print)(const struct tc_command *command))
{
	for (size_t i = 0; i < tc_commands_count; i++)
		print(&tc_commands[i]);
	for (size_t i = 0; i < tc_procedure_tables_count; i++) {
		for (const struct tc_procedure *row = tc_procedure_tables[i]; row->name; row++) {
			struct tc_remote_call call;

			if (tc_procedure_not_called(row))
				continue;
			tc_remote_call_init(&call, row);
			print(&call.command);
		}
	}
}

static void print_tables(void)
{
	printf("declare -gA _tocsin_words=(\n");
	print_words();
	printf(")\ndeclare -gA _tocsin_options=(\n");
	printf("\t['/']='--help --version'\n");
	for_each(print_options);
	printf(")\ndeclare -gA _tocsin_choices=(\n");
	for_each(print_choices);
	printf(")\n");
}

/* "=" may or may not break words (COMP_WORDBREAKS): both are put together again. A value may also be the word after
 * its option: the options' table has an "=" where there must be one. What follows help is the name of a command. */
static const char bash_function[] =
	"_tocsin() {\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal command='' option='' words='' first=1 i\n"
	"\t((COMP_CWORD < 2)) || [[ ${COMP_WORDS[1]} != help ]] || first=2\n"
	"\tfor ((i = first; i < COMP_CWORD; i++)); do\n"
	"\t\tlocal longer=\"$command${command:+ }${COMP_WORDS[i]:-/}\"\n"
	"\t\t[[ -v \"_tocsin_options[$longer]\" || -v \"_tocsin_words[$longer]\" ]] || break\n"
	"\t\tcommand=$longer\n"
	"\tdone\n"
	"\tif [[ $current == = ]]; then\n"
	"\t\toption=$previous current=''\n"
	"\telif [[ $previous == = ]]; then\n"
	"\t\toption=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\telif [[ $current == --*=* ]]; then\n"
	"\t\toption=${current%%=*}\n"
	"\telif [[ \" ${_tocsin_options[\"${command:-/}\"]-} \" == *\" $previous= \"* ]]; then\n"
	"\t\toption=$previous\n"
	"\tfi\n"
	"\tif [[ -n $option ]]; then\n"
	"\t\twords=${_tocsin_choices[\"$command $option\"]-}\n"
	"\t\tif [[ $current == --*=* ]]; then\n"
	"\t\t\tCOMPREPLY=($(compgen -P \"$option=\" -W \"$words\" -- \"${current#*=}\"))\n"
	"\t\telse\n"
	"\t\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	"\t\tfi\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tif [[ $current == -* ]]; then\n"
	"\t\t((first == 1)) || command=help\n"
	"\t\twords=${_tocsin_options[\"${command:-/}\"]-}\n"
	"\telif ((i == COMP_CWORD)); then\n"
	"\t\twords=${_tocsin_words[\"${command:-/}\"]-}\n"
	"\tfi\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	"\t[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null || :\n"
	"}\n"
	"complete -F _tocsin tocsin\n";

static const char zsh_function[] =
	"_tocsin() {\n"
	"\tlocal command='' first=2 i longer previous=${words[CURRENT-1]}\n"
	"\tlocal -a found\n"
	"\t(( CURRENT < 3 )) || [[ ${words[2]} != help ]] || first=3\n"
	"\tfor ((i = first; i < CURRENT; i++)); do\n"
	"\t\tlonger=\"$command${command:+ }${words[i]}\"\n"
	"\t\t(( ${+_tocsin_options[$longer]} || ${+_tocsin_words[$longer]} )) || break\n"
	"\t\tcommand=$longer\n"
	"\tdone\n"
	"\tif [[ ${words[CURRENT]} == --*=* ]]; then\n"
	"\t\tfound=(${=_tocsin_choices[$command ${words[CURRENT]%%=*}]})\n"
	"\t\tcompset -P '*='\n"
	"\t\tcompadd -- $found\n"
	"\telif [[ \" ${_tocsin_options[${command:-/}]} \" == *\" $previous= \"* ]]; then\n"
	"\t\tfound=(${=_tocsin_choices[$command $previous]})\n"
	"\t\tcompadd -- $found\n"
	"\telif [[ ${words[CURRENT]} == -* ]]; then\n"
	"\t\t(( first == 2 )) || command=help\n"
	"\t\tcommand=${command:-/}\n"
	"\t\tfound=(${(M)${=_tocsin_options[$command]}:#*=})\n"
	"\t\tcompadd -S '' -- $found\n"
	"\t\tfound=(${${=_tocsin_options[$command]}:#*=})\n"
	"\t\tcompadd -- $found\n"
	"\telif (( i == CURRENT )); then\n"
	"\t\tfound=(${=_tocsin_words[${command:-/}]})\n"
	"\t\tcompadd -- $found\n"
	"\tfi\n"
	"}\n"
	/* Run by compinit from a folder of fpath, it is the body of the function; sourced, it registers it. */
	"if [[ ${funcstack[1]-} == _tocsin ]]; then\n"
	"\t_tocsin \"$@\"\n"
	"else\n"
	"\tcompdef _tocsin tocsin\n"
	"fi\n";

int tc_cmd_completion(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	const char *shell;
	int status = TC_EXIT_OK;

	if (tc_command_option(command, argc, argv, options, &status) != TC_OPTION_END)
		return status;
	shell = optind + 1 == argc ? argv[optind] : "";
	if (strcmp(shell, "bash") == 0) {
		print_tables();
		fputs(bash_function, stdout);
	} else if (strcmp(shell, "zsh") == 0) {
		printf("#compdef tocsin\n");
		print_tables();
		fputs(zsh_function, stdout);
	} else {
		return tc_command_misused(command, "say for which shell: bash or zsh");
	}
	return tc_command_finish();
}
