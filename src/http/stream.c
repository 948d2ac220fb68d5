/* http/stream.c: one stream: its queue, and the connection that empties it. The model is in stream.h,
 * all streams together are in stream_watch.c.
 *
 * A connection is suspended by the library's callback, under the stream's mutex, when there is nothing to
 * take; whoever finds `is_suspended` under that mutex, and clears it, resumes. So a connection is never
 * resumed twice, and never touched after it is gone: while it sleeps it cannot end, and `detach` clears
 * `connection` under the same mutex. */
#include "http/stream.h"

#include "base/memory.h"
#include "base/thread.h"
#include "http/request.h"
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

/* The first pieces of a queue; it grows by doubling up to TC_HTTP_STREAM_PIECES_MAX. */
#define PIECES_MIN 8u
/* What the library may read at once where it does not chunk (HTTP/1.0). */
#define BLOCK_SIZE ((size_t)4096)

struct tc_http_chunk {
	atomic_uint refs;
	size_t length;
	char bytes[];
};

struct tc_http_chunk *tc_http_chunk_new(const char *bytes, size_t length)
{
	struct tc_http_chunk *chunk = malloc(sizeof(*chunk) + length);

	if (!chunk)
		return NULL;
	atomic_init(&chunk->refs, 1);
	chunk->length = length;
	memcpy(chunk->bytes, bytes, length);
	return chunk;
}

struct tc_http_chunk *tc_http_chunk_ref(struct tc_http_chunk *chunk)
{
	atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
	return chunk;
}

struct tc_http_chunk *tc_http_chunk_unref(struct tc_http_chunk *chunk)
{
	if (chunk && atomic_fetch_sub(&chunk->refs, 1) == 1)
		free(chunk);
	return NULL;
}

size_t tc_http_chunk_length(const struct tc_http_chunk *chunk)
{
	return chunk->length;
}

/* --- the queue; with the stream's mutex held --- */

static struct tc_http_piece *piece_at(struct tc_http_stream *stream, unsigned index)
{
	return &stream->pieces[(stream->first + index) % stream->capacity];
}

static bool grow(struct tc_http_stream *stream)
{
	unsigned capacity = TC_MAX(stream->capacity * 2, PIECES_MIN);
	struct tc_http_piece *pieces = calloc(capacity, sizeof(*pieces));

	if (!pieces)
		return false;
	for (unsigned i = 0; i < stream->count; i++)
		pieces[i] = *piece_at(stream, i);
	free(stream->pieces);
	stream->pieces = pieces;
	stream->capacity = capacity;
	stream->first = 0;
	return true;
}

static void drop_first(struct tc_http_stream *stream)
{
	tc_http_chunk_unref(piece_at(stream, 0)->chunk);
	stream->first = (stream->first + 1) % stream->capacity;
	stream->count--;
}

/* As many pieces as fit, so that a backlog goes out in few writes. */
static size_t take(struct tc_http_stream *stream, char *out, size_t max)
{
	size_t taken = 0;

	while (stream->count > 0 && taken < max) {
		struct tc_http_piece *piece = piece_at(stream, 0);
		size_t length = TC_MIN(piece->chunk->length - piece->offset, max - taken);

		memcpy(out + taken, piece->chunk->bytes + piece->offset, length);
		taken += length;
		piece->offset += length;
		if (piece->offset == piece->chunk->length)
			drop_first(stream);
	}
	stream->queued -= taken;
	/* The memory of a backlog that is over is not kept. */
	if (stream->count == 0 && stream->capacity > PIECES_MIN) {
		free(tc_take(stream->pieces));
		stream->capacity = stream->first = 0;
	}
	return taken;
}

static void wake(struct tc_http_stream *stream)
{
	if (!stream->is_suspended)
		return;
	stream->is_suspended = false;
	MHD_resume_connection(stream->connection);
}

static void cut(struct tc_http_stream *stream)
{
	if (stream->is_cut)
		return;
	stream->is_cut = true;
	/* Asleep it is woken to end; awake it may wait for a socket that takes no more. */
	if (stream->is_suspended)
		wake(stream);
	else if (stream->connection)
		shutdown(stream->fd, SHUT_RDWR);
}

