/* SPDX-License-Identifier: Apache-2.0 */
#include "inbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "embedded_inbox.h"
#include "http_server.h"
#include "inbox_box.h"
#include "inbox_controls.h"

enum {
    PORTS_TRIED_MAX = 100,
    EXCHANGES_MAX = 64,
    ARENA_BYTES = 4 * 1024 * 1024,
    LIST_BYTES_MAX = 3 * 1024 * 1024, /* all deliveries at their largest */
    SMALL_BYTES_MAX = 1024,
};

#define POLICY                                                                                     \
    STR("default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "            \
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")

struct waiting {
    struct http_exchange *exchange;
    int64_t due_ms;
};

struct inbox {
    struct inbox_options options;
    struct http_server *server;
    char hosts[2][32];
    struct inbox_box *box;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct inbox_controls controls;
    struct waiting waiting[EXCHANGES_MAX];
    size_t waiting_count;
    bool is_stopping;
    pthread_t slow_thread;
};

static void respond(struct http_exchange *x, int status, struct str type, struct str body)
{
    struct http_response response = {.status = status, .body = body};

    if (body.len > 0) {
        http_response_header(&response, "Content-Type", type);
    }
    http_response_header(&response, "Cache-Control", STR("no-store"));
    http_response_header(&response, "X-Content-Type-Options", STR("nosniff"));
    http_response_header(&response, "Content-Security-Policy", POLICY);
    http_response_header(&response, "Referrer-Policy", STR("no-referrer"));
    http_respond(x, &response);
}

static void respond_text(struct http_exchange *x, int status, struct str sentence)
{
    respond(x, status, STR("text/plain; charset=utf-8"), sentence);
}

static int take(struct inbox *self, const struct inbox_event *event, struct str body,
                const char *signature)
{
    struct inbox_mail mail = {.to = event->to, .type = event->type, .link = event->link};
    struct inbox_attempt attempt = {.signature = signature};
    bool is_new;

    (void)pthread_mutex_lock(&self->lock);
    attempt.status =
        inbox_controls_decide(&self->controls, strcmp(signature, "valid") == 0, &attempt.is_taken);
    is_new = inbox_box_add(self->box, event, body, &attempt);
    if (is_new && event->is_mail && self->options.on_mail != NULL) {
        self->options.on_mail(self->options.context, &mail);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return attempt.status;
}

static void answer_delivery(struct inbox *self, struct http_exchange *x)
{
    struct arena *arena = http_request_arena(x);
    struct str body = http_request_body(x);
    const struct inbox_headers headers = {
        .id = http_request_header(x, "webhook-id"),
        .timestamp = http_request_header(x, "webhook-timestamp"),
        .signature = http_request_header(x, "webhook-signature"),
    };
    struct inbox_event event;
    int status;

    if (inbox_event_parse(arena, body, &event) != OK) {
        respond_text(x, 400, STR("not a CloudEvent in structured JSON form\n"));
        return;
    }
    if (headers.id.len > 0 && headers.id.len <= 64) {
        event.id = headers.id; /* what a receiver de-duplicates by */
    }
    status = take(self, &event, body,
                  inbox_event_signature(arena, &self->options.secrets, &headers, body));
    respond(x, status, STR_EMPTY, STR_EMPTY);
}

static bool put_off(struct inbox *self, struct http_exchange *x)
{
    bool is_put_off = false;

    (void)pthread_mutex_lock(&self->lock);
    if (self->controls.is_slow && !self->is_stopping && self->waiting_count < EXCHANGES_MAX) {
        http_suspend(x);
        self->waiting[self->waiting_count++] =
            (struct waiting){.exchange = x, .due_ms = clock_mono_ms() + INBOX_CONTROLS_SLOW_MS};
        (void)pthread_cond_signal(&self->changed);
        is_put_off = true;
    }
    (void)pthread_mutex_unlock(&self->lock);
    return is_put_off;
}

static void post_events(struct inbox *self, struct http_exchange *x)
{
    if (!put_off(self, x)) {
        answer_delivery(self, x);
    }
}

/* The lock is held. The oldest one, when it is due or all must go. */
static struct http_exchange *next_due(struct inbox *self)
{
    struct http_exchange *x;

    if (self->waiting_count == 0 ||
        (!self->is_stopping && self->waiting[0].due_ms > clock_mono_ms())) {
        return NULL;
    }
    x = self->waiting[0].exchange;
    self->waiting_count--;
    memmove(&self->waiting[0], &self->waiting[1], self->waiting_count * sizeof(self->waiting[0]));
    return x;
}

/* The lock is held. */
static void wait_for_due(struct inbox *self)
{
    struct timespec until;
    int64_t due_ms;

    if (self->waiting_count == 0) {
        (void)pthread_cond_wait(&self->changed, &self->lock);
        return;
    }
    due_ms = self->waiting[0].due_ms;
    until = (struct timespec){.tv_sec = due_ms / 1000, .tv_nsec = (due_ms % 1000) * 1000000};
    (void)pthread_cond_timedwait(&self->changed, &self->lock, &until);
}

static void *slow_main(void *context)
{
    struct inbox *self = context;
    struct http_exchange *x;

    (void)pthread_mutex_lock(&self->lock);
    while (!self->is_stopping || self->waiting_count > 0) {
        x = next_due(self);
        if (x == NULL) {
            wait_for_due(self);
            continue;
        }
        (void)pthread_mutex_unlock(&self->lock);
        answer_delivery(self, x);
        (void)pthread_mutex_lock(&self->lock);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* The lists change seldom and the page asks each second. */
static void get_list(struct inbox *self, struct http_exchange *x,
                     void (*write)(const struct inbox_box *box, struct buf *out))
{
    struct arena *arena = http_request_arena(x);
    struct buf out = buf_in(arena, LIST_BYTES_MAX);
    struct http_response response = {.status = 200};
    struct str etag;

    (void)pthread_mutex_lock(&self->lock);
    etag = arena_printf(arena, "\"%llu\"", (unsigned long long)inbox_box_version(self->box));
    if (str_equal(etag, http_request_header(x, "If-None-Match"))) {
        response.status = 304;
    }
    if (response.status == 200) {
        write(self->box, &out);
    }
    (void)pthread_mutex_unlock(&self->lock);
    response.body = buf_str(&out);
    http_response_header(&response, "Content-Type", STR("application/json"));
    http_response_header(&response, "Cache-Control", STR("no-store"));
    http_response_header(&response, "X-Content-Type-Options", STR("nosniff"));
    http_response_header(&response, "ETag", etag);
    http_respond(x, &response);
}

static void get_events(struct inbox *self, struct http_exchange *x)
{
    get_list(self, x, inbox_box_events);
}

static void get_mails(struct inbox *self, struct http_exchange *x)
{
    get_list(self, x, inbox_box_mails);
}

static void get_controls(struct inbox *self, struct http_exchange *x)
{
    struct buf out = buf_in(http_request_arena(x), SMALL_BYTES_MAX);

    (void)pthread_mutex_lock(&self->lock);
    inbox_controls_write(&self->controls, &out);
    (void)pthread_mutex_unlock(&self->lock);
    respond(x, 200, STR("application/json"), buf_str(&out));
}

static void post_controls(struct inbox *self, struct http_exchange *x)
{
    enum error error;

    /* Not a type that a form elsewhere can send without asking first. */
    if (!str_starts(http_request_header(x, "Content-Type"), STR("application/json"))) {
        respond_text(x, 415, STR("send application/json\n"));
        return;
    }
    (void)pthread_mutex_lock(&self->lock);
    error = inbox_controls_push(&self->controls, http_request_arena(x), http_request_body(x));
    (void)pthread_mutex_unlock(&self->lock);
    if (error != OK) {
        respond_text(x, 422,
                     STR("send {\"action\": one of fail_next_three, answer_slowly, "
                         "answer_at_once, answer_twice}\n"));
        return;
    }
    get_controls(self, x);
}

static void get_file(struct http_exchange *x, const char *name, struct str type)
{
    for (size_t i = 0; i < sizeof(embedded_inbox) / sizeof(embedded_inbox[0]); i++) {
        if (strcmp(embedded_inbox[i].name, name) == 0) {
            respond(x, 200, type,
                    (struct str){(const char *)embedded_inbox[i].bytes, embedded_inbox[i].size});
            return;
        }
    }
    assert(!"a file that is not embedded");
}

static void get_page(struct inbox *self, struct http_exchange *x)
{
    (void)self;
    get_file(x, "inbox.html", STR("text/html; charset=utf-8"));
}

static void get_style(struct inbox *self, struct http_exchange *x)
{
    (void)self;
    get_file(x, "inbox.css", STR("text/css; charset=utf-8"));
}

static void get_script(struct inbox *self, struct http_exchange *x)
{
    (void)self;
    get_file(x, "inbox.js", STR("text/javascript; charset=utf-8"));
}

static const struct inbox_route {
    enum http_method method;
    const char *path;
    void (*handle)(struct inbox *self, struct http_exchange *x);
} routes[] = {
    {HTTP_POST, "/events", post_events},   {HTTP_GET, "/events", get_events},
    {HTTP_GET, "/mails", get_mails},       {HTTP_POST, "/controls", post_controls},
    {HTTP_GET, "/controls", get_controls}, {HTTP_GET, "/", get_page},
    {HTTP_GET, "/inbox.css", get_style},   {HTTP_GET, "/inbox.js", get_script},
};

/* Against a name elsewhere that was made to resolve to this machine (DNS rebinding). */
static bool is_host_ours(const struct inbox *self, struct http_exchange *x)
{
    struct str host = http_request_header(x, "Host");

    return str_equal(host, str_from(self->hosts[0])) || str_equal(host, str_from(self->hosts[1]));
}

static void handle(void *context, struct http_exchange *x)
{
    struct inbox *self = context;

    if (!is_host_ours(self, x)) {
        respond_text(x, 421, STR("the inbox answers to 127.0.0.1 and localhost only\n"));
        return;
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (routes[i].method == http_request_method(x) &&
            str_equal(http_request_path(x), str_from(routes[i].path))) {
            routes[i].handle(self, x);
            return;
        }
    }
    respond_text(x, 404,
                 STR("the inbox has GET / /mails /events /controls and POST /events "
                     "/controls\n"));
}

static NODISCARD enum error listen_on(struct inbox *self, unsigned port, const char **why)
{
    char address[32];
    const struct http_server_options options = {
        .name = "inbox",
        .listen = address,
        .io_threads = 1,
        .connections_max = EXCHANGES_MAX,
        .exchanges_max = EXCHANGES_MAX,
        .arena_bytes = ARENA_BYTES,
        .body_bytes_max = INBOX_BOX_EVENT_BYTES_MAX,
        .header_ms = 5000,
        .body_ms = 5000,
        .response_ms = 10000,
        .keep_alive_s = 75,
        .handle = handle,
        .context = self,
    };

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    (void)snprintf(self->hosts[0], sizeof(self->hosts[0]), "127.0.0.1:%u", port);
    (void)snprintf(self->hosts[1], sizeof(self->hosts[1]), "localhost:%u", port);
    return http_server_start(&options, &self->server, why);
}

static NODISCARD enum error listen_somewhere(struct inbox *self, const char **why)
{
    enum error error = ERR_CONFIG;

    for (unsigned i = 0; i < PORTS_TRIED_MAX && error != OK; i++) {
        error = listen_on(self, self->options.port + i, why);
    }
    return error;
}

static void init_lock(struct inbox *self)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&self->lock, NULL);
}

NODISCARD enum error inbox_start(const struct inbox_options *options, struct inbox **out,
                                 const char **why)
{
    struct inbox *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->box = inbox_box_new();
    init_lock(self);
    if (pthread_create(&self->slow_thread, NULL, slow_main, self) != 0) {
        *why = "cannot start a thread";
        return ERR_CONFIG;
    }
    TRY(listen_somewhere(self, why));
    *out = self;
    return OK;
}

unsigned inbox_port(const struct inbox *self)
{
    return http_server_port(self->server);
}

void inbox_stop(struct inbox *self)
{
    (void)pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    (void)pthread_cond_signal(&self->changed);
    (void)pthread_mutex_unlock(&self->lock);
    (void)pthread_join(self->slow_thread, NULL);
    http_server_stop(self->server);
}
