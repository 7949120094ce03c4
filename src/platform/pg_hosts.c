/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_hosts.h"

#include <assert.h>
#include <string.h>

#include <libpq-fe.h>

#include "pg_link.h"

static char *pg_hosts_value(const struct pg_hosts *self, const char *name)
{
    for (const PQconninfoOption *option = self->parsed; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, name) == 0) {
            return option->val;
        }
    }
    return NULL;
}

/* How many a comma-separated list names; 0: none given. */
static size_t pg_hosts_length(const char *list)
{
    size_t length = 1;

    if (list == NULL || list[0] == '\0') {
        return 0;
    }
    for (const char *comma = strchr(list, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        length++;
    }
    return length;
}

/* Splits in place. Of an empty list all are NULL, of a list of one all are the same. */
static void pg_hosts_split(char *list, size_t count, char *out[])
{
    size_t length = pg_hosts_length(list);

    for (size_t i = 0; i < count; i++) {
        out[i] = length == 0 ? NULL : length == 1 ? list : strsep(&list, ",");
    }
}

static bool pg_hosts_fits(size_t length, size_t count)
{
    return length == 0 || length == count;
}

/* Lists that do not fit each other are left whole, for libpq to say what is wrong. */
static void pg_hosts_list(struct pg_hosts *self)
{
    char *names = pg_hosts_value(self, "host");
    char *addresses = pg_hosts_value(self, "hostaddr");
    char *ports = pg_hosts_value(self, "port");
    size_t count = pg_hosts_length(addresses);
    char *split[3][PG_HOSTS_MAX];

    count = count == 0 ? pg_hosts_length(names) : count;
    self->count = 1;
    self->list[0] = (struct pg_host){names, addresses, ports};
    if (count > PG_HOSTS_MAX || !pg_hosts_fits(pg_hosts_length(names), count) ||
        (pg_hosts_length(ports) > 1 && pg_hosts_length(ports) != count) || count < 2) {
        return;
    }
    self->count = count;
    pg_hosts_split(names, count, split[0]);
    pg_hosts_split(addresses, count, split[1]);
    pg_hosts_split(ports, count, split[2]);
    for (size_t i = 0; i < count; i++) {
        self->list[i] = (struct pg_host){split[0][i], split[1][i], split[2][i]};
    }
}

enum error pg_hosts_parse(const char *url, struct pg_hosts *out)
{
    void *parsed = PQconninfoParse(url, NULL);

    if (parsed == NULL) {
        return ERR_CONFIG;
    }
    *out = (struct pg_hosts){.parsed = parsed};
    pg_hosts_list(out);
    return OK;
}

void pg_hosts_free(struct pg_hosts *self)
{
    PQconninfoFree(self->parsed);
    self->parsed = NULL;
}

static void pg_hosts_set(struct pg_settings *self, const char *name, const char *value)
{
    assert(self->count < PG_SETTINGS_MAX);
    self->names[self->count] = name;
    self->values[self->count++] = value; /* libpq passes over NULL and "" */
}

static bool pg_hosts_is_place(const char *name)
{
    return strcmp(name, "host") == 0 || strcmp(name, "hostaddr") == 0 || strcmp(name, "port") == 0;
}

/* The URL may say otherwise about what stands before it, and may not about what stands behind. */
void pg_hosts_settle(const struct pg_hosts *self, const struct pg_host *host,
                     const struct pg_options *options, struct pg_settings *out)
{
    *out = (struct pg_settings){.count = 0};
    pg_hosts_set(out, "target_session_attrs", "read-write"); /* not what a failover made a reader */
    pg_hosts_set(out, "gssencmode", "disable"); /* or libpq looks for Kerberos tickets first */
    pg_hosts_set(out, "keepalives_idle", "10");
    pg_hosts_set(out, "keepalives_interval", "2");
    pg_hosts_set(out, "keepalives_count", "3");
    pg_hosts_set(out, "tcp_user_timeout", PG_LOST_MS_TEXT);
    for (const PQconninfoOption *option = self->parsed; option->keyword != NULL; option++) {
        if (option->val != NULL && !pg_hosts_is_place(option->keyword)) {
            pg_hosts_set(out, option->keyword, option->val);
        }
    }
    pg_hosts_set(out, "host", host->name);
    pg_hosts_set(out, "hostaddr", host->address);
    pg_hosts_set(out, "port", host->port);
    pg_hosts_set(out, "user", options->user);
    pg_hosts_set(out, "password", options->password);
    pg_hosts_set(out, "application_name", options->application_name);
    pg_hosts_set(out, "client_encoding", "UTF8");
}
