/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_link.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "clock.h"
#include "crypto.h"
#include "pg_lookup.h"

enum { PG_LOOKS_MAX = 8, PG_YIELD_MS_MIN = 5, PG_YIELD_MS_SPREAD = 16 };

static int pg_link_left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();

    if (left <= 0) {
        return 0;
    }
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* False at the deadline. */
static bool pg_link_wait(const struct pg *self, short events, int64_t deadline_ms)
{
    struct pollfd fd = {.fd = PQsocket(self->conn), .events = events};

    for (;;) {
        int ready = poll(&fd, 1, pg_link_left_ms(deadline_ms));

        if (ready > 0) {
            return true;
        }
        if (ready == 0 && clock_mono_ms() >= deadline_ms) {
            return false;
        }
        assert(ready == 0 || errno == EINTR || errno == EAGAIN);
    }
}

/* One line, printable. */
static void pg_link_note(struct pg *self, const char *sqlstate, const char *message)
{
    snprintf(self->sqlstate, sizeof self->sqlstate, "%s", sqlstate);
    snprintf(self->message, sizeof self->message, "%s%s%s", sqlstate,
             sqlstate[0] == '\0' ? "" : " ", message);
    for (char *c = self->message; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ') {
            *c = ' ';
        }
    }
}

/* While no attempt to connect is due, the last one's failure is still why a call fails. */
void pg_link_forget(struct pg *self)
{
    if (self->conn == NULL && !pg_link_due(self)) {
        return;
    }
    self->sqlstate[0] = '\0';
    self->constraint[0] = '\0';
    self->message[0] = '\0';
}

/* A refused start has no result to ask, only text: "FATAL:  28P01: password authentication …",
 * with a line a host. The last one counts. */
static void pg_link_sqlstate_of(const char *message, char out[PG_SQLSTATE_BYTES + 1])
{
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    out[0] = '\0';
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        if (strspn(at + 3, set) == PG_SQLSTATE_BYTES && at[3 + PG_SQLSTATE_BYTES] == ':') {
            memcpy(out, at + 3, PG_SQLSTATE_BYTES);
            out[PG_SQLSTATE_BYTES] = '\0';
        }
    }
}

void pg_link_close(struct pg *self)
{
    PQfinish(self->conn); /* its farewell does not wait: the socket is non-blocking */
    self->conn = NULL;
    self->doomed = false;
}

enum error pg_link_lost(struct pg *self, const char *what)
{
    const char *message = self->conn == NULL ? "" : PQerrorMessage(self->conn);
    char sqlstate[PG_SQLSTATE_BYTES + 1];

    pg_link_sqlstate_of(message, sqlstate);
    if (what == NULL) {
        what = message[0] == '\0' ? "the connection to PostgreSQL is lost" : message;
    }
    pg_link_note(self, sqlstate, what);
    pg_link_close(self);
    return ERR_UNAVAILABLE;
}

static bool pg_link_is(const char *sqlstate, const char *prefix)
{
    return strncmp(sqlstate, prefix, strlen(prefix)) == 0;
}

/* The server or its host goes away, or it became a reader. */
static bool pg_link_is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) {
        return true;
    }
    return sqlstate == NULL || pg_link_is(sqlstate, "08") || pg_link_is(sqlstate, "57P") ||
           pg_link_is(sqlstate, "25006");
}

static enum error pg_link_error_of(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum error error;
    } rows[] = {
        {"23505", ERR_CONFLICT},    {"US001", ERR_NO_MATCH},    {"53", ERR_UNAVAILABLE},
        {"57014", ERR_UNAVAILABLE}, {"40001", ERR_UNAVAILABLE}, {"40P01", ERR_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (pg_link_is(sqlstate, rows[i].prefix)) {
            return rows[i].error;
        }
    }
    return ERR_INTERNAL;
}