static int push(struct tc_http_stream *stream, struct tc_http_chunk *chunk, size_t offset)
{
	size_t length = chunk->length - offset;

	if (stream->is_cut || stream->is_ending)
		return TOCSIN_E_CLOSED;
	if (length > stream->queue_max - stream->queued ||
	    stream->count == TC_HTTP_STREAM_PIECES_MAX) {
		cut(stream);
		if (stream->streams)
			atomic_fetch_add(&stream->streams->cut, 1);
		return TOCSIN_E_FULL;
	}
	if (stream->count == stream->capacity && !grow(stream)) {
		cut(stream);
		return TOCSIN_E_NOMEM;
	}
	*piece_at(stream, stream->count++) =
		(struct tc_http_piece){tc_http_chunk_ref(chunk), offset};
	stream->queued += length;
	wake(stream);
	return TOCSIN_OK;
}

/* --- what the library calls --- */

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t max)
{
	struct tc_http_stream *stream = cls;
	ssize_t result = 0;

	(void)position;
	tc_mutex_lock(&stream->mutex);
	if (stream->is_cut) {
		result = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (stream->count > 0) {
		result = (ssize_t)take(stream, out, max);
	} else if (stream->is_ending) {
		result = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		stream->is_suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	tc_mutex_unlock(&stream->mutex);
	if (result == 0 && stream->drained)
		stream->drained(stream->userdata);
	return result;
}

static struct MHD_Response *build(struct tc_http_stream *stream)
{
	static const struct tc_http_header headers[] = {
		{"Content-Type", TC_HTTP_STREAM_TYPE},
		{"Cache-Control", "no-store"},
		{"X-Accel-Buffering", "no"}, /* nginx would wait for more */
	};
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_stream, stream, NULL);

	for (size_t i = 0; response && i < TC_ARRAY_LENGTH(headers); i++) {
		if (MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES)
			continue;
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

/* --- the life of a stream --- */

void tc_http_stream_unref(struct tc_http_stream *stream)
{
	if (atomic_fetch_sub(&stream->refs, 1) > 1)
		return;
	while (stream->count > 0)
		drop_first(stream);
	free(stream->pieces);
	pthread_mutex_destroy(&stream->mutex);
	free(stream);
}

int tc_http_stream_start(struct tc_http_request *request,
			 const struct tc_http_stream_options *options,
			 struct tc_http_stream **ret_stream, struct tocsin_error *error)
{
	struct tc_http_stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *response;

	if (!stream)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a stream");
	atomic_init(&stream->refs, 2); /* the request's and the owner's */
	tc_mutex_init(&stream->mutex);
	tc_list_init(&stream->node);
	stream->fd = -1;
	stream->queue_max = options->queue_max;
	stream->life_ms = options->life_ms;
	stream->drained = options->drained;
	stream->closed = options->closed;
	stream->userdata = options->userdata;
	response = build(stream);
	if (!response) {
		pthread_mutex_destroy(&stream->mutex);
		free(stream);
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a stream");
	}
	*ret_stream = stream;
	tc_http_request_answer(request, 200, response, stream);
	return TOCSIN_OK;
}

void tc_http_stream_detach(struct tc_http_stream *stream)
{
	tc_mutex_lock(&stream->mutex);
	assert(!stream->is_suspended);
	stream->is_cut = true;
	stream->connection = NULL;
	while (stream->count > 0)
		drop_first(stream);
	stream->queued = 0;
	tc_mutex_unlock(&stream->mutex);
	if (stream->streams)
		tc_http_streams_remove(stream);
	stream->closed(stream->userdata);
	tc_http_stream_unref(stream);
}

int tc_http_stream_push(struct tc_http_stream *stream, struct tc_http_chunk *chunk, size_t offset)
{
	TC_LOCKED(&stream->mutex);

	assert(offset <= chunk->length);
	return push(stream, chunk, offset);
}

void tc_http_stream_end(struct tc_http_stream *stream)
{
	TC_LOCKED(&stream->mutex);

	stream->is_ending = true;
	wake(stream);
}

struct tc_http_stream *tc_http_stream_free(struct tc_http_stream *stream)
{
	if (stream) {
		tc_http_stream_end(stream);
		tc_http_stream_unref(stream);
	}
	return NULL;
}

void tc_http_stream_cut(struct tc_http_stream *stream)
{
	TC_LOCKED(&stream->mutex);

	cut(stream);
}

void tc_http_stream_comment(struct tc_http_stream *stream, struct tc_http_chunk *comment)
{
	TC_LOCKED(&stream->mutex);

	if (stream->count == 0)
		push(stream, comment, 0);
}
