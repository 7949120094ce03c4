/* SPDX-License-Identifier: Apache-2.0 */
#include "support/administered.h"

static struct json_text_list list(const char *words)
{
    struct str rest = str_from(words);
    struct json_text_list out = {.count = 0};

    while (rest.len > 0) {
        out.items[out.count++] = str_cut(&rest, ' ');
    }
    return out;
}

static enum error set(const char *words)
{
    struct work work = account_work();
    struct json_text_list roles = list(words);

    return roles_set(&administered_rules, &work, &administered_by, refresh_user, &roles);
}

static void assert_roles(const char *words, int64_t auth_ver)
{
    assert_int_equal(account_number("SELECT count(*) FROM users WHERE array_to_string(roles, ' ')"
                                    " = '%s' AND auth_ver = %d",
                                    words, (int)auth_ver),
                     1);
}

static void a_word_is_what_it_is_said_to_be(void **state)
{
    static const char *const good[] = {"a", "admin", "a_b:c-9", "01234567890123456789012345678901"};
    static const char *const bad[] = {
        "", "A", "a b", "a,b", "\xc3\xa4", "a\n", "a.b", "{}", "012345678901234567890123456789012"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(roles_is_word(str_from(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(roles_is_word(str_from(bad[i])));
    }
}

static void a_list_is_checked(void **state)
{
    static const char *const bad[] = {"a a", "a B", "a b c d e f g h i j k l m n o p q"};
    struct json_findings findings = {0};
    struct json_text_list roles = list("");

    (void)state;
    assert_int_equal(roles_check(&roles, &findings), OK);
    roles = list("a b c d e f g h i j k l m n o p");
    assert_int_equal(roles_check(&roles, &findings), OK);
    assert_int_equal(findings.count, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        roles = list(bad[i]);
        assert_int_equal(roles_check(&roles, &findings), ERR_VALIDATION);
        assert_int_equal(findings.count, i + 1);
        assert_str_equal(findings.items[i].pointer, STR("/roles"));
    }
}

static void a_new_role_ends_nothing(void **state)
{
    struct kept token = open_session();

    (void)state;
    database_must(set("support admin"));
    assert_roles("support admin", 1);
    assert_true(token_counts(&token, 1));
    (void)next_token(&token);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE detail ="
                                     " '{\"added\":[\"support\",\"admin\"],\"removed\":[]}'"),
                     1);
}

static void a_role_less_ends_all_tokens(void **state)
{
    struct kept token = open_session();

    (void)state;
    database_must(set("support admin"));
    database_must(set("support sales"));
    assert_roles("support sales", 2);
    assert_false(token_counts(&token, 1));
    assert_refused(&token, STR_EMPTY);
    assert_int_equal(events_of("session.revoked"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE detail ="
                                     " '{\"added\":[\"sales\"],\"removed\":[\"admin\"]}'"),
                     1);
    database_must(set(""));
    assert_roles("", 3);
}

static void the_same_roles_in_another_order_change_nothing(void **state)
{
    (void)state;
    (void)open_session();
    database_must(set("support admin"));
    database_must(set("admin support"));
    assert_roles("support admin", 1);
    assert_int_equal(audits_of("user.roles_changed"), 1);
    assert_int_equal(live_sessions(), 1);
}

static void one_role_is_given_and_taken(void **state)
{
    const struct administrator by = {.audit = {{"cli:ada", 7}}, .is_operator = true};
    struct work work = account_work();

    (void)state;
    database_must(roles_grant(&administered_rules, &work, &by, refresh_user, STR("admin")));
    database_must(roles_grant(&administered_rules, &work, &by, refresh_user, STR("admin")));
    database_must(roles_grant(&administered_rules, &work, &by, refresh_user, STR("sales")));
    assert_roles("admin sales", 1);
    database_must(roles_revoke(&administered_rules, &work, &by, refresh_user, STR("admin")));
    database_must(roles_revoke(&administered_rules, &work, &by, refresh_user, STR("admin")));
    assert_roles("sales", 2);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE actor = 'cli:ada'"), 3);
}

static void a_seventeenth_role_is_refused(void **state)
{
    struct work work = account_work();

    (void)state;
    database_must(set("a b c d e f g h i j k l m n o p"));
    work = account_work();
    assert_int_equal(
        roles_grant(&administered_rules, &work, &administered_by, refresh_user, STR("q")),
        ERR_NO_SPACE);
    database_must(
        roles_grant(&administered_rules, &work, &administered_by, refresh_user, STR("a")));
}

static void administrators_keep_their_own_role(void **state)
{
    const struct administrator self = {.audit = {refresh_user}, .own_sub = refresh_user};
    struct work work = account_work();
    struct json_text_list roles = list("sales");

    (void)state;
    database_must(set("admin support"));
    work = account_work();
    assert_int_equal(roles_set(&administered_rules, &work, &self, refresh_user, &roles),
                     ERR_OWN_ACCOUNT);
    assert_roles("admin support", 1);
    roles = list("admin");
    database_must(roles_set(&administered_rules, &work, &self, refresh_user, &roles));
    assert_roles("admin", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMINISTERED(a_word_is_what_it_is_said_to_be),
        ADMINISTERED(a_list_is_checked),
        ADMINISTERED(a_new_role_ends_nothing),
        ADMINISTERED(a_role_less_ends_all_tokens),
        ADMINISTERED(the_same_roles_in_another_order_change_nothing),
        ADMINISTERED(one_role_is_given_and_taken),
        ADMINISTERED(a_seventeenth_role_is_refused),
        ADMINISTERED(administrators_keep_their_own_role),
    };

    return cmocka_run_group_tests_name("roles", tests, refresh_start, refresh_stop);
}
