/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library calls on_connection, on_target, on_request and on_completed on an I/O thread, for one
 * connection always the same. A request goes: on_target (its first line is complete), on_request
 * without bytes (its head is), on_request with bytes (its body comes), on_request without bytes (all
 * is there), the same again after a suspended exchange was answered, on_completed.
 */
#include "http_server_internal.h"

#include "clock.h"
#include "log.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STOP_FLUSH_MS = 2000 }; /* for answers that are ready when the server stops */

/* Connections. */

static void on_opened(struct http_server *self, struct MHD_Connection *library, void **context)
{
    int fd = MHD_get_connection_info(library, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *peer =
        MHD_get_connection_info(library, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

    *context = http_connection_begin(self, fd, peer);
}

static void on_connection(void *server, struct MHD_Connection *library, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        on_opened(server, library, context);
    } else if (*context != NULL) {
        http_connection_end(server, *context);
        *context = NULL;
    }
}

/* The head. */

/* The target as sent: the library cuts it into pieces afterwards. Its result is on_request's
 * `context`. */
static void *on_target(void *server, const char *target, struct MHD_Connection *library)
{
    struct http_server *self = server;
    struct http_connection *connection =
        MHD_get_connection_info(library, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    if (connection != NULL) {
        http_connection_head(connection, target, self->options.header_ms);
    }
    return connection;
}

static size_t leave_encoded(void *server, struct MHD_Connection *library, char *text)
{
    (void)server;
    (void)library;
    return strlen(text);
}

static size_t head_bytes(struct MHD_Connection *library)
{
    return MHD_get_connection_info(library, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
}

static enum MHD_Result see_field(void *head, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    http_head_field(head, (struct str){name, name_len}, (struct str){value, value_len});
    return MHD_YES;
}

static bool add_header(struct MHD_Response *response, const struct http_header *header)
{
    char value[HTTP_ANSWER_FIELDS_BYTES_MAX];

    memcpy(value, header->value.ptr, header->value.len);
    value[header->value.len] = '\0';
    return MHD_add_response_header(response, header->name, value) == MHD_YES;
}

/* NULL when memory is short or a header is not one. */
static struct MHD_Response *add_headers(struct http_server *self, struct MHD_Response *made,
                                        const struct http_response *response)
{
    bool good = made != NULL;
    size_t bytes = 0;

    for (size_t i = 0; good && i < response->header_count; i++) {
        bytes += strlen(response->headers[i].name) + response->headers[i].value.len + 4;
        good = bytes <= HTTP_ANSWER_FIELDS_BYTES_MAX && add_header(made, &response->headers[i]);
    }
    if (good && atomic_load_explicit(&self->draining, memory_order_relaxed)) {
        good = MHD_add_response_header(made, "Connection", "close") == MHD_YES;
    }
    if (!good && made != NULL) {
        MHD_destroy_response(made);
        return NULL;
    }
    return made;
}

static enum MHD_Result refuse(struct http_server *self, struct http_connection *connection,
                              struct MHD_Connection *library, const struct http_refusal *refusal)
{
    struct http_refusal_text text;
    struct http_response answer;
    struct MHD_Response *response;
    enum MHD_Result queued;

    http_refusal_answer(refusal, &text, &answer);
    http_refusal_note(refusal, self->options.name, connection, &text);
    response = MHD_create_response_from_buffer_copy(answer.body.len, answer.body.ptr);
    response = add_headers(self, response, &answer);
    if (response == NULL) {
        return MHD_NO;
    }
    queued = MHD_queue_response(library, (unsigned)answer.status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Decides over the request when its head is complete. */
static enum MHD_Result on_head(struct http_server *self, struct http_connection *connection,
                               struct MHD_Connection *library, const char *method)
{
    struct http_head head = {.hosts = 0};
    struct str target = {connection->target, connection->target_len};
    const struct http_refusal *refusal;

    head.bytes = head_bytes(library);
    head.parameters =
        (unsigned)MHD_get_connection_values_n(library, MHD_GET_ARGUMENT_KIND, NULL, NULL);
    MHD_get_connection_values_n(library, MHD_HEADER_KIND, see_field, &head);
    refusal = http_head_judge(&head, str_from(method), target, &self->options);
    refusal = refusal == NULL ? http_exchange_begin(self, connection, &head) : refusal;
    if (refusal == &http_head_size) { /* the library may have no memory left to answer with */
        http_connection_refuse(self, connection, refusal);
        return MHD_NO;
    }
    if (refusal != NULL) {
        connection->upload_unread = http_head_body_bytes(&head) > 0;
        return refuse(self, connection, library, refusal);
    }
    connection->exchange->library = library;
    if (connection->exchange->receiving) {
        atomic_store(&connection->deadline_ms, clock_mono_ms() + self->options.body_ms);
    }
    return MHD_YES;
}

/* The answer. */

static enum MHD_Result queue_answer(struct http_exchange *x)
{
    struct MHD_Response *answer = x->answer;
    enum MHD_Result queued;

    if (answer == NULL) {
        return MHD_NO;
    }
    atomic_store(&x->connection->deadline_ms, clock_mono_ms() + x->server->options.response_ms);
    x->answer = NULL;
    queued = MHD_queue_response(x->library, (unsigned)x->answer_status, answer);
    MHD_destroy_response(answer);
    return queued;
}

static enum MHD_Result handle(struct http_exchange *x)
{
    struct http_server *self = x->server;
    int handling = HTTP_X_HANDLING;

    http_exchange_received(x);
    atomic_store(&x->connection->deadline_ms, HTTP_IN_THE_HOUSE);
    atomic_store(&x->state, HTTP_X_HANDLING);
    self->options.handle(self->options.context, x);
    if (atomic_load(&x->state) == HTTP_X_ANSWERED) {
        return queue_answer(x);
    }
    assert(x->suspended); /* a handler answers or suspends */
    MHD_suspend_connection(x->library);
    if (!atomic_compare_exchange_strong(&x->state, &handling, HTTP_X_PARKED)) {
        MHD_resume_connection(x->library); /* answered in this moment */
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *server, struct MHD_Connection *library, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **context)
{
    struct http_connection *connection = *context;

    (void)url;
    (void)version;
    if (connection == NULL) {
        return MHD_NO;
    }
    if (connection->exchange == NULL) {
        return on_head(server, connection, library, method);
    }
    if (*upload_bytes > 0) {
        bool good = http_exchange_body(connection->exchange, upload, *upload_bytes);

        *upload_bytes = 0;
        return good ? MHD_YES : MHD_NO;
    }
    if (atomic_load(&connection->exchange->state) == HTTP_X_ANSWERED) {
        return queue_answer(connection->exchange);
    }
    return handle(connection->exchange);
}

static void on_completed(void *server, struct MHD_Connection *library, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_connection *connection = *context;
    struct http_exchange *x = connection == NULL ? NULL : connection->exchange;

    (void)server;
    (void)code;
    *context = NULL;
    if (x == NULL) {
        return; /* refused, and about to be closed */
    }
    if (x->answer != NULL) {
        MHD_destroy_response(x->answer);
    }
    http_exchange_end(x, head_bytes(library));
}

/* The handler's side. */

void http_response_header(struct http_response *self, const char *name, struct str value)
{
    assert(self->header_count < HTTP_HEADERS_MAX);
    self->headers[self->header_count] = (struct http_header){.name = name, .value = value};
    self->header_count++;
}

void http_suspend(struct http_exchange *x)
{
    x->suspended = true;
}

void http_respond(struct http_exchange *x, const struct http_response *response)
{
    struct MHD_Connection *library = x->library;
    int before;

    x->answer = MHD_create_response_from_buffer_static(response->body.len, response->body.ptr);
    x->answer = add_headers(x->server, x->answer, response);
    x->answer_status = response->status;
    if (x->answer == NULL) {
        log_error("an answer could not be made; its connection is closed",
                  LOG_CSTR("server", x->server->options.name),
                  LOG_NUMBER("status", response->status));
    }
    before = atomic_exchange(&x->state, HTTP_X_ANSWERED);
    assert(before == HTTP_X_HANDLING || before == HTTP_X_PARKED); /* answered once */
    if (before == HTTP_X_PARKED) {
        MHD_resume_connection(library);
    }
}

/* Start and stop. */

static void on_panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    (void)file;
    log_error("libmicrohttpd gave up", LOG_CSTR("reason", reason), LOG_NUMBER("line", line));
    abort();
}

static struct MHD_Daemon *start_daemon(struct http_server *self, int listen_fd)
{
    const struct http_server_options *o = &self->options;
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)o->connections_max, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_POOL_BYTES, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)o->keep_alive_s, NULL},
        {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, self},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_encoded, self},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, self},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, self},
        {o->io_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)o->io_threads,
         NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    MHD_set_panic_func(on_panic, NULL);
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME,
                            0, NULL, NULL, on_request, self, MHD_OPTION_ARRAY, items,
                            MHD_OPTION_END);
}

