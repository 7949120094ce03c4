/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_lookup.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A list in one piece is one that libpq is to find fault with. */
bool pg_lookup_is_needed(const struct pg_host *host)
{
    struct in6_addr address;

    if (host->name == NULL || host->name[0] == '\0' || strpbrk(host->name, "/@,") != NULL) {
        return false;
    }
    if (host->address != NULL && host->address[0] != '\0') {
        return false;
    }
    return inet_pton(AF_INET, host->name, &address) != 1 &&
           inet_pton(AF_INET6, host->name, &address) != 1;
}

static bool pg_lookup_is_running(struct pg_lookup *self)
{
    return self->started_ms != 0 && gai_error(&self->request) == EAI_INPROGRESS;
}

/* libc's thread has let go of a request that ended when libc knows of nothing to cancel; that also
 * orders its writes before our reads. */
static void pg_lookup_settle(struct pg_lookup *self)
{
    while (self->started_ms != 0 && gai_cancel(&self->request) == EAI_NOTCANCELED) {
        (void)sched_yield();
    }
}

static void pg_lookup_end(struct pg_lookup *self)
{
    pg_lookup_settle(self);
    if (self->request.ar_result != NULL) {
        freeaddrinfo(self->request.ar_result);
    }
    *self = (struct pg_lookup){.started_ms = 0};
}

static enum error pg_lookup_start(struct pg_lookup *self, const char *name)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct gaicb *list[] = {&self->request};

    if (strlen(name) >= sizeof self->name) {
        return ERR_NOT_FOUND;
    }
    memcpy(self->name, name, strlen(name) + 1);
    self->request = (struct gaicb){.ar_name = self->name, .ar_request = &hints};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        return ERR_UNAVAILABLE;
    }
    self->started_ms = clock_mono_ms();
    return OK;
}

/* What was not begun when time is up is taken back; what was runs on. */
static enum error pg_lookup_wait(struct pg_lookup *self, int64_t deadline_ms)
{
    const struct gaicb *const list[] = {&self->request};

    while (pg_lookup_is_running(self)) {
        int64_t left_ms = deadline_ms - clock_mono_ms();
        struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};

        if (left_ms > 0) {
            (void)gai_suspend(list, 1, &left);
            continue;
        }
        if (gai_cancel(&self->request) == EAI_CANCELED) {
            *self = (struct pg_lookup){.started_ms = 0};
        }
        return ERR_UNAVAILABLE;
    }
    return OK;
}

static size_t pg_lookup_read(const struct addrinfo *found, struct pg_addresses *out)
{
    size_t count = 0;

    for (; found != NULL && count < PG_ADDRESSES_MAX; found = found->ai_next) {
        if (getnameinfo(found->ai_addr, found->ai_addrlen, out->list[count],
                        sizeof out->list[count], NULL, 0, NI_NUMERICHOST) == 0) {
            count++;
        }
    }
    return count;
}

enum error pg_lookup_run(struct pg_lookup *self, const char *name, int64_t deadline_ms,
                         struct pg_addresses *out)
{
    struct pg_addresses addresses;

    if (!pg_lookup_is_running(self) && clock_mono_ms() - self->started_ms > PG_LOOKUP_FRESH_MS) {
        pg_lookup_end(self);
    }
    if (self->started_ms == 0) {
        TRY(pg_lookup_start(self, name));
    }
    TRY(pg_lookup_wait(self, deadline_ms));
    pg_lookup_settle(self);
    addresses.count = pg_lookup_read(self->request.ar_result, &addresses);
    pg_lookup_end(self);
    if (addresses.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = addresses;
    return OK;
}

void pg_lookup_free(struct pg_lookup *all)
{
    for (size_t i = 0; i < PG_HOSTS_MAX; i++) {
        if (pg_lookup_is_running(&all[i]) && gai_cancel(&all[i].request) == EAI_NOTCANCELED) {
            return;
        }
        pg_lookup_end(&all[i]);
    }
    free(all);
}