enum error pg_link_judge(struct pg *self, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    enum error error;

    pg_link_note(self, sqlstate == NULL ? "" : sqlstate,
                 message == NULL ? PQresultErrorMessage(result) : message);
    if (pg_link_is_fatal(result)) {
        self->doomed = true; /* closed when all was read */
        return ERR_UNAVAILABLE;
    }
    error = pg_link_error_of(self->sqlstate);
    if (error == ERR_CONFLICT) {
        snprintf(self->constraint, sizeof self->constraint, "%s",
                 constraint == NULL ? "" : constraint);
    }
    return error;
}

/* Notices are nobody's business, but one that ends the connection is. */
static void pg_link_notice(void *pointer, const PGresult *result)
{
    struct pg *self = pointer;

    if (PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL && pg_link_is_fatal(result)) {
        self->doomed = true;
    }
}

void pg_link_look(struct pg *self)
{
    bool lost = false;

    for (int i = 0; self->conn != NULL && !lost && i < PG_LOOKS_MAX; i++) {
        if (!pg_link_wait(self, POLLIN, 0)) {
            break;
        }
        lost = PQconsumeInput(self->conn) == 0;
        (void)PQisBusy(self->conn); /* parses what came: notices, last words */
        lost = lost || PQstatus(self->conn) == CONNECTION_BAD;
    }
    if (lost || self->doomed) {
        pg_link_close(self);
    }
}

static enum error pg_link_poll(struct pg *self)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING; /* as PQconnectStart's manual says */

    while (status != PGRES_POLLING_OK) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;

        if (status == PGRES_POLLING_FAILED) {
            return pg_link_lost(self, NULL);
        }
        if (!pg_link_wait(self, events, self->deadline_ms)) {
            return pg_link_lost(self, "no connection to PostgreSQL by the deadline");
        }
        status = PQconnectPoll(self->conn);
    }
    return OK;
}

static enum error pg_link_attempt(struct pg *self, const struct pg_hosts *hosts,
                                  const struct pg_host *host)
{
    struct pg_settings settings;

    pg_hosts_settle(hosts, host, &self->options, &settings);
    self->conn = PQconnectStartParams(settings.names, settings.values, 0);
    if (self->conn == NULL || PQstatus(self->conn) == CONNECTION_BAD) {
        return pg_link_lost(self, NULL);
    }
    PQsetErrorVerbosity(self->conn, PQERRORS_VERBOSE); /* for the SQLSTATE, see above */
    PQsetNoticeReceiver(self->conn, pg_link_notice, self);
    TRY(pg_link_poll(self));
    if (PQsetnonblocking(self->conn, 1) != 0 || PQenterPipelineMode(self->conn) != 1) {
        return pg_link_lost(self, NULL);
    }
    return OK;
}

/* An equal part for each that is still to be tried, so that a silent one leaves time for the next. */
static int64_t pg_link_share_ms(int64_t deadline_ms, size_t count)
{
    int64_t now_ms = clock_mono_ms();

    return deadline_ms <= now_ms ? deadline_ms : now_ms + (deadline_ms - now_ms) / (int64_t)count;
}

/* Whoever reads the message should hear of it, and not that the next host was silent; libpq goes no
 * further then either. */
static bool pg_link_is_refusal(const struct pg *self)
{
    return pg_link_is(self->sqlstate, "28") || pg_link_is(self->sqlstate, "3D");
}

/* The TLS certificate is still checked against the name, if one is. */
static enum error pg_link_by_name(struct pg *self, const struct pg_hosts *hosts, size_t index)
{
    int64_t deadline_ms = self->deadline_ms;
    struct pg_host host = hosts->list[index];
    struct pg_addresses found;
    enum error error;

    error = pg_lookup_run(&self->lookups[index], host.name, deadline_ms, &found);
    if (error != OK) {
        return pg_link_lost(self, error == ERR_NOT_FOUND
                                      ? "no address is found for the name of the database's host"
                                      : "the name of the database's host is not looked up in time");
    }
    error = ERR_UNAVAILABLE;
    for (size_t i = 0; i < found.count && error != OK && !pg_link_is_refusal(self); i++) {
        host.address = found.list[i];
        self->deadline_ms = pg_link_share_ms(deadline_ms, found.count - i);
        error = pg_link_attempt(self, hosts, &host);
    }
    self->deadline_ms = deadline_ms;
    return error;
}

