/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "secrets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[64];
static unsigned char memory[2 * SECRET_BYTES_MAX];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/secrets.XXXXXX");
    arena_init(&arena, memory, sizeof(memory));
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/link", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static void put(const void *content, size_t bytes)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/file", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, bytes), bytes);
    close(fd);
}

static struct str reference_to(const char *name)
{
    static char text[128];

    (void)snprintf(text, sizeof(text), "file:%s/%s", folder, name);
    return str_from(text);
}

static void assert_refused(struct str reference, const char *expected)
{
    struct str content = STR("untouched");
    const char *why = "";

    arena_reset(&arena);
    assert_int_equal(secret_read(&arena, reference, &content, &why), ERR_CONFIG);
    if (strstr(why, expected) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, expected);
    }
    assert_str_equal(content, STR("untouched"));
}

static void a_file_is_read_whole(void **state)
{
    static char content[SECRET_BYTES_MAX];
    struct str got = STR_EMPTY;
    const char *why = NULL;

    (void)state;
    memset(content, 'x', sizeof(content));
    content[1] = '\0'; /* any byte */
    put(content, sizeof(content));
    assert_int_equal(secret_read(&arena, reference_to("file"), &got, &why), OK);
    assert_int_equal(got.len, sizeof(content));
    assert_memory_equal(got.ptr, content, sizeof(content));
}

/* Kubernetes mounts secrets as links, and swaps the link. */
static void a_link_is_followed(void **state)
{
    char path[128];
    struct str got = STR_EMPTY;
    const char *why = NULL;

    (void)state;
    put("{}\n", 3);
    (void)snprintf(path, sizeof(path), "%s/link", folder);
    assert_int_equal(symlink("file", path), 0);
    assert_int_equal(secret_read(&arena, reference_to("link"), &got, &why), OK);
    assert_str_equal(got, STR("{}\n"));
}

static void what_is_wrong_is_said(void **state)
{
    static char content[SECRET_BYTES_MAX + 1];

    (void)state;
    assert_refused(reference_to("missing"), "No such file or directory");
    assert_refused(reference_to("missing"), "/missing");
    assert_refused(reference_to(""), "name a regular file");
    assert_refused(STR("file:/dev/null"), "name a regular file");
    put("", 0);
    assert_refused(reference_to("file"), "is empty");
    memset(content, 'x', sizeof(content));
    put(content, sizeof(content));
    assert_refused(reference_to("file"), "larger than 16384 bytes");
}

static void the_start_is_never_quoted_if_it_is_no_reference(void **state)
{
    static const char *const wrong[] = {"{\"k\":\"hunter2\"}", "hunter2", "file:hunter2",
                                        "vault:hunter2", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct str content = STR_EMPTY;
        const char *why = "";

        assert_int_equal(secret_read(&arena, str_from(wrong[i]), &content, &why), ERR_CONFIG);
        assert_non_null(strstr(why, "write file:/path/to.json"));
        assert_null(strstr(why, "hunter2"));
    }
}

static void a_pipe_does_not_hang(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(reference_to("file"), "name a regular file");
}

static void a_full_arena_is_an_error(void **state)
{
    unsigned char little[64];
    struct arena small;
    struct str content = STR_EMPTY;
    const char *why = "";

    (void)state;
    put("{}", 2);
    arena_init(&small, little, sizeof(little));
    assert_int_equal(secret_read(&small, reference_to("file"), &content, &why), ERR_NO_SPACE);
    assert_int_equal(secret_read(&small, reference_to("missing"), &content, &why), ERR_CONFIG);
    assert_int_not_equal(strlen(why), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_is_read_whole),
        IN_FOLDER(a_link_is_followed),
        IN_FOLDER(what_is_wrong_is_said),
        IN_FOLDER(the_start_is_never_quoted_if_it_is_no_reference),
        IN_FOLDER(a_pipe_does_not_hang),
        IN_FOLDER(a_full_arena_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
