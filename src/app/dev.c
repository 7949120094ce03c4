/* SPDX-License-Identifier: Apache-2.0 */
#include "dev.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "dev_environment.h"
#include "dev_output.h"
#include "dev_postgres.h"
#include "dev_replicas.h"
#include "dev_secrets.h"
#include "log.h"
#include "secrets.h"

enum {
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
    unsigned replicas;
    bool is_json;
};

struct dev {
    struct options options;
    struct dev_path folder;
    struct dev_path note;         /* names the database to commands */
    struct dev_postgres postgres; /* not started where the caller gives a database */
    struct inbox *inbox;
    struct dev_replicas replicas;
    sigset_t signals;
};

static NODISCARD enum error parse_number(const char *option, const char *text, unsigned max,
                                         unsigned *out)
{
    uint64_t number;

    if (str_to_u64(str_from(text), &number) != OK || number == 0 || number > max) {
        (void)fprintf(stderr, "user-service dev: %s takes 1 to %u, got \"%s\"\n", option, max,
                      text);
        return ERR_CONFIG;
    }
    *out = (unsigned)number;
    return OK;
}

static NODISCARD enum error parse_options(int argc, char **argv, struct options *out)
{
    static const struct option known[] = {
        {"data", required_argument, NULL, 'd'},
        {"port", required_argument, NULL, 'p'},
        {"replicas", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.data = ".local", .replicas = 1};

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
            TRY(parse_number("--port", optarg, PORT_MAX, &options.port));
        }
        if (option == 'r') {
            TRY(parse_number("--replicas", optarg, DEV_REPLICAS_MAX, &options.replicas));
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
    TRY(error);
    self->note = dev_files_path("%s/" DEV_FILES_DATABASE, self->folder.text);
    (void)unlink(self->note.text); /* of one that was killed */
    return OK;
}

static void set_environment(const struct dev *self)
{
    const char *folder = self->folder.text;

    dev_environment_default("US_PUBLIC_URL", "http://127.0.0.1:%u",
                            self->replicas.items[0].api_port);
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
    TRY(dev_postgres_start(self->folder.text, dev_replicas_connections(&self->replicas),
                           &self->postgres));
    dev_environment_set("US_DATABASE_URL", "%s", self->postgres.url);
    return dev_files_write(self->note.text, str_from(self->postgres.url));
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

    while (dev_replicas_use_port(&self->replicas, options.port)) {
        options.port++;
    }
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

/* The number of one of our signals, or 0 after the time. */
static int next_signal(const struct dev *self, int64_t timeout_ms)
{
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = (timeout_ms % 1000) * 1000000};
    int number = sigtimedwait(&self->signals, NULL, &timeout);

    return number < 0 ? 0 : number;
}

static bool has_child_ended(struct dev *self)
{
    return dev_replicas_have_ended(&self->replicas) ||
           dev_child_report_end(&self->postgres.server, self->postgres.log.text);
}

/* ERR_NOT_FOUND: stopped by a signal meanwhile. */
static NODISCARD enum error wait_ready(struct dev *self)
{
    int64_t deadline_ms = clock_mono_ms() + READY_MS;

    while (!dev_replicas_are_ready(&self->replicas)) {
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
            dev_replicas_show_logs(&self->replicas);
            return ERR_IO;
        }
    }
    return OK;
}

static void print_port(const char *name, unsigned port)
{
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    dev_output_place(name, url);
}

static void print_places(const struct dev *self)
{
    const struct dev_replicas *replicas = &self->replicas;

    for (unsigned i = 0; i < replicas->count; i++) {
        print_port("api", replicas->items[i].api_port);
    }
    print_port("inbox", inbox_port(self->inbox));
    for (unsigned i = 0; i < replicas->count; i++) {
        print_port("ops", replicas->items[i].ops_port);
    }
    for (unsigned i = 0; i < replicas->count; i++) {
        dev_output_place("log", replicas->items[i].log.text);
    }
}

static NODISCARD enum error start(struct dev *self)
{
    TRY(take_folder(self));
    TRY(dev_replicas_plan(&self->replicas, self->options.replicas, self->options.port));
    TRY(dev_replicas_open_logs(&self->replicas, self->folder.text));
    log_start(LOG_INFO, "user-service-dev", USER_SERVICE_VERSION);
    log_to(self->replicas.items[0].log_fd);
    TRY(dev_secrets_make(self->folder.text));
    set_environment(self);
    TRY(start_postgres(self));
    TRY(start_inbox(self));
    dev_environment_default("US_NOTIFICATION_URL", "http://127.0.0.1:%u/events",
                            inbox_port(self->inbox));
    TRY(dev_replicas_start(&self->replicas));
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
    dev_replicas_stop(&self->replicas, STOP_MS);
    if (self->inbox != NULL) {
        inbox_stop(self->inbox);
    }
    if (self->note.text[0] != '\0') {
        (void)unlink(self->note.text);
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
