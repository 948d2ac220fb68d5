/* static.c: the ceiling of a cached read: the HTTP library by itself, with the threads Tocsin gives it, which
 * answers every request with one response made beforehand.
 *
 * usage: static PORT FILE    answers with what is in FILE, as JSON, on 127.0.0.1, until SIGTERM */
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum MHD_Result answer(void *response, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **context)
{
	static int seen;

	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (!*context) { /* the headers are there; the request is whole at the next call */
		*context = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, 200, response);
}

static struct MHD_Response *make_response(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	struct MHD_Response *response;
	char *body;
	ssize_t length;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return NULL;
	body = malloc((size_t)stat.st_size + 1);
	length = body ? read(fd, body, (size_t)stat.st_size) : -1;
	close(fd);
	if (length != stat.st_size) {
		free(body);
		return NULL;
	}
	response = MHD_create_response_from_buffer((size_t)length, body, MHD_RESPMEM_MUST_FREE);
	if (response)
		MHD_add_response_header(response, "Content-Type", "application/json");
	return response;
}

int main(int argc, char *argv[])
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct MHD_Response *response;
	struct MHD_Daemon *daemon;
	sigset_t signals;
	int signal;

	if (argc != 3) {
		fprintf(stderr, "usage: static PORT FILE\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* the threads inherit it */
	response = make_response(argv[2]);
	if (!response) {
		perror(argv[2]);
		return 1;
	}
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, response,
				  MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
				  MHD_OPTION_CONNECTION_LIMIT, 1024U, MHD_OPTION_THREAD_POOL_SIZE,
				  cores > 1 ? (unsigned)cores : 2U, MHD_OPTION_END);
	if (!daemon) {
		perror("bind");
		return 1;
	}
	sigwait(&signals, &signal);
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}