static void free_server(struct http_server *self)
{
    http_reaper_stop(&self->reaper);
    http_pool_unmap(&self->connections);
    http_pool_unmap(&self->exchanges);
    free(self);
}

static enum error start(struct http_server *self, int listen_fd)
{
    const struct http_server_options *o = &self->options;

    TRY(http_pool_map(&self->connections, o->connections_max, sizeof(struct http_connection)));
    TRY(http_pool_map(&self->exchanges, o->exchanges_max, http_exchange_bytes(self)));
    TRY(http_reaper_start(&self->reaper, o));
    http_turns_short(true);
    self->daemon = start_daemon(self, listen_fd);
    http_turns_short(false);
    return self->daemon == NULL ? ERR_IO : OK;
}

enum error http_server_start(const struct http_server_options *options, struct http_server **out,
                             const char **why)
{
    static _Thread_local char sentence[256];
    struct buf reason = buf_over(sentence, sizeof(sentence) - 1);
    struct http_server *self = calloc(1, sizeof(*self));
    int listen_fd = -1;

    assert(options->arena_bytes > options->body_bytes_max && options->io_threads > 0);
    assert(options->connections_max >= options->io_threads);
    memset(sentence, 0, sizeof(sentence));
    *why = sentence;
    if (self == NULL) {
        return ERR_NO_SPACE;
    }
    self->options = *options;
    http_refusal_register_metrics();
    if (http_listen(options->listen, &listen_fd, &self->port, &reason) != OK) {
        free(self);
        return ERR_CONFIG;
    }
    if (start(self, listen_fd) != OK) {
        buf_printf(&reason, "cannot serve on %s: memory or threads are short", options->listen);
        close(listen_fd);
        free_server(self);
        return ERR_CONFIG;
    }
    *out = self;
    return OK;
}

unsigned http_server_port(const struct http_server *self)
{
    return self->port;
}

void http_server_drain(struct http_server *self)
{
    atomic_store(&self->draining, true);
}

unsigned http_server_active(const struct http_server *self)
{
    return http_pool_taken((struct http_pool *)(uintptr_t)&self->exchanges);
}

void http_server_stop(struct http_server *self)
{
    int64_t until_ms = clock_mono_ms() + STOP_FLUSH_MS;
    int listen_fd = MHD_quiesce_daemon(self->daemon);

    shutdown(listen_fd, SHUT_RDWR); /* refuses from now on; some thread may still look at it */
    while (http_server_active(self) > 0 && clock_mono_ms() < until_ms) {
        usleep(1000);
    }
    MHD_stop_daemon(self->daemon);
    close(listen_fd);
    free_server(self);
}
