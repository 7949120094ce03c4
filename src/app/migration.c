/* SPDX-License-Identifier: Apache-2.0 */
#include "migration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "process.h"

enum { TRY_MS = 20000, PAUSE_MS = 250, REASON_BYTES_MAX = 512 };

static char reason[REASON_BYTES_MAX]; /* outlives the arena of a try */

enum error migration_once(const struct pg_options *database, struct schema_report *report,
                          const char **why)
{
    struct arena arena;
    void *memory = malloc(SCHEMA_ARENA_BYTES);
    const char *sentence = "";
    enum error error;

    *why = reason;
    if (memory == NULL) {
        return ERR_NO_SPACE;
    }
    arena_init(&arena, memory, SCHEMA_ARENA_BYTES);
    error = schema_migrate(database, &arena, clock_mono_ms() + TRY_MS, report, &sentence);
    (void)snprintf(reason, sizeof(reason), "%s", sentence);
    arena_reset(&arena);
    free(memory);
    return error;
}

/* Each reason is told once, not every quarter of a second. */
static void tell(const char *why, char told[REASON_BYTES_MAX])
{
    if (strcmp(why, told) != 0) {
        log_warn("waiting for the database", LOG_CSTR("error.message", why));
        (void)snprintf(told, REASON_BYTES_MAX, "%s", why);
    }
}

enum error migration_patiently(const struct pg_options *database, const sigset_t *waited,
                               const char **why)
{
    struct schema_report report = {0};
    char told[REASON_BYTES_MAX] = "";

    for (;;) {
        enum error error = migration_once(database, &report, why);

        if (error == OK) {
            log_info("schema is up to date", LOG_NUMBER("version", report.version),
                     LOG_NUMBER("applied", report.applied));
        }
        if (error != ERR_UNAVAILABLE) {
            return error;
        }
        tell(*why, told);
        if (process_stop_asked(waited, PAUSE_MS)) {
            return ERR_UNAVAILABLE;
        }
    }
}
