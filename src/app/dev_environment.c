/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_environment.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_BYTES_MAX = 4200, PORT_MAX = 65535 };

const char *dev_environment_get(const char *name)
{
    size_t length = strlen(name);

    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') {
            return *variable + length + 1;
        }
    }
    return NULL;
}

static void set(const char *name, const char *format, va_list arguments)
{
    char value[VALUE_BYTES_MAX];
    int length = vsnprintf(value, sizeof(value), format, arguments);

    assert(length >= 0 && (size_t)length < sizeof(value));
    if (setenv(name, value, 1) != 0) {
        abort(); /* no memory */
    }
}

void dev_environment_default(const char *name, const char *format, ...)
{
    va_list arguments;

    if (dev_environment_get(name) != NULL) {
        return;
    }
    va_start(arguments, format);
    set(name, format, arguments);
    va_end(arguments);
}

void dev_environment_set(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set(name, format, arguments);
    va_end(arguments);
}

char *const *dev_environment_all(void)
{
    return environ;
}

unsigned dev_environment_port(const char *name)
{
    struct str value = str_from(dev_environment_get(name));
    uint64_t port;

    while (value.len > 0 && memchr(value.ptr, ':', value.len) != NULL) {
        (void)str_cut(&value, ':');
    }
    if (str_to_u64(value, &port) != OK || port > PORT_MAX) {
        return 0;
    }
    return (unsigned)port;
}

void dev_environment_set_port(const char *name, unsigned port)
{
    const char *value = dev_environment_get(name);
    const char *colon = value == NULL ? NULL : strrchr(value, ':');

    assert(colon != NULL && colon - value < VALUE_BYTES_MAX / 2);
    dev_environment_set(name, "%.*s:%u", (int)(colon - value), value, port);
}
