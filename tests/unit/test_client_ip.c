/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "client_ip.h"

static unsigned char memory[4096];
static struct arena arena;
static struct network_list proxies;

static int setup(void **state)
{
    (void)state;
    return network_list_parse(STR("10.0.0.0/8,fd00::/8"), &proxies) == OK ? 0 : 1;
}

static void who_is_a_proxy(void **state)
{
    (void)state;
    assert_true(client_ip_is_proxy(&proxies, STR("10.1.2.3")));
    assert_true(client_ip_is_proxy(&proxies, STR("::ffff:10.1.2.3")));
    assert_true(client_ip_is_proxy(&proxies, STR("fd00::1")));
    assert_false(client_ip_is_proxy(&proxies, STR("203.0.113.9")));
    assert_false(client_ip_is_proxy(&proxies, STR_EMPTY));
    assert_false(client_ip_is_proxy(&(struct network_list){0}, STR("10.1.2.3")));
}

/* Each asked by the proxy 10.0.0.1. */
static void the_client_is_the_last_hop_that_is_no_proxy(void **state)
{
    static const struct {
        const char *header;
        const char *client;
    } cases[] = {
        {"203.0.113.9", "203.0.113.9"},
        {"198.51.100.1, 203.0.113.9", "203.0.113.9"},     /* the left one is the client's word */
        {"10.9.9.9, 203.0.113.9", "203.0.113.9"},         /* even where it looks like a proxy */
        {"203.0.113.9, 10.0.0.2", "203.0.113.9"},         /* two proxies */
        {"203.0.113.9,10.0.0.2,10.0.0.3", "203.0.113.9"}, /* three */
        {"203.0.113.9:4711", "203.0.113.9"},
        {"[2001:db8::5]:4711", "2001:db8::5"},
        {"2001:DB8::5", "2001:db8::5"},
        {"::ffff:203.0.113.9", "203.0.113.9"},
        {"::ffff:10.0.0.2", "10.0.0.2"},
        {" \t203.0.113.9 \t", "203.0.113.9"},
        {"10.0.0.2", "10.0.0.2"}, /* from inside */
        {"10.0.0.3, 10.0.0.2", "10.0.0.3"},
        /* What cannot be read ends the way: who passed it on is the client. */
        {"", "10.0.0.1"},
        {",", "10.0.0.1"},
        {"203.0.113.9,", "10.0.0.1"},
        {"unknown", "10.0.0.1"},
        {"198.51.100.1, unknown", "10.0.0.1"},
        {"198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"},
        {"198.51.100.1, , 10.0.0.2", "10.0.0.2"},
        {"203.0.113.9 198.51.100.1", "10.0.0.1"},
        {"\xff\xfe", "10.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str client;

        arena_init(&arena, memory, sizeof(memory));
        client = client_ip(&proxies, &arena, STR("10.0.0.1"), str_from(cases[i].header));
        assert_string_equal(arena_terminated(&arena, client), cases[i].client);
    }
}

static void a_full_arena_leaves_the_peer(void **state)
{
    (void)state;
    arena_init(&arena, memory, 4);
    assert_true(str_equal(client_ip(&proxies, &arena, STR("10.0.0.1"), STR("203.0.113.9")),
                          STR("10.0.0.1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_a_proxy),
        cmocka_unit_test(the_client_is_the_last_hop_that_is_no_proxy),
        cmocka_unit_test(a_full_arena_leaves_the_peer),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
