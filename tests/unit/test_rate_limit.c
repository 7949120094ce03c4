/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "crypto.h"
#include "rate_limit.h"

static struct rate_limit *limits;

static int setup(void **state)
{
    (void)state;
    crypto_start();
    limits = rate_limit_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rate_limit_free(limits);
    return 0;
}

static unsigned taken(const char *client, unsigned attempts, int64_t now_ms, int64_t *wait_s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < attempts; i++) {
        count += rate_limit_take(limits, str_from(client), now_ms, wait_s) == OK ? 1 : 0;
    }
    return count;
}

static void sixty_a_minute_and_network(void **state)
{
    int64_t wait_s = 0;

    (void)state;
    assert_int_equal(taken("192.0.2.1", 30, 1000, &wait_s), 30);
    assert_int_equal(taken("192.0.2.200", 50, 21000, &wait_s), 30); /* the same /24 */
    assert_int_equal(wait_s, 40);
    assert_int_equal(taken("192.0.3.1", 10, 21000, &wait_s), 10); /* another one */
    assert_int_equal(taken("2001:db8::1", 60, 21000, &wait_s), 60);
    assert_int_equal(taken("2001:db8::2:1", 1, 21000, &wait_s), 0); /* the same /64 */
    assert_int_equal(taken("2001:db8:0:1::1", 1, 21000, &wait_s), 1);
    assert_int_equal(taken("192.0.2.1", 1, 60999, &wait_s), 0);
    assert_int_equal(wait_s, 1);
    assert_int_equal(taken("192.0.2.1", 100, 61000, &wait_s), 60); /* its next minute */
}

/* More networks than the table holds: each is still let in, and none is refused for another's sake. */
static void many_networks_refuse_nobody(void **state)
{
    int64_t wait_s;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "10.%u.%u.1", i >> 8 & 0xff, i & 0xff);
        if (i >= 65536) {
            (void)snprintf(text, sizeof(text), "11.%u.%u.1", i >> 8 & 0xff, i & 0xff);
        }
        assert_int_equal(rate_limit_take(limits, str_from(text), 100000 + i, &wait_s), OK);
    }
}

static void who_has_no_address_is_limited_too(void **state)
{
    int64_t wait_s;

    (void)state;
    assert_int_equal(taken("", 61, 500000, &wait_s), 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixty_a_minute_and_network),
        cmocka_unit_test(many_networks_refuse_nobody),
        cmocka_unit_test(who_has_no_address_is_limited_too),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
