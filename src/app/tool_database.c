/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_database.h"

#include <errno.h>

#include "clock.h"
#include "dev_files.h"
#include "schema.h"

enum { CONNECT_TIMEOUT_MS = 3000, OPEN_MS = 10000, URL_BYTES_MAX = 1024 };

struct place {
    const char *url;
    const char *data; /* the folder of `dev` that named it; NULL: the configuration did */
};

static enum error fail(struct arena *arena, struct str sentence, const char **why)
{
    const char *text = arena_terminated(arena, sentence);

    *why = text == NULL || sentence.len == 0 ? "no memory for the reason" : text;
    return ERR_CONFIG;
}

static enum error find(const struct config *config, const char *data, struct arena *arena,
                       struct place *out, const char **why)
{
    char url[URL_BYTES_MAX];
    struct dev_path note = dev_files_path("%s/" DEV_FILES_DATABASE, data);

    if (config->database_url.len > 0) {
        *out = (struct place){.url = arena_terminated(arena, config->database_url)};
        return OK;
    }
    errno = 0;
    if (dev_files_read(note.text, url, sizeof(url)) <= 0) {
        if (errno == EACCES) {
            return fail(arena, arena_printf(arena, "no permission to read %s", note.text), why);
        }
        return fail(arena,
                    arena_printf(arena,
                                 "no database is named: set US_DATABASE_URL, or start "
                                 "`user-service dev` (none runs with its data in %s; --data DIR "
                                 "names another folder)",
                                 data),
                    why);
    }
    *out = (struct place){.url = arena_terminated(arena, str_from(url)), .data = data};
    return OK;
}

static enum error connect_to(const struct pg_options *options, struct arena *arena, struct pg **out,
                             const char **why)
{
    struct pg *pg;

    TRY(schema_check(options, arena, clock_mono_ms() + OPEN_MS, why));
    pg = pg_new(options);
    pg_deadline(pg, clock_mono_ms() + OPEN_MS);
    if (pg_ready(pg) != OK) {
        struct str message = arena_printf(arena, "no connection: %s", pg_message(pg));

        pg_free(pg);
        return fail(arena, message, why);
    }
    *out = pg;
    return OK;
}

enum error tool_database_open(const struct config *config, const char *data, struct arena *arena,
                              struct pg **out, const char **why)
{
    struct place place;
    enum error error;

    TRY(find(config, data, arena, &place, why));
    struct pg_options options = {
        .url = place.url,
        .application_name = "user-service-tool",
        .tables = schema_statements,
        .table_count = schema_statements_count,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };
    error = connect_to(&options, arena, out, why);
    if (error == ERR_UNAVAILABLE && place.data != NULL) {
        return fail(arena,
                    arena_printf(arena,
                                 "the `user-service dev` with its data in %s has ended without "
                                 "tidying up: start it again, or set US_DATABASE_URL (%s)",
                                 place.data, *why),
                    why);
    }
    return error == OK ? OK : ERR_CONFIG;
}
