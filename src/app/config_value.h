/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types that a setting can have: how a value is read, and how what it takes is said.
 *
 * Threads: pure functions. Errors: ERR_INVALID; the destination is untouched.
 */
#pragma once

#include "config.h"

enum config_type {
    CONFIG_LISTEN,       /* struct str */
    CONFIG_URL,          /* struct str */
    CONFIG_LINK,         /* struct str; empty is allowed where it is the default */
    CONFIG_LIST,         /* struct config_list */
    CONFIG_ORIGINS,      /* struct config_list, may be empty */
    CONFIG_NETWORKS,     /* struct network_list, may be empty */
    CONFIG_TOKEN_TYP,    /* struct str */
    CONFIG_DATABASE,     /* struct str */
    CONFIG_REFERENCE,    /* struct str: to a secret */
    CONFIG_EVENTS,       /* event_set */
    CONFIG_SWITCH,       /* bool */
    CONFIG_VERIFICATION, /* bool: required */
    CONFIG_DURATION,     /* int64_t seconds */
    CONFIG_NUMBER,       /* uint64_t */
    CONFIG_LEVEL,        /* enum log_level */
};

enum { CONFIG_SECRET = 1 };

struct config_row {
    const char *name;
    enum config_type type;
    size_t offset;
    const char *fallback; /* NULL: required */
    uint64_t min;
    uint64_t max;
    unsigned flags;
    const char *help;
};

NODISCARD enum error config_value_parse(const struct config_row *row, struct str value, void *out);
/* "a duration from 30s to 1h, as in 90s, 5m or 7d" */
void config_value_takes(const struct config_row *row, struct buf *out);
const char *config_value_type(const struct config_row *row);
