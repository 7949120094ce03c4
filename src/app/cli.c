/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "cli_commands.h"
#include "crypto.h"
#include "dev.h"
#include "healthcheck.h"
#include "json_in.h"
#include "routes.h"

enum { EXIT_USAGE = 2, TEXT_BYTES_MAX = 65536 };

static char text[TEXT_BYTES_MAX]; /* what a command prints */

struct command {
    const char *name;
    const char *summary;
    const char *help;                  /* usage and examples */
    int (*run)(int argc, char **argv); /* arguments behind the command's name */
};

static int print(const struct buf *out)
{
    if (out->overflowed || fwrite(out->ptr, 1, out->len, stdout) != out->len) {
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int misunderstood(const char *argument)
{
    (void)fprintf(stderr, "user-service: \"%s\" is no option of this command; see --help\n",
                  argument);
    return EXIT_USAGE;
}

static void print_problems(const char *prefix, struct str lines)
{
    while (lines.len > 0) {
        struct str line = str_cut(&lines, '\n');

        (void)fprintf(stderr, "user-service: %s%.*s\n", prefix, STR_ARG(line));
    }
}

/* What is done with a variable that nobody knows. */
enum unknown_variables { UNKNOWN_WARN, UNKNOWN_REFUSE, UNKNOWN_LOG };

static void log_unknown(const struct config *config, struct str lines)
{
    log_start(config->log_level, "user-service", USER_SERVICE_VERSION);
    while (lines.len > 0) {
        log_warn("unknown variable", LOG_TEXT("variable", str_cut(&lines, '\n')));
    }
}

static bool load_config(struct config *config, enum unknown_variables mode)
{
    static char problem_memory[8192];
    static char unknown_memory[4096];
    struct buf problems = buf_over(problem_memory, sizeof(problem_memory));
    struct buf unknown = buf_over(unknown_memory, sizeof(unknown_memory));
    bool good = config_load(config, &problems, &unknown) == OK;

    if (good && mode == UNKNOWN_LOG) {
        log_unknown(config, buf_str(&unknown));
    } else {
        print_problems(mode == UNKNOWN_REFUSE ? "" : "warning: ", buf_str(&unknown));
    }
    print_problems("", buf_str(&problems));
    return good && !(mode == UNKNOWN_REFUSE && unknown.len > 0);
}

static int run_serve(int argc, char **argv)
{
    static struct config config;

    if (argc > 0) {
        return misunderstood(argv[0]);
    }
    return load_config(&config, UNKNOWN_LOG) ? app_serve(&config) : EXIT_FAILURE;
}

/* It reads its options with getopt, which begins behind a name. */
static int run_dev(int argc, char **argv)
{
    return dev_main(argc + 1, argv - 1);
}

static int run_migrate(int argc, char **argv)
{
    static struct config config;

    if (argc > 0) {
        return misunderstood(argv[0]);
    }
    return load_config(&config, UNKNOWN_WARN) ? app_migrate(&config) : EXIT_FAILURE;
}

static int run_check_config(int argc, char **argv)
{
    static struct config config;
    struct buf out = buf_over(text, sizeof(text));
    bool strict = false;
    bool json = false;
    bool good;

    for (int i = 0; i < argc; i++) {
        strict = strict || strcmp(argv[i], "--strict") == 0;
        json = json || strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--strict") != 0 && strcmp(argv[i], "--json") != 0) {
            return misunderstood(argv[i]);
        }
    }
    good = load_config(&config, strict ? UNKNOWN_REFUSE : UNKNOWN_WARN);
    if (json) {
        config_describe(&out);
        buf_append_byte(&out, '\n');
    } else {
        config_print(&out);
    }
    return print(&out) == EXIT_SUCCESS && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_routes(int argc, char **argv)
{
    struct buf out = buf_over(text, sizeof(text));

    if (argc > 0 && strcmp(argv[0], "--json") != 0) {
        return misunderstood(argv[0]);
    }
    if (argc > 0) {
        routes_describe(&out);
        buf_append_byte(&out, '\n');
        return print(&out);
    }
    for (size_t i = 0; i < routes_api.count; i++) {
        buf_printf(&out, "%-7s %s\n", http_method_name(routes_api.rows[i].method),
                   routes_api.rows[i].path);
    }
    return print(&out);
}

static int run_healthcheck(int argc, char **argv)
{
    static struct config config;

    if (argc > 0) {
        return misunderstood(argv[0]);
    }
    if (!load_config(&config, UNKNOWN_WARN)) {
        return EXIT_FAILURE;
    }
    if (healthcheck_ask(config.ops_listen) != OK) {
        (void)fprintf(stderr, "user-service: not ready\n");
        return EXIT_FAILURE;
    }
    (void)puts("ready");
    return EXIT_SUCCESS;
}

static int run_version(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "--json") != 0) {
        return misunderstood(argv[0]);
    }
    (void)printf(argc > 0 ? "{\"version\":\"%s\"}\n" : "user-service %s\n", USER_SERVICE_VERSION);
    return EXIT_SUCCESS;
}

