/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_postgres.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "crypto.h"
#include "dev_orphans.h"

#define SERVERS "/usr/lib/postgresql"
#define OWNER "user_service"
#define SOCKET_FOLDER "/tmp/us-dev-XXXXXX"
#define PORT "5432" /* names the socket file; nothing listens on TCP */

enum { READY_MS = 120000, STOP_MS = 30000, POLL_MS = 5, NOBODY = 65534, FOLDER_ID_BYTES = 8 };
enum { TOOL_CONNECTIONS = 80 };
enum { SOCKET_PREFIX_BYTES = sizeof(SOCKET_FOLDER) - sizeof("XXXXXX") };

/* Not the caller's: PGDATA, PGPORT and the like would change what the programs do. */
static char *const environment[] = {(char[]){"PATH=/usr/bin:/bin"}, (char[]){"LC_ALL=C"},
                                    (char[]){"TZ=UTC"}, NULL};

static NODISCARD enum error complain(const char *what, const char *path)
{
    (void)fprintf(stderr, "user-service dev: cannot %s %s: %s\n", what, path, strerror(errno));
    return ERR_IO;
}

static NODISCARD enum error find_programs(struct dev_postgres *self)
{
    DIR *versions = opendir(SERVERS);
    uint64_t newest = 0;

    for (struct dirent *entry = versions == NULL ? NULL : readdir(versions); entry != NULL;
         entry = readdir(versions)) {
        struct dev_path server = dev_files_path(SERVERS "/%s/bin/postgres", entry->d_name);
        uint64_t version;
        if (str_to_u64(str_from(entry->d_name), &version) == OK && version > newest &&
            access(server.text, X_OK) == 0) {
            newest = version;
        }
    }
    if (versions != NULL) {
        (void)closedir(versions);
    }
    if (newest == 0) {
        (void)fprintf(stderr, "user-service dev: found no PostgreSQL server below " SERVERS
                              ": install the package postgresql (make deps does)\n");
        return ERR_IO;
    }
    self->version = (unsigned)newest;
    self->programs = dev_files_path(SERVERS "/%u/bin", self->version);
    return OK;
}

static struct dev_identity other_than_root(enum dev_identity_kind kind)
{
    struct dev_identity identity = {.kind = kind, .uid = NOBODY, .gid = NOBODY};
    const struct passwd *account = getpwnam("postgres");

    /* One that the password file knows: initdb looks its own name up. */
    if (account != NULL) {
        identity.uid = account->pw_uid;
        identity.gid = account->pw_gid;
    }
    return identity;
}

static NODISCARD enum error make_fallback(struct dev_postgres *self, const char *folder)
{
    struct crypto_digest digest = crypto_sha256(str_from(folder));
    char id[2 * FOLDER_ID_BYTES + 1];
    struct buf hex = buf_over(id, sizeof(id) - 1);
    struct dev_path own;

    codec_hex(&hex, (struct str){(const char *)digest.bytes, FOLDER_ID_BYTES});
    id[hex.len] = '\0';
    own = dev_files_path(DEV_POSTGRES_FALLBACK "/%s", id);
    if ((mkdir(DEV_POSTGRES_FALLBACK, 0755) != 0 && errno != EEXIST) ||
        (mkdir(own.text, 0700) != 0 && errno != EEXIST) ||
        chown(own.text, self->identity.uid, self->identity.gid) != 0) {
        return complain("make the folder", own.text);
    }
    self->data = dev_files_path("%s/postgres", own.text);
    (void)printf("PostgreSQL refuses root and this kernel gives no user namespace: it runs as uid "
                 "%u, data in %s\n",
                 (unsigned)self->identity.uid, self->data.text);
    return OK;
}

static NODISCARD enum error choose_identity(struct dev_postgres *self, const char *folder)
{
    struct stat status;
    bool is_there = stat(self->data.text, &status) == 0;

    self->identity = (struct dev_identity){.kind = DEV_IDENTITY_SAME};
    if (geteuid() != 0) {
        return OK;
    }
    if (is_there && status.st_uid != 0) { /* made by an account that then started us as root */
        self->identity = (struct dev_identity){
            .kind = DEV_IDENTITY_SWITCHED, .uid = status.st_uid, .gid = status.st_gid};
        return OK;
    }
    self->identity = other_than_root(DEV_IDENTITY_NAMESPACE);
    if (dev_child_can_namespace(&self->identity)) {
        return OK;
    }
    if (is_there) {
        (void)fprintf(stderr,
                      "user-service dev: %s belongs to root, whom PostgreSQL refuses, and this "
                      "kernel gives no user namespace: give it to an account (chown -R) or choose "
                      "another folder with --data\n",
                      self->data.text);
        return ERR_IO;
    }
    self->identity = other_than_root(DEV_IDENTITY_SWITCHED);
    return make_fallback(self, folder);
}

