/* SPDX-License-Identifier: Apache-2.0 */
#include "dev.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "dev_environment.h"
#include "dev_network.h"
#include "dev_output.h"
#include "dev_postgres.h"
#include "dev_secrets.h"
#include "log.h"
#include "secrets.h"

enum {
    API_PORT = 8000,
    OPS_PORT = 9000,
    INBOX_PORT = 8025,
    PORT_MAX = 65535,
    READY_MS = 60000,
    READY_POLL_MS = 20,
    STOP_MS = 30000,
    IDLE_POLL_MS = 1000,
    ARENA_BYTES = 64 * 1024,
    EXIT_USAGE = 2,
};

struct options {
    const char *data;
    unsigned port; /* 0: not given */
    bool is_json;
};

struct dev {
    struct options options;
    struct dev_path folder;
    struct dev_path service_log;
    struct dev_path program;
    int log_fd;
    unsigned api_port;
    unsigned ops_port;
    struct dev_postgres postgres; /* not started where the caller gives a database */
    struct inbox *inbox;
    struct dev_child service;
    sigset_t signals;
};

static NODISCARD enum error parse_port(const char *text, unsigned *out)
{
    uint64_t port;

    if (str_to_u64(str_from(text), &port) != OK || port == 0 || port > PORT_MAX) {
        (void)fprintf(stderr, "user-service dev: --port takes 1 to 65535, got \"%s\"\n", text);
        return ERR_CONFIG;
    }
    *out = (unsigned)port;
    return OK;
}

static NODISCARD enum error parse_options(int argc, char **argv, struct options *out)
{
    static const struct option known[] = {
        {"data", required_argument, NULL, 'd'},
        {"port", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.data = ".local"};

    optind = 1;
    for (int option = 0; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == '?') { /* getopt has said what is wrong */
            return ERR_CONFIG;
        }
        if (option == 'd') {
            options.data = optarg;
        }
        if (option == 'j') {
            options.is_json = true;
        }
        if (option == 'p') {
            TRY(parse_port(optarg, &options.port));
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "user-service dev: takes no argument \"%s\"; see --help\n",
                      argv[optind]);
        return ERR_CONFIG;
    }
    *out = options;
    return OK;
}

static NODISCARD enum error take_folder(struct dev *self)
{
    struct dev_path lock;
    enum error error;

    TRY(dev_files_folder(self->options.data, &self->folder));
    lock = dev_files_path("%s/lock", self->folder.text);
    error = dev_files_lock(lock.text);
    if (error == ERR_CONFLICT) {
        (void)fprintf(stderr,
                      "user-service dev: another one runs with the data in %s: stop it, or choose "
                      "another folder with --data\n",
                      self->folder.text);
    }
    return error;
}

struct listener {
    const char *variable;
    const char *name;
    const char *remedy;
};

static NODISCARD enum error require_port(const struct listener *listener, unsigned *out)
{
    unsigned port = dev_environment_port(listener->variable);

    if (port == 0) {
        (void)fprintf(stderr,
                      "user-service dev: %s takes an address with a port of 1 to 65535, such as "
                      "127.0.0.1:8100, got \"%s\"\n",
                      listener->variable, dev_environment_get(listener->variable));
        return ERR_CONFIG;
    }
    if (!dev_network_is_free(port)) {
        (void)fprintf(stderr,
                      "user-service dev: port %u for the %s is taken by another program: choose "
                      "one with %s\n",
                      port, listener->name, listener->remedy);
        return ERR_CONFIG;
    }
    *out = port;
    return OK;
}

/* The listeners first, as the other settings name their ports. */
static NODISCARD enum error choose_ports(struct dev *self)
{
    static const struct listener api = {"US_HTTP_LISTEN", "API", "--port N"};
    static const struct listener ops = {"US_OPS_LISTEN", "operations listener",
                                        "US_OPS_LISTEN=127.0.0.1:N"};

    if (self->options.port != 0) {
        dev_environment_set(api.variable, "127.0.0.1:%u", self->options.port);
    }
    dev_environment_default(api.variable, "127.0.0.1:%d", API_PORT);
    dev_environment_default(ops.variable, "127.0.0.1:%d", OPS_PORT);
    TRY(require_port(&api, &self->api_port));
    return require_port(&ops, &self->ops_port);
}

static void set_environment(const struct dev *self)
{
    const char *folder = self->folder.text;

    dev_environment_default("US_PUBLIC_URL", "http://127.0.0.1:%u", self->api_port);
    dev_environment_default("US_AUDIENCE", "%s", "mallhive");
    dev_environment_default("US_CORS_ORIGINS", "%s",
                            "http://localhost:3000,http://localhost:5173,http://localhost:8080");
    dev_environment_default("US_JWT_SECRET", "file:%s/jwt.json", folder);
    dev_environment_default("US_KEYRING_SECRET", "file:%s/keyring.json", folder);
    dev_environment_default("US_WEBHOOK_SECRET", "file:%s/webhook.json", folder);
    dev_environment_default("US_PAGES", "%s", "on");
    dev_environment_default("US_DOCS", "%s", "on");
}

static NODISCARD enum error start_postgres(struct dev *self)
{
    if (dev_environment_get("US_DATABASE_URL") != NULL) {
        return OK;
    }
    TRY(dev_postgres_start(self->folder.text, &self->postgres));
    dev_environment_set("US_DATABASE_URL", "%s", self->postgres.url);
    return OK;
}

static void mail_arrived(void *context, const struct inbox_mail *mail)
{
    (void)context;
    dev_output_mail(mail);
}

