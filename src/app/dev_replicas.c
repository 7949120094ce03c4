/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_replicas.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "dev_environment.h"
#include "dev_network.h"

enum {
    API_PORT = 8000,
    OPS_PORT = 9000,
    PORT_MAX = 65535,
    DB_THREADS = 8,         /* default of US_DB_THREADS */
    THREADS_MAX = 64,       /* most that US_DB_THREADS and US_HASH_THREADS take */
    OTHER_CONNECTIONS = 10, /* relay, mailroom, janitor, feed and the like */
};

struct listener {
    const char *variable;
    const char *name;
    const char *remedy;
};

static const struct listener api_listener = {"US_HTTP_LISTEN", "API", "--port N"};
static const struct listener ops_listener = {"US_OPS_LISTEN", "operations listener",
                                             "US_OPS_LISTEN=127.0.0.1:N"};

static NODISCARD enum error require_port(const struct listener *listener, unsigned port)
{
    if (port > PORT_MAX) {
        (void)fprintf(stderr,
                      "user-service dev: the replicas' ports for the %s go up to %u, above %d: "
                      "choose a lower first one with %s\n",
                      listener->name, port, PORT_MAX, listener->remedy);
        return ERR_CONFIG;
    }
    if (!dev_network_is_free(port)) {
        (void)fprintf(stderr,
                      "user-service dev: port %u for the %s is taken by another program: choose "
                      "one with %s\n",
                      port, listener->name, listener->remedy);
        return ERR_CONFIG;
    }
    return OK;
}

static NODISCARD enum error first_port(const struct listener *listener, unsigned *out)
{
    unsigned port = dev_environment_port(listener->variable);

    if (port == 0) {
        (void)fprintf(stderr,
                      "user-service dev: %s takes an address with a port of 1 to 65535, such as "
                      "127.0.0.1:8100, got \"%s\"\n",
                      listener->variable, dev_environment_get(listener->variable));
        return ERR_CONFIG;
    }
    *out = port;
    return OK;
}

static NODISCARD enum error check_ports(const struct dev_replicas *self)
{
    unsigned api = self->items[0].api_port;
    unsigned ops = self->items[0].ops_port;

    for (unsigned i = 0; i < self->count; i++) {
        TRY(require_port(&api_listener, api + i));
        TRY(require_port(&ops_listener, ops + i));
    }
    if (api < ops + self->count && ops < api + self->count) {
        (void)fprintf(stderr,
                      "user-service dev: the replicas' API ports from %u and operations ports from "
                      "%u on overlap: choose others with --port N or %s\n",
                      api, ops, ops_listener.remedy);
        return ERR_CONFIG;
    }
    return OK;
}

NODISCARD enum error dev_replicas_plan(struct dev_replicas *self, unsigned count, unsigned port)
{
    unsigned api;
    unsigned ops;

    if (port != 0) {
        dev_environment_set(api_listener.variable, "127.0.0.1:%u", port);
    }
    dev_environment_default(api_listener.variable, "127.0.0.1:%d", API_PORT);
    dev_environment_default(ops_listener.variable, "127.0.0.1:%d", OPS_PORT);
    TRY(first_port(&api_listener, &api));
    TRY(first_port(&ops_listener, &ops));
    self->count = count;
    for (unsigned i = 0; i < count; i++) {
        struct dev_replica *replica = &self->items[i];

        (void)snprintf(replica->name, sizeof(replica->name),
                       count == 1 ? "the service" : "replica %u", i);
        replica->api_port = api + i;
        replica->ops_port = ops + i;
    }
    return check_ports(self);
}

bool dev_replicas_use_port(const struct dev_replicas *self, unsigned port)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (self->items[i].api_port == port || self->items[i].ops_port == port) {
            return true;
        }
    }
    return false;
}

/* What the variable says; `automatic` where it says nothing, 0 or nonsense, of which the service tells. */
static unsigned threads(const char *variable, unsigned automatic)
{
    uint64_t number;

    if (str_to_u64(str_from(dev_environment_get(variable)), &number) != OK || number == 0 ||
        number > THREADS_MAX) {
        return automatic;
    }
    return (unsigned)number;
}

unsigned dev_replicas_connections(const struct dev_replicas *self)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned hash = cpus < 1 ? 1 : cpus > THREADS_MAX ? THREADS_MAX : (unsigned)cpus;

    return self->count * (threads("US_DB_THREADS", DB_THREADS) + threads("US_HASH_THREADS", hash) +
                          OTHER_CONNECTIONS);
}

NODISCARD enum error dev_replicas_open_logs(struct dev_replicas *self, const char *folder)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct dev_replica *replica = &self->items[i];

        replica->log = i == 0 ? dev_files_path("%s/service.log", folder)
                              : dev_files_path("%s/service-%u.log", folder, i);
        TRY(dev_files_log(replica->log.text, &replica->log_fd));
    }
    return OK;
}

/* Its own path rather than /proc/self/exe, by which ps would name it. */
static struct dev_path own_program(void)
{
    struct dev_path path;
    ssize_t length = readlink("/proc/self/exe", path.text, sizeof(path.text) - 1);

    if (length < 0) {
        return dev_files_path("/proc/self/exe");
    }
    path.text[length] = '\0';
    return access(path.text, X_OK) == 0 ? path : dev_files_path("/proc/self/exe");
}

static NODISCARD enum error start_one(struct dev_replica *self)
{
    struct dev_path program = own_program();
    char *arguments[] = {(char[]){"user-service"}, (char[]){"serve"}, NULL};
    const struct dev_child_options options = {
        .name = self->name,
        .program = program.text,
        .argv = arguments,
        .envp = dev_environment_all(),
        .output_fd = self->log_fd,
        .death_signal = SIGTERM,
        .identity = {.kind = DEV_IDENTITY_SAME},
    };

    return dev_child_start(&options, &self->service);
}

NODISCARD enum error dev_replicas_start(struct dev_replicas *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (i > 0) { /* the first one's are as the caller wrote them */
            dev_environment_set_port(api_listener.variable, self->items[i].api_port);
            dev_environment_set_port(ops_listener.variable, self->items[i].ops_port);
        }
        TRY(start_one(&self->items[i]));
    }
    return OK;
}

bool dev_replicas_are_ready(struct dev_replicas *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct dev_replica *replica = &self->items[i];

        replica->is_ready = replica->is_ready || dev_network_is_ready(replica->ops_port);
        if (!replica->is_ready) {
            return false;
        }
    }
    return true;
}

bool dev_replicas_have_ended(struct dev_replicas *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (dev_child_report_end(&self->items[i].service, self->items[i].log.text)) {
            return true;
        }
    }
    return false;
}

void dev_replicas_show_logs(const struct dev_replicas *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (!self->items[i].is_ready) {
            dev_files_tail(self->items[i].log.text);
        }
    }
}

void dev_replicas_stop(struct dev_replicas *self, int64_t grace_ms)
{
    int64_t deadline_ms = clock_mono_ms() + grace_ms;

    for (unsigned i = 0; i < self->count; i++) {
        dev_child_signal(&self->items[i].service, SIGTERM);
    }
    for (unsigned i = 0; i < self->count; i++) {
        dev_child_join(&self->items[i].service, deadline_ms);
    }
}