static NODISCARD enum error check_version(const struct dev_postgres *self)
{
    struct dev_path path = dev_files_path("%s/PG_VERSION", self->data.text);
    char text[16];
    char *rest = text;
    const char *found;

    if (dev_files_read(path.text, text, sizeof(text)) <= 0) {
        (void)fprintf(stderr,
                      "user-service dev: %s is no PostgreSQL data directory (it has no "
                      "PG_VERSION): move it away or choose another folder with --data\n",
                      self->data.text);
        return ERR_IO;
    }
    found = strsep(&rest, "\n");
    if (strtoul(found, NULL, 10) != self->version) {
        (void)fprintf(stderr,
                      "user-service dev: %s was made by PostgreSQL %s, but the newest server here "
                      "is %u: move it away to start afresh, or choose another folder with --data\n",
                      self->data.text, found, self->version);
        return ERR_IO;
    }
    return OK;
}

static NODISCARD enum error run_initdb(const struct dev_postgres *self, const char *data, int log)
{
    struct dev_path program = dev_files_path("%s/initdb", self->programs.text);
    struct dev_path target = dev_files_path("%s", data);
    char *arguments[] = {program.text,
                         (char[]){"-D"},
                         target.text,
                         (char[]){"-U"},
                         (char[]){OWNER},
                         (char[]){"--auth=trust"},
                         (char[]){"--locale=C"},
                         (char[]){"-E"},
                         (char[]){"UTF8"},
                         NULL};
    const struct dev_child_options options = {
        .name = "initdb",
        .program = program.text,
        .argv = arguments,
        .envp = environment,
        .working_directory = "/",
        .output_fd = log,
        .death_signal = SIGKILL,
        .identity = self->identity,
    };

    return dev_child_run(&options);
}

/* Under another name until it is whole: what an interrupted first start leaves is never used. */
static NODISCARD enum error make_cluster(const struct dev_postgres *self, int log)
{
    struct dev_path unfinished = dev_files_path("%s.new", self->data.text);

    (void)printf("making a PostgreSQL %u database in %s\n", self->version, self->data.text);
    (void)fflush(stdout);
    TRY(dev_files_remove_tree(unfinished.text));
    if (run_initdb(self, unfinished.text, log) != OK) {
        (void)fprintf(stderr, "user-service dev: initdb failed\n");
        dev_files_tail(self->log.text);
        return ERR_IO;
    }
    if (rename(unfinished.text, self->data.text) != 0) {
        return complain("rename", unfinished.text);
    }
    return OK;
}

/* What a killed predecessor left: its name stands in the data folder. */
static NODISCARD enum error remove_old_socket_folder(const char *note)
{
    char old[sizeof(SOCKET_FOLDER)];

    if (dev_files_read(note, old, sizeof(old)) != sizeof(old) - 1 ||
        strncmp(old, SOCKET_FOLDER, SOCKET_PREFIX_BYTES) != 0 ||
        strchr(old + SOCKET_PREFIX_BYTES, '/') != NULL) {
        return OK;
    }
    return dev_files_remove_tree(old);
}

static NODISCARD enum error make_socket_folder(struct dev_postgres *self, const char *folder)
{
    struct dev_path note = dev_files_path("%s/socket", folder);

    TRY(remove_old_socket_folder(note.text));
    /* A socket's path has at most 107 bytes, and a clone may lie deep. */
    (void)snprintf(self->socket_folder, sizeof(self->socket_folder), SOCKET_FOLDER);
    if (mkdtemp(self->socket_folder) == NULL) {
        self->socket_folder[0] = '\0';
        return complain("make a folder in", "/tmp");
    }
    if (self->identity.kind == DEV_IDENTITY_SWITCHED &&
        chown(self->socket_folder, self->identity.uid, self->identity.gid) != 0) {
        return complain("give away", self->socket_folder);
    }
    TRY(dev_files_write(note.text, str_from(self->socket_folder)));
    (void)snprintf(self->url, sizeof(self->url),
                   "postgresql://" OWNER "@/postgres?host=%s&port=" PORT, self->socket_folder);
    return OK;
}

