/* SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"

/* A kept connection pins one pod behind a Kubernetes service: it is given up after this long. */
enum { CONNECTION_LIFE_S = 300 };

/* Many servers send head and body in two packets; a connection is worth this wait for the second. */
static const int64_t body_grace_ms = 50;

enum { REASON_BYTES_MAX = sizeof(((struct http_call *)NULL)->reason) };

struct http_slot {
    CURL *easy; /* made at first use, then kept */
    struct http_call *call;
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    CURLM *multi;
    int wake_fd;
    unsigned running;
    struct http_slot slots[HTTP_CLIENT_PARALLEL_MAX];
};

void http_client_start(void)
{
    /* Where TLS is spoken, OpenSSL writes with write(2). */
    (void)signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
}

struct http_client *http_client_new(void)
{
    struct http_client *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        abort();
    }
    self->multi = curl_multi_init();
    self->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->multi == NULL || self->wake_fd < 0) {
        abort();
    }
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_PARALLEL_MAX);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTP_CLIENT_PARALLEL_MAX);
    return self;
}

static void slot_release(struct http_client *self, struct http_slot *slot)
{
    struct http_call *call = slot->call;

    curl_multi_remove_handle(self->multi, slot->easy);
    curl_slist_free_all(call->list);
    call->list = NULL;
    call->handle = NULL;
    slot->call = NULL;
    self->running--;
}

void http_client_free(struct http_client *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < HTTP_CLIENT_PARALLEL_MAX; i++) {
        struct http_slot *slot = &self->slots[i];

        if (slot->call != NULL) {
            slot_release(self, slot);
        }
        curl_easy_cleanup(slot->easy);
    }
    curl_multi_cleanup(self->multi);
    close(self->wake_fd);
    free(self);
}

/* RFC 9110 section 10.2.3: seconds, or a date in one of the three forms of section 5.6.7. */
static int64_t retry_after_parse(struct str value)
{
    char date[64];
    uint64_t seconds;
    time_t at;

    if (str_to_u64(value, &seconds) == OK) {
        return seconds > INT32_MAX ? INT32_MAX : (int64_t)seconds;
    }
    if (value.len >= sizeof(date)) {
        return -1;
    }
    memcpy(date, value.ptr, value.len);
    date[value.len] = '\0';
    at = curl_getdate(date, NULL);
    if (at < 0) {
        return -1;
    }
    return at > clock_wall_s() ? at - clock_wall_s() : 0;
}

static bool count_received(struct http_call *call, size_t bytes)
{
    call->received_bytes += bytes;
    return call->received_bytes <= HTTP_CLIENT_RESPONSE_BYTES_MAX;
}

/* 1xx is followed by another head, whose fields are the ones that count: RFC 9110 section 15.2. */
static void head_ends(struct http_call *call)
{
    const struct http_slot *slot = call->handle;
    long status = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    call->head_done = status >= 200;
    call->head_done_ms = clock_mono_ms();
    if (!call->head_done) {
        call->retry_after_s = -1;
    }
}

/* libcurl gives one whole field line a call, and the empty line that ends the head. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    struct str line = {data, size * count};
    struct str name;

    if (!count_received(call, line.len)) {
        return 0;
    }
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r')) {
        line.len--;
    }
    if (line.len == 0) {
        head_ends(call);
        return size * count;
    }
    name = str_cut(&line, ':');
    if (str_equal_nocase(name, STR("retry-after"))) {
        call->retry_after_s = retry_after_parse(str_trim(line));
    }
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    return count_received(context, size * count) ? size * count : 0;
}

static struct curl_slist *header_list(const struct http_call *call)
{
    struct curl_slist *list = NULL;

    for (size_t i = 0; i < HTTP_CLIENT_HEADERS_MAX && call->headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(list, call->headers[i]);

        if (longer == NULL) {
            abort();
        }
        list = longer;
    }
    return list;
}

static void slot_set_up(struct http_slot *slot, const struct http_call *call)
{
    CURL *easy = slot->easy;

    curl_easy_reset(easy); /* keeps connections and the DNS cache, which are the multi handle's */
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "user-service/" USER_SERVICE_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, (struct curl_slist *)call->list);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.ptr); /* borrowed, not copied */
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
}

static struct http_slot *slot_free(struct http_client *self)
{
    for (size_t i = 0; i < HTTP_CLIENT_PARALLEL_MAX; i++) {
        if (self->slots[i].call == NULL) {
            return &self->slots[i];
        }
    }
    return NULL;
}

enum error http_client_post(struct http_client *self, struct http_call *call)
{
    struct http_slot *slot = slot_free(self);

