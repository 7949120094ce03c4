/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "network.h"

static unsigned char memory[4096];
static struct arena arena;

static const char *text_of(const struct network_address *address)
{
    arena_init(&arena, memory, sizeof(memory));
    return arena_terminated(&arena, network_text(&arena, address));
}

static struct network_address parsed(const char *text)
{
    struct network_address address;

    if (network_parse(str_from(text), &address) != OK) {
        fail_msg("%s", text);
    }
    return address;
}

static void addresses_have_one_form(void **state)
{
    static const struct {
        const char *text;
        const char *form;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"::FFFF:C000:207", "192.0.2.7"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::1", "::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct network_address address = parsed(cases[i].text);

        assert_string_equal(text_of(&address), cases[i].form);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {"",          "unknown",     "192.0.2",      "192.0.2.7 ",
                                        "1.2.3.4.5", "192.0.2.256", "2001:db8:::1", "fe80::1%eth0",
                                        "[::1]",     "_hidden",     "192.0.2.7:80", "0x7f.1"};
    struct network_address address;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(network_parse(str_from(texts[i]), &address), ERR_INVALID);
    }
    assert_int_equal(network_parse((struct str){"192.0.2.7\0x", 11}, &address), ERR_INVALID);
}

static void hops_may_have_ports(void **state)
{
    static const struct {
        const char *text;
        const char *form; /* NULL: refused */
    } cases[] = {
        {"192.0.2.7:4711", "192.0.2.7"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:4711", "2001:db8::1"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:db8::1:80", "2001:db8::1:80"},
        {"192.0.2.7:", NULL},
        {"192.0.2.7:x", NULL},
        {"192.0.2.7:65536", NULL},
        {"[2001:db8::1", NULL},
        {"[2001:db8::1]x", NULL},
        {"[2001:db8::1]:", NULL},
        {"[]", NULL},
        {"for=192.0.2.7", NULL},
        {":80", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct network_address address;
        const enum error error = network_parse_hop(str_from(cases[i].text), &address);

        assert_int_equal(error, cases[i].form == NULL ? ERR_INVALID : OK);
        if (cases[i].form != NULL) {
            assert_string_equal(text_of(&address), cases[i].form);
        }
    }
}

static void a_network_is_a_24_or_a_64(void **state)
{
    static const struct {
        const char *text;
        const char *network;
    } cases[] = {
        {"192.0.2.7", "192.0.2.0"},
        {"::ffff:192.0.2.255", "192.0.2.0"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:db8:1:3::", "2001:db8:1:3::"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct network_address address = parsed(cases[i].text);
        const struct network_address network = network_of(&address);

        assert_string_equal(text_of(&network), cases[i].network);
    }
}

static void prefixes_contain(void **state)
{
    static const struct {
        const char *prefix;
        const char *address;
        bool contains;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.0/23", "192.0.3.255", true},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct network_address address = parsed(cases[i].address);
        struct network_prefix prefix;

        assert_int_equal(network_prefix_parse(str_from(cases[i].prefix), &prefix), OK);
        assert_int_equal(network_contains(&prefix, &address), cases[i].contains);
    }
}

static void lists_are_checked_whole(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/",
                                      "a",           "::/129",     "10.0.0.0/8,,::/0"};
    struct network_list list = {.count = 7};
    struct network_address address = parsed("2001:db8::9");

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(network_list_parse(str_from(bad[i]), &list), ERR_INVALID);
        assert_int_equal(list.count, 7);
    }
    assert_int_equal(network_list_parse(STR("10.0.0.0/8, 2001:db8::/32"), &list), OK);
    assert_int_equal(list.count, 2);
    assert_true(network_list_contains(&list, &address));
    assert_int_equal(network_list_parse(STR_EMPTY, &list), OK);
    assert_int_equal(list.count, 0);
    assert_false(network_list_contains(&list, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form), cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(hops_may_have_ports),     cmocka_unit_test(a_network_is_a_24_or_a_64),
        cmocka_unit_test(prefixes_contain),        cmocka_unit_test(lists_are_checked_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