static NODISCARD enum error start_inbox(struct dev *self)
{
    static unsigned char memory[ARENA_BYTES];
    struct inbox_options options = {.port = INBOX_PORT, .on_mail = mail_arrived};
    const char *why = "";
    struct arena arena;
    struct str content;
    enum error error;

    arena_init(&arena, memory, sizeof(memory));
    error = secret_read(&arena, str_from(dev_environment_get("US_WEBHOOK_SECRET")), &content, &why);
    if (error == OK) {
        error = webhook_secrets_parse(&arena, content, &options.secrets, &why);
    }
    if (error == OK) {
        error = inbox_start(&options, &self->inbox, &why);
    }
    if (error != OK) {
        (void)fprintf(stderr, "user-service dev: the inbox did not start: %s\n", why);
    }
    webhook_secrets_wipe(&options.secrets);
    arena_reset(&arena);
    return error;
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

static NODISCARD enum error start_service(struct dev *self)
{
    struct dev_path program = own_program();
    char *arguments[] = {(char[]){"user-service"}, (char[]){"serve"}, NULL};
    const struct dev_child_options options = {
        .name = "the service",
        .program = program.text,
        .argv = arguments,
        .envp = dev_environment_all(),
        .output_fd = self->log_fd,
        .death_signal = SIGTERM,
        .identity = {.kind = DEV_IDENTITY_SAME},
    };

    return dev_child_start(&options, &self->service);
}

/* The number of one of our signals, or 0 after the time. */
static int next_signal(const struct dev *self, int64_t timeout_ms)
{
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = (timeout_ms % 1000) * 1000000};
    int number = sigtimedwait(&self->signals, NULL, &timeout);

    return number < 0 ? 0 : number;
}

static bool report_end(struct dev_child *child, const char *log)
{
    const char *name = child->name;
    int status;

    if (!dev_child_ended(child, &status)) {
        return false;
    }
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "user-service dev: %s was ended by signal %d (%s)\n", name,
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        (void)fprintf(stderr, "user-service dev: %s ended with exit status %d\n", name,
                      WEXITSTATUS(status));
    }
    dev_files_tail(log);
    return true;
}

static bool has_child_ended(struct dev *self)
{
    return report_end(&self->service, self->service_log.text) ||
           report_end(&self->postgres.server, self->postgres.log.text);
}

/* ERR_NOT_FOUND: stopped by a signal meanwhile. */
static NODISCARD enum error wait_ready(struct dev *self)
{
    int64_t deadline_ms = clock_mono_ms() + READY_MS;

    while (!dev_network_is_ready(self->ops_port)) {
        int number = next_signal(self, READY_POLL_MS);
        if (has_child_ended(self)) {
            return ERR_IO;
        }
        if (number != 0 && number != SIGCHLD) {
            return ERR_NOT_FOUND;
        }
        if (clock_mono_ms() > deadline_ms) {
            (void)fprintf(stderr, "user-service dev: the service is not ready after %d s\n",
                          READY_MS / 1000);
            dev_files_tail(self->service_log.text);
            return ERR_IO;
        }
    }
    return OK;
}

static void print_places(const struct dev *self)
{
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", self->api_port);
    dev_output_place("api", url);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", inbox_port(self->inbox));
    dev_output_place("inbox", url);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", self->ops_port);
    dev_output_place("ops", url);
    dev_output_place("log", self->service_log.text);
}

static NODISCARD enum error start(struct dev *self)
{
    TRY(take_folder(self));
    TRY(choose_ports(self));
    self->service_log = dev_files_path("%s/service.log", self->folder.text);
    TRY(dev_files_log(self->service_log.text, &self->log_fd));
    log_start(LOG_INFO, "user-service-dev", USER_SERVICE_VERSION);
    log_to(self->log_fd);
    TRY(dev_secrets_make(self->folder.text));
    set_environment(self);
    TRY(start_postgres(self));
    TRY(start_inbox(self));
    dev_environment_default("US_NOTIFICATION_URL", "http://127.0.0.1:%u/events",
                            inbox_port(self->inbox));
    TRY(start_service(self));
    TRY(wait_ready(self));
    print_places(self);
    return OK;
}

/* Until a signal asks to stop (OK) or a child ends by itself. */
static NODISCARD enum error supervise(struct dev *self)
{
    for (;;) {
        int number = next_signal(self, IDLE_POLL_MS);
        if (has_child_ended(self)) {
            return ERR_IO;
        }
        if (number != 0 && number != SIGCHLD) {
            return OK;
        }
    }
}

static void stop(struct dev *self)
{
    dev_child_stop(&self->service, SIGTERM, STOP_MS);
    if (self->inbox != NULL) {
        inbox_stop(self->inbox);
    }
    dev_postgres_stop(&self->postgres);
}

static void block_signals(struct dev *self)
{
    struct sigaction hang_up;

    (void)sigemptyset(&self->signals);
    (void)sigaddset(&self->signals, SIGINT);
    (void)sigaddset(&self->signals, SIGTERM);
    /* Under nohup it is ignored, but waiting for it would see it all the same. */
    if (sigaction(SIGHUP, NULL, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) {
        (void)sigaddset(&self->signals, SIGHUP);
    }
    (void)sigaddset(&self->signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &self->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int dev_main(int argc, char **argv)
{
    static struct dev self;
    enum error error = parse_options(argc, argv, &self.options);

    if (error != OK) {
        return EXIT_USAGE;
    }
    dev_output_start(self.options.is_json);
    block_signals(&self);
    error = start(&self);
    if (error == OK) {
        error = supervise(&self);
    }
    stop(&self);
    return error == OK || error == ERR_NOT_FOUND ? EXIT_SUCCESS : EXIT_FAILURE;
}