static const struct command commands[] = {
    {"serve", "Serve the API; settings come from the environment.",
     "usage: user-service serve\n\n"
     "Migrates the database, then serves until SIGTERM. Settings are environment variables:\n"
     "docs/CONFIGURATION.md, or `user-service check-config`.\n\n"
     "example:\n"
     "  US_PUBLIC_URL=https://user.example.com US_AUDIENCE=shop \\\n"
     "  US_DATABASE_URL=postgresql://user_service@db.example.com/users?sslmode=verify-full \\\n"
     "  US_JWT_SECRET=file:/run/secrets/jwt.json US_KEYRING_SECRET=file:/run/secrets/keyring.json "
     "\\\n"
     "  US_WEBHOOK_SECRET=file:/run/secrets/webhook.json user-service serve\n",
     run_serve},
    {"dev", "The service with a private PostgreSQL and an inbox, for one's own machine.",
     "usage: user-service dev [--data DIR] [--port N] [--replicas N] [--json]\n\n"
     "Everything listens on 127.0.0.1; Ctrl-C stops all of it; a second start finds the data.\n"
     "--replicas N: as many processes (1 to 8) over one database, on port, port+1, and so on.\n\n"
     "examples:\n"
     "  user-service dev\n"
     "  user-service dev --data /tmp/try --port 8080\n"
     "  user-service dev --replicas 3\n",
     run_dev},
    {"migrate", "Bring the database schema up to date, then end.",
     "usage: user-service migrate\n\nexample:\n  user-service migrate && echo up to date\n",
     run_migrate},
    {"check-config", "Check the settings and print those in force.",
     "usage: user-service check-config [--strict] [--json]\n\n"
     "Looks at the environment alone. --strict refuses US_ variables that nobody knows.\n\n"
     "examples:\n"
     "  user-service check-config --strict\n"
     "  user-service check-config --json | jq '.[] | select(.set)'\n",
     run_check_config},
    {"routes", "List the API's routes.",
     "usage: user-service routes [--json]\n\nexample:\n  user-service routes --json\n", run_routes},
    {"healthcheck", "Ask the running service whether it is ready; exit status 0 if so.",
     "usage: user-service healthcheck\n\nexample:\n  user-service healthcheck || echo not yet\n",
     run_healthcheck},
    {"version", "Print the version.",
     "usage: user-service version [--json]\n\nexample:\n  user-service version\n", run_version},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* Each with sub-commands. */
static const struct tool_group *const tools[] = {&cli_user, &cli_client, &cli_keys, &cli_events};

enum { TOOLS = sizeof(tools) / sizeof(tools[0]) };

static int usage(FILE *out)
{
    (void)fprintf(out, "usage: user-service COMMAND [OPTION ...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        (void)fprintf(out, "  %-13s %s\n", commands[i].name, commands[i].summary);
    }
    for (size_t i = 0; i < TOOLS; i++) {
        (void)fprintf(out, "  %-13s %s\n", tools[i]->name, tools[i]->summary);
    }
    (void)fprintf(out, "\n`user-service COMMAND --help` shows options and examples.\n");
    return out == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int run(const struct command *command, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)printf("%s\n\n%s", command->summary, command->help);
            return EXIT_SUCCESS;
        }
    }
    return command->run(argc, argv);
}

int cli_run(int argc, char **argv)
{
    if (argc < 2) {
        return usage(stderr);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        return usage(stdout);
    }
    crypto_start();
    json_in_start();
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return run(&commands[i], argc - 2, argv + 2);
        }
    }
    for (size_t i = 0; i < TOOLS; i++) {
        if (strcmp(argv[1], tools[i]->name) == 0) {
            return tool_run(tools[i], argc - 2, argv + 2);
        }
    }
    (void)fprintf(stderr, "user-service: \"%s\" is no command\n", argv[1]);
    return usage(stderr);
}