    if (slot == NULL) {
        return ERR_OVERLOADED;
    }
    if (slot->easy == NULL) {
        slot->easy = curl_easy_init();
    }
    if (slot->easy == NULL) {
        return ERR_OVERLOADED;
    }
    call->outcome = HTTP_BROKEN;
    call->status = 0;
    call->retry_after_s = -1;
    call->reason[0] = '\0';
    call->received_bytes = 0;
    call->head_done = false;
    call->handle = slot;
    call->list = header_list(call);
    slot->call = call;
    slot->error[0] = '\0';
    self->running++;
    slot_set_up(slot, call);
    if (curl_multi_add_handle(self->multi, slot->easy) != CURLM_OK) {
        slot_release(self, slot);
        return ERR_OVERLOADED;
    }
    return OK;
}

unsigned http_client_running(const struct http_client *self)
{
    return self->running;
}

/* Nothing was sent: name, connection or TLS failed, be it by the clock. */
static bool never_connected(CURL *easy, CURLcode code)
{
    curl_off_t ready_us = 0;

    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return code != CURLE_OK && ready_us == 0;
}

static enum http_outcome outcome_of(CURL *easy, CURLcode code, const struct http_call *call)
{
    if (call->head_done) {
        return HTTP_ANSWERED;
    }
    if (never_connected(easy, code)) {
        return HTTP_NO_CONNECTION;
    }
    return code == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMED_OUT : HTTP_BROKEN;
}

static struct http_call *slot_finish(struct http_client *self, struct http_slot *slot,
                                     CURLcode code)
{
    struct http_call *call = slot->call;
    curl_off_t total_us = 0;
    long status = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    call->duration_ms = total_us / 1000;
    call->outcome = outcome_of(slot->easy, code, call);
    call->status = call->outcome == HTTP_ANSWERED ? (int)status : 0;
    if (call->outcome != HTTP_ANSWERED) {
        const char *why = slot->error[0] != '\0' ? slot->error : curl_easy_strerror(code);

        (void)snprintf(call->reason, REASON_BYTES_MAX, "%.*s", REASON_BYTES_MAX - 1, why);
    }
    slot_release(self, slot);
    return call;
}

static struct http_call *next_ended(struct http_client *self)
{
    int left = 0;
    const CURLMsg *message;

    while ((message = curl_multi_info_read(self->multi, &left)) != NULL) {
        char *slot = NULL;

        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        return slot_finish(self, (void *)slot, message->data.result);
    }
    return NULL;
}

/* A call whose answer is known although its body goes on; to take it away closes the connection. When
 * there is none, `until_ms` is brought forward to the time when there may be. */
static struct http_call *next_answered(struct http_client *self, int64_t *until_ms)
{
    const int64_t now_ms = clock_mono_ms();

    for (size_t i = 0; i < HTTP_CLIENT_PARALLEL_MAX; i++) {
        const struct http_call *call = self->slots[i].call;
        int64_t cut_ms;

        if (call == NULL || !call->head_done) {
            continue;
        }
        cut_ms = call->head_done_ms + body_grace_ms;
        if (cut_ms <= now_ms) {
            return slot_finish(self, &self->slots[i], CURLE_OK);
        }
        *until_ms = cut_ms < *until_ms ? cut_ms : *until_ms;
    }
    return NULL;
}

/* True when somebody called http_client_wake. */
static bool sleep_until_work(struct http_client *self, int64_t timeout_ms)
{
    struct curl_waitfd wake = {.fd = self->wake_fd, .events = CURL_WAIT_POLLIN};
    eventfd_t count;

    if (curl_multi_poll(self->multi, &wake, 1, (int)timeout_ms, NULL) != CURLM_OK) {
        return true;
    }
    if (wake.revents == 0) {
        return false;
    }
    (void)eventfd_read(self->wake_fd, &count);
    return true;
}

struct http_call *http_client_wait(struct http_client *self, int64_t timeout_ms)
{
    const int64_t deadline_ms = clock_mono_ms() + timeout_ms;

    for (;;) {
        int64_t until_ms = deadline_ms;
        struct http_call *call;
        int64_t now_ms;
        int running;

        curl_multi_perform(self->multi, &running);
        call = next_ended(self);
        call = call == NULL ? next_answered(self, &until_ms) : call;
        now_ms = clock_mono_ms();
        if (call != NULL || deadline_ms <= now_ms) {
            return call;
        }
        if (sleep_until_work(self, until_ms > now_ms ? until_ms - now_ms : 0)) {
            return NULL;
        }
    }
}

void http_client_wake(struct http_client *self)
{
    (void)eventfd_write(self->wake_fd, 1);
}
