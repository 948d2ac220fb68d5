/* app/cli/password.c: see password.h. */
#include "app/cli/password.h"

#include "base/macro.h"
#include "modules/auth/auth_password.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Bytes of the longest password with its line end: characters have four at most. */
#define LINE_SIZE (4 * TC_AUTH_PASSWORD_MAX + 3)
#define CTRL_C    3

char *tc_password_free(char *password)
{
	if (password) {
		sodium_memzero(password, strlen(password));
		free(password);
	}
	return NULL;
}

/* Byte by byte, so that no buffer of the C library keeps a copy. */
static int read_line(char ret_line[static LINE_SIZE], struct tocsin_error *error)
{
	size_t length = 0;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, ret_line + length, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return tocsin_error_set(error, TOCSIN_E_SYSTEM,
						"cannot read the password: %s", strerror(errno));
		if (got == 0 || ret_line[length] == '\n')
			break;
		if (ret_line[length] == CTRL_C)
			return tocsin_error_set(error, TOCSIN_E_INVALID, "given up");
		if (++length == LINE_SIZE)
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"a password must have %d to %d characters",
						TC_AUTH_PASSWORD_MIN, TC_AUTH_PASSWORD_MAX);
	}
	if (length > 0 && ret_line[length - 1] == '\r')
		length--;
	ret_line[length] = '\0';
	return TOCSIN_OK;
}

/* Ctrl-C ends the line instead of the process while nothing is shown: so the terminal is always set back. */
static int read_hidden(const char *prompt, char ret_line[static LINE_SIZE],
		       struct tocsin_error *error)
{
	struct termios shown, hidden;
	int result;

	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"there is no terminal to ask for the password: give it on "
					"standard input, with --password-stdin");
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	hidden.c_cc[VEOL] = CTRL_C;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot hide the password: %s",
					strerror(errno));
	/* After it: what is typed before would be shown, and is thrown away. */
	fputs(prompt, stderr);
	result = read_line(ret_line, error);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return result;
}

static int ask_twice(char ret_line[static LINE_SIZE], struct tocsin_error *error)
{
	char again[LINE_SIZE];
	int result = read_hidden("Password: ", ret_line, error);

	if (result == TOCSIN_OK)
		result = tc_auth_password_check(ret_line, error);
	if (result == TOCSIN_OK)
		result = read_hidden("The same again: ", again, error);
	if (result == TOCSIN_OK && strcmp(ret_line, again) != 0)
		result = tocsin_error_set(error, TOCSIN_E_INVALID, "the two passwords differ");
	sodium_memzero(again, sizeof(again));
	return result;
}

int tc_password_read(bool from_pipe, char **ret_password, struct tocsin_error *error)
{
	char line[LINE_SIZE];
	int result = from_pipe ? read_line(line, error) : ask_twice(line, error);

	if (result == TOCSIN_OK)
		result = tc_auth_password_check(line, error);
	if (result == TOCSIN_OK) {
		*ret_password = strdup(line);
		if (!*ret_password)
			result = tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	}
	sodium_memzero(line, sizeof(line));
	return result;
}