static enum error pg_link_to(struct pg *self, const struct pg_hosts *hosts, size_t index)
{
    const struct pg_host *host = &hosts->list[index];

    return pg_lookup_is_needed(host) ? pg_link_by_name(self, hosts, index)
                                     : pg_link_attempt(self, hosts, host);
}

/* Begins with the host that worked last, or after the one that did not. */
static enum error pg_link_round(struct pg *self, const struct pg_hosts *hosts)
{
    int64_t deadline_ms = self->deadline_ms;
    enum error error = ERR_UNAVAILABLE;

    for (size_t left = hosts->count; left > 0 && error != OK; left--) {
        self->deadline_ms = pg_link_share_ms(deadline_ms, left);
        error = pg_link_to(self, hosts, self->host % hosts->count);
        self->host += error == OK ? 0 : 1;
        if (pg_link_is_refusal(self)) {
            break;
        }
    }
    self->deadline_ms = deadline_ms;
    return error;
}

enum error pg_link_connect(struct pg *self)
{
    struct pg_hosts hosts;
    enum error error;

    pg_link_forget(self);
    if (pg_hosts_parse(self->options.url, &hosts) != OK) {
        return pg_link_lost(self, "the database URL is no libpq URI or conninfo string");
    }
    error = pg_link_round(self, &hosts);
    pg_hosts_free(&hosts);
    if (error == OK) {
        pg_link_forget(self); /* what other hosts said */
    }
    return error;
}

bool pg_link_due(const struct pg *self)
{
    return clock_mono_ms() >= self->retry_at_ms;
}

/* Full jitter over the upper half: replicas that lost the same server do not return in step. */
void pg_link_tried(struct pg *self, bool ok)
{
    int64_t pause_ms = PG_BACKOFF_MS_MIN;
    uint16_t random;

    if (ok) {
        self->failures = 0;
        self->retry_at_ms = 0;
        return;
    }
    for (unsigned i = 0; i < self->failures && pause_ms < PG_BACKOFF_MS_MAX; i++) {
        pause_ms *= 2;
    }
    if (pause_ms > PG_BACKOFF_MS_MAX) {
        pause_ms = PG_BACKOFF_MS_MAX;
    }
    self->failures++;
    crypto_random(&random, sizeof random);
    self->retry_at_ms = clock_mono_ms() + pause_ms / 2 + random % (pause_ms / 2 + 1);
}

void pg_link_yield(const struct pg *self)
{
    int left_ms = pg_link_left_ms(self->deadline_ms);
    uint16_t random;
    int pause_ms;

    crypto_random(&random, sizeof random);
    pause_ms = PG_YIELD_MS_MIN + random % PG_YIELD_MS_SPREAD;
    (void)poll(NULL, 0, pause_ms < left_ms ? pause_ms : left_ms);
}

static enum error pg_link_late(struct pg *self)
{
    return pg_link_lost(self, "PostgreSQL did not answer by the deadline");
}

enum error pg_link_flush(struct pg *self)
{
    int left;

    while ((left = PQflush(self->conn)) > 0) {
        /* Answers are taken in meanwhile, else both sides could wait for the other to read. */
        if (!pg_link_wait(self, POLLIN | POLLOUT, self->deadline_ms)) {
            return pg_link_late(self);
        }
        if (PQconsumeInput(self->conn) == 0) {
            return pg_link_lost(self, NULL);
        }
    }
    return left == 0 ? OK : pg_link_lost(self, NULL);
}

enum error pg_link_next(struct pg *self, PGresult **out)
{
    while (PQisBusy(self->conn) != 0) {
        if (!pg_link_wait(self, POLLIN, self->deadline_ms)) {
            return pg_link_late(self);
        }
        if (PQconsumeInput(self->conn) == 0) {
            break; /* the server's last words may be among what was read before */
        }
    }
    *out = PQgetResult(self->conn);
    return OK;
}
