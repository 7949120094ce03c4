/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include "clock.h"
#include "codec.h"
#include "json_out.h"
#include "log.h"
#include "metrics.h"

#include <sys/random.h>
#include <time.h>

static struct metric metrics[] = {
    {
        .name = "user_service_http_connections",
        .type = METRIC_GAUGE,
        .help = "Open connections.",
        .labels = {"server"},
    },
    {
        .name = "user_service_http_refused_total",
        .type = METRIC_COUNTER,
        .help = "Requests refused before a route was looked for, and peers cut for being slow.",
        .labels = {"server", "reason"},
    },
};

void http_refusal_register_metrics(void)
{
    metrics_register(metrics, sizeof(metrics) / sizeof(metrics[0]));
}

void http_refusal_connections(const char *server, double change)
{
    metric_add(&metrics[0], change, server, NULL, NULL);
}

void http_refusal_count(const char *server, const char *reason)
{
    metric_count(&metrics[1], server, reason, NULL);
}

void http_refusal_note(const struct http_refusal *self, const char *server,
                       const struct http_connection *connection,
                       const struct http_refusal_text *text)
{
    struct str peer = {connection->peer, connection->peer_len};

    http_refusal_count(server, self->reason);
    log_info("request refused", LOG_CSTR("request_id", text->request_id),
             LOG_NUMBER("http.status_code", self->status), LOG_CSTR("reason", self->reason),
             LOG_TEXT("network.client.ip", peer), LOG_CSTR("server", server));
}

/* A UUID of version 4 (RFC 9562 section 5.4). */
static void new_request_id(char *out, size_t bytes)
{
    struct buf text = buf_over(out, bytes - 1);
    struct uuid id = {{0}};

    (void)!getrandom(id.bytes, sizeof(id.bytes), GRND_NONBLOCK); /* unique enough for a log */
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    codec_uuid(&text, id);
    out[text.len] = '\0';
}

static struct str write_problem(const struct http_refusal *self, struct http_refusal_text *text)
{
    struct buf body = buf_over(text->body, sizeof(text->body));
    struct json_out json = json_out_to(&body);

    json_object(&json);
    json_member_str(&json, "type", STR("about:blank"));
    json_member_str(&json, "title", str_from(self->title));
    json_member_i64(&json, "status", self->status);
    json_member_str(&json, "detail", str_from(self->detail));
    json_member_str(&json, "code", str_from(self->code));
    json_member_str(&json, "request_id", str_from(text->request_id));
    json_object_end(&json);
    return buf_str(&body);
}

void http_refusal_answer(const struct http_refusal *self, struct http_refusal_text *text,
                         struct http_response *out)
{
    new_request_id(text->request_id, sizeof(text->request_id));
    *out = (struct http_response){.status = self->status};
    out->body = write_problem(self, text);
    http_response_header(out, "Content-Type", STR("application/problem+json"));
    http_response_header(out, "Cache-Control", STR("no-store"));
    http_response_header(out, "X-Content-Type-Options", STR("nosniff"));
    http_response_header(out, "X-Request-Id", str_from(text->request_id));
    http_response_header(out, "Connection", STR("close"));
    if (self->status == 503) {
        http_response_header(out, "Retry-After", STR("1"));
    }
}

/* RFC 9110 section 5.6.7. The service never sets a locale: the names are English. */
static void append_date(struct buf *message)
{
    time_t now = (time_t)clock_wall_s();
    struct tm utc;
    char date[64];

    gmtime_r(&now, &utc);
    if (strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0) {
        buf_printf(message, "Date: %s\r\n", date);
    }
}

size_t http_refusal_message(const struct http_refusal *self, struct http_refusal_text *text,
                            char out[HTTP_REFUSAL_MESSAGE_BYTES_MAX])
{
    struct buf message = buf_over(out, HTTP_REFUSAL_MESSAGE_BYTES_MAX);
    struct http_response answer;

    http_refusal_answer(self, text, &answer);
    buf_printf(&message, "HTTP/1.1 %d %s\r\n", self->status, self->title);
    append_date(&message);
    for (size_t i = 0; i < answer.header_count; i++) {
        buf_printf(&message, "%s: %.*s\r\n", answer.headers[i].name,
                   STR_ARG(answer.headers[i].value));
    }
    buf_printf(&message, "Content-Length: %zu\r\n\r\n%.*s", answer.body.len, STR_ARG(answer.body));
    return message.overflowed ? 0 : message.len;
}
