/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The sentence is kept even when the arena is full: a caller must always have one to print. */
static enum error fail(const char **why, struct str sentence)
{
    *why = sentence.len > 0 ? sentence.ptr : "a secret reference could not be read";
    return ERR_CONFIG;
}

static enum error read_all(int fd, char *content, size_t bytes, size_t *len)
{
    size_t have = 0;
    ssize_t got = 1;

    while (got > 0 && have < bytes) {
        got = read(fd, content + have, bytes - have);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        return ERR_IO;
    }
    *len = have;
    return OK;
}

static enum error read_open(struct arena *arena, int fd, struct str reference, struct str *out,
                            const char **why)
{
    struct stat facts;
    char *content;
    size_t len;

    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return fail(why, arena_printf(arena, "secret %.*s: this is not a file; name a regular file",
                                      STR_ARG(reference)));
    }
    content = arena_alloc(arena, SECRET_BYTES_MAX + 1);
    if (content == NULL) {
        return ERR_NO_SPACE;
    }
    if (read_all(fd, content, SECRET_BYTES_MAX + 1, &len) != OK) {
        return fail(why, arena_printf(arena, "secret %.*s: cannot read it: %s", STR_ARG(reference),
                                      strerror(errno)));
    }
    if (len == 0) {
        return fail(why, arena_printf(arena, "secret %.*s: the file is empty; it must hold JSON",
                                      STR_ARG(reference)));
    }
    if (len > SECRET_BYTES_MAX) {
        explicit_bzero(content, SECRET_BYTES_MAX + 1);
        return fail(why, arena_printf(arena, "secret %.*s: the file is larger than %d bytes",
                                      STR_ARG(reference), SECRET_BYTES_MAX));
    }
    *out = (struct str){content, len};
    return OK;
}

enum error secret_read(struct arena *arena, struct str reference, struct str *out, const char **why)
{
    struct str scheme = STR("file:");
    enum error error;
    char *path;
    int fd;

    if (!str_starts(reference, STR("file:/"))) {
        /* Not quoted: somebody may have put the secret itself here. */
        return fail(why,
                    arena_printf(arena,
                                 "a secret reference of %zu characters is not of a known kind; "
                                 "write file:/path/to.json with an absolute path",
                                 reference.len));
    }
    path = arena_terminated(arena, str_sub(reference, scheme.len, reference.len));
    if (path == NULL) {
        return ERR_NO_SPACE;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hang */
    if (fd < 0) {
        return fail(why, arena_printf(arena, "secret %.*s: cannot open it: %s", STR_ARG(reference),
                                      strerror(errno)));
    }
    error = read_open(arena, fd, reference, out, why);
    close(fd);
    return error;
}