static NODISCARD enum error start_server(struct dev_postgres *self, int log)
{
    struct dev_path program = dev_files_path("%s/postgres", self->programs.text);
    struct dev_path connections = dev_files_path("max_connections=%u", self->connections_max);
    struct dev_path sockets = dev_files_path("unix_socket_directories=%s", self->socket_folder);
    char *arguments[] = {program.text,
                         (char[]){"-D"},
                         self->data.text,
                         (char[]){"-p"},
                         (char[]){PORT},
                         (char[]){"-c"},
                         (char[]){"listen_addresses="},
                         (char[]){"-c"},
                         sockets.text,
                         (char[]){"-c"},
                         connections.text,
                         (char[]){"-c"},
                         (char[]){"unix_socket_permissions=0700"},
                         NULL};
    const struct dev_child_options options = {
        .name = "PostgreSQL",
        .program = program.text,
        .argv = arguments,
        .envp = environment,
        .working_directory = "/",
        .output_fd = log,
        .death_signal = SIGINT, /* fast shutdown */
        .identity = self->identity,
    };

    return dev_child_start(&options, &self->server);
}

/* Line 8 of postmaster.pid, which pg_ctl goes by too. */
static bool is_ready(const struct dev_postgres *self)
{
    struct dev_path path = dev_files_path("%s/postmaster.pid", self->data.text);
    char text[2 * DEV_PATH_BYTES_MAX];
    char *rest = text;
    char *line;

    if (dev_files_read(path.text, text, sizeof(text)) <= 0) {
        return false;
    }
    line = strsep(&rest, "\n");
    if (strtol(line, NULL, 10) != self->server.pid) {
        return false;
    }
    for (int skipped = 0; skipped < 7 && rest != NULL; skipped++) {
        line = strsep(&rest, "\n");
    }
    return rest != NULL && strncmp(line, "ready", 5) == 0;
}

static NODISCARD enum error wait_ready(struct dev_postgres *self)
{
    int64_t deadline_ms = clock_mono_ms() + READY_MS;
    int status;

    while (!is_ready(self)) {
        if (dev_child_ended(&self->server, &status)) {
            (void)fprintf(stderr, "user-service dev: PostgreSQL ended as it started\n");
            dev_files_tail(self->log.text);
            return ERR_IO;
        }
        if (clock_mono_ms() > deadline_ms) {
            (void)fprintf(stderr, "user-service dev: PostgreSQL is not ready after %d s\n",
                          READY_MS / 1000);
            dev_files_tail(self->log.text);
            return ERR_IO;
        }
        dev_child_sleep_ms(POLL_MS);
    }
    return OK;
}

static NODISCARD enum error start(struct dev_postgres *self, const char *folder, int log)
{
    if (!dev_files_exist(self->data.text)) {
        TRY(make_cluster(self, log));
    }
    TRY(check_version(self));
    TRY(dev_orphans_end(self->data.text));
    TRY(make_socket_folder(self, folder));
    TRY(start_server(self, log));
    return wait_ready(self);
}

NODISCARD enum error dev_postgres_start(const char *folder, unsigned connections,
                                        struct dev_postgres *out)
{
    struct dev_postgres self = {.server.name = "PostgreSQL"};
    enum error error;
    int log;

    self.connections_max = connections + TOOL_CONNECTIONS;
    self.data = dev_files_path("%s/postgres", folder);
    self.log = dev_files_path("%s/postgres.log", folder);
    TRY(find_programs(&self));
    TRY(choose_identity(&self, folder));
    TRY(dev_files_log(self.log.text, &log));
    error = start(&self, folder, log);
    (void)close(log);
    if (error != OK) {
        dev_postgres_stop(&self);
        return error;
    }
    *out = self;
    return OK;
}

void dev_postgres_stop(struct dev_postgres *self)
{
    dev_child_stop(&self->server, SIGINT, STOP_MS);
    if (self->socket_folder[0] != '\0') {
        if (dev_files_remove_tree(self->socket_folder) == OK) {
            self->socket_folder[0] = '\0';
        }
    }
}
