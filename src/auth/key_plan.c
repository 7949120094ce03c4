/* SPDX-License-Identifier: Apache-2.0 */
#include "key_plan.h"

static bool is_usable(const struct key_facts *key)
{
    return key->rank != KEY_PLAN_FOREIGN && !key->is_revoked;
}

static int64_t due_in_ms(const struct key_facts *key, const struct key_times *times)
{
    return key->first_seen_ms + times->delay_ms - times->now_ms;
}

bool key_plan_is_due(const struct key_facts *key, const struct key_times *times)
{
    return is_usable(key) && due_in_ms(key, times) <= 0;
}

static bool is_newer(const struct key_facts *key, const struct key_facts *than)
{
    return key->rank < than->rank;
}

/* Of two that were seen at once the newer one. */
static bool was_earlier(const struct key_facts *key, const struct key_facts *than)
{
    return key->first_seen_ms < than->first_seen_ms ||
           (key->first_seen_ms == than->first_seen_ms && is_newer(key, than));
}

static size_t earliest(const struct key_facts *keys, size_t count)
{
    size_t found = KEY_PLAN_NONE;

    for (size_t i = 0; i < count; i++) {
        if (is_usable(&keys[i]) &&
            (found == KEY_PLAN_NONE || was_earlier(&keys[i], &keys[found]))) {
            found = i;
        }
    }
    return found;
}

size_t key_plan_signer(const struct key_facts *keys, size_t count, const struct key_times *times)
{
    size_t found = KEY_PLAN_NONE;

    for (size_t i = 0; i < count; i++) {
        if (key_plan_is_due(&keys[i], times) &&
            (found == KEY_PLAN_NONE || is_newer(&keys[i], &keys[found]))) {
            found = i;
        }
    }
    return found == KEY_PLAN_NONE ? earliest(keys, count) : found;
}

/* One that waits may sign from when it is due, and its mark is seen only a while later. */
static int64_t last_use_ms(const struct key_facts *key, const struct key_times *times)
{
    int64_t due_ms = key->first_seen_ms + times->delay_ms;

    return key->last_used_ms > due_ms ? key->last_used_ms : due_ms;
}

bool key_plan_verifies(const struct key_facts *key, const struct key_times *times)
{
    return !key->is_revoked && (key->rank != KEY_PLAN_FOREIGN ||
                                last_use_ms(key, times) + times->keep_ms > times->now_ms);
}

size_t key_plan_current(const struct key_facts *keys, size_t count, const struct key_times *times)
{
    size_t found = KEY_PLAN_NONE;

    for (size_t i = 0; i < count; i++) {
        if (!key_plan_is_due(&keys[i], times)) {
            continue;
        }
        if (keys[i].rank == 0) {
            return i;
        }
        if (keys[i].last_used_ms > 0 &&
            (found == KEY_PLAN_NONE || keys[i].last_used_ms > keys[found].last_used_ms)) {
            found = i;
        }
    }
    return found == KEY_PLAN_NONE ? earliest(keys, count) : found;
}

int64_t key_plan_wait_ms(const struct key_facts *keys, size_t count, const struct key_times *times)
{
    int64_t least_ms = -1;

    for (size_t i = 0; i < count; i++) {
        int64_t wait_ms = due_in_ms(&keys[i], times);

        if (is_usable(&keys[i]) && wait_ms > 0 && (least_ms < 0 || wait_ms < least_ms)) {
            least_ms = wait_ms;
        }
    }
    return least_ms;
}
