/* SPDX-License-Identifier: Apache-2.0 */
#include "migration.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "process.h"

enum { TRY_MS = 20000, PAUSE_MS = 250 };

enum error migration_once(const struct pg_options *database, struct arena *arena,
                          struct schema_report *report, const char **why)
{
    struct arena own;
    void *memory = malloc(SCHEMA_ARENA_BYTES);
    enum error error;

    if (memory == NULL) {
        return ERR_NO_SPACE;
    }
    arena_init(&own, memory, SCHEMA_ARENA_BYTES);
    error = schema_migrate(database, &own, clock_mono_ms() + TRY_MS, report, why);
    if (error == ERR_CONFIG) { /* the sentence outlives that arena */
        *why = arena_terminated(arena, str_from(*why));
    }
    arena_reset(&own);
    free(memory);
    return error;
}

enum error migration_patiently(const struct pg_options *database, struct arena *arena,
                               const sigset_t *waited, const char **why)
{
    struct schema_report report = {0};
    bool told = false;

    for (;;) {
        enum error error = migration_once(database, arena, &report, why);

        if (error == OK) {
            log_info("schema is up to date", LOG_NUMBER("version", report.version),
                     LOG_NUMBER("applied", report.applied));
            return OK;
        }
        if (error == ERR_CONFIG) {
            return error;
        }
        if (!told) {
            log_warn("waiting for the database", LOG_CSTR("error.kind", error_code(error)));
            told = true;
        }
        if (process_stop_asked(waited, PAUSE_MS)) {
            return ERR_UNAVAILABLE;
        }
    }
}
