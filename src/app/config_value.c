/* SPDX-License-Identifier: Apache-2.0 */
#include "config_value.h"

#include <arpa/inet.h>
#include <string.h>

/* Cuts ":port" off the end; the whole of it where there is none. */
static struct str cut_port(struct str authority, struct str *port)
{
    size_t colon = authority.len;

    while (colon > 0 && authority.ptr[colon - 1] != ':' && authority.ptr[colon - 1] != ']') {
        colon--;
    }
    if (colon == 0 || authority.ptr[colon - 1] == ']') {
        *port = (struct str){0};
        return authority;
    }
    *port = str_sub(authority, colon, authority.len);
    return str_sub(authority, 0, colon - 1);
}

static bool is_port(struct str port, uint64_t min)
{
    uint64_t number;

    return str_to_u64(port, &number) == OK && number >= min && number <= 65535;
}

/* 127.0.0.1 or [::1]: what to listen on is no name. */
static bool is_address(struct str host)
{
    unsigned char binary[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN + 1];
    bool is_v6 = str_starts(host, STR("[")) && str_ends(host, STR("]"));

    if (is_v6) {
        host = str_sub(host, 1, host.len - 1);
    }
    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, binary) == 1;
}

static enum error parse_listen(struct str value, struct str *out)
{
    struct str port;
    struct str host = cut_port(value, &port);

    if (!is_address(host) || !is_port(port, 0)) { /* port 0 takes a free one */
        return ERR_INVALID;
    }
    *out = value;
    return OK;
}

static bool is_printable(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool is_url(struct str value)
{
    struct str rest = value;
    struct str scheme = str_cut(&rest, ':');
    struct str host;
    struct str port;

    if ((!str_equal(scheme, STR("http")) && !str_equal(scheme, STR("https"))) ||
        !str_starts(rest, STR("//")) || value.len > CONFIG_URL_BYTES_MAX || !is_printable(value)) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (strchr("\"<>\\^`", value.ptr[i]) != NULL) {
            return false;
        }
    }
    rest = str_sub(rest, 2, rest.len);
    rest = str_cut(&rest, '#');
    rest = str_cut(&rest, '?');
    host = cut_port(str_cut(&rest, '/'), &port);
    return host.len > 0 && (port.ptr == NULL || is_port(port, 1));
}

/* Without a slash at the end, since paths are appended; without query or fragment. */
static enum error parse_url(struct str value, struct str *out)
{
    if (!is_url(value) || str_ends(value, STR("/")) || str_find(value, '#', &(size_t){0}) ||
        str_find(value, '?', &(size_t){0})) {
        return ERR_INVALID;
    }
    *out = value;
    return OK;
}

static enum error parse_link(struct str value, struct str *out)
{
    static const char placeholder[] = "{token}";

    if (value.len > 0 && (!is_url(value) || memmem(value.ptr, value.len, placeholder,
                                                   sizeof(placeholder) - 1) == NULL)) {
        return ERR_INVALID;
    }
    *out = value;
    return OK;
}

static enum error parse_list(struct str value, struct config_list *out)
{
    struct config_list list = {0};

    while (value.len > 0) {
        struct str item = str_trim(str_cut(&value, ','));

        if (item.len == 0 || item.len > CONFIG_NAME_BYTES_MAX || !is_printable(item) ||
            list.count == CONFIG_AUDIENCES_MAX) {
            return ERR_INVALID;
        }
        list.items[list.count++] = item;
    }
    if (list.count == 0) {
        return ERR_INVALID;
    }
    *out = list;
    return OK;
}

/* Scheme, host and port, and no more (RFC 6454 section 6.2). */
static bool is_origin(struct str item)
{
    struct str host = item;

    (void)str_cut(&host, '/');
    (void)str_cut(&host, '/');
    return is_url(item) && !str_find(host, '/', &(size_t){0}) && !str_find(host, '@', &(size_t){0});
}

static enum error parse_origins(struct str value, struct config_list *out)
{
    struct config_list list = {0};

    if (value.len > 0) {
        TRY(parse_list(value, &list));
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!is_origin(list.items[i])) {
            return ERR_INVALID;
        }
    }
    *out = list;
    return OK;
}

static enum error parse_token_typ(struct str value, struct str *out)
{
    if (!str_equal(value, STR("at+jwt")) && !str_equal(value, STR("JWT"))) {
        return ERR_INVALID;
    }
    *out = value;
    return OK;
}

/* host, host:port, [address]:port, or nothing at all: the socket's folder may stand in the query. */
static bool is_database_host(struct str authority)
{
    struct str port;

    (void)cut_port(authority, &port);
    return port.ptr == NULL || is_port(port, 1);
}

/* postgresql://[user[:password]@][host[:port],…][/database][?…] */
static enum error parse_database(struct str value, struct str *out)
{
    struct str rest = value;
    struct str hosts;

    if (!str_starts(value, STR("postgres://")) && !str_starts(value, STR("postgresql://"))) {
        return ERR_INVALID;
    }
    (void)str_cut(&rest, '/');
    (void)str_cut(&rest, '/');
    hosts = str_cut(&rest, '/');
    hosts = str_cut(&hosts, '?');
    while (str_find(hosts, '@', &(size_t){0})) {
        (void)str_cut(&hosts, '@');
    }
    while (hosts.len > 0) {
        if (!is_database_host(str_cut(&hosts, ','))) {
            return ERR_INVALID;
        }
    }
    *out = value;
    return OK;
}

static enum error parse_reference(struct str value, struct str *out)
{
    if (!str_starts(value, STR("file:/"))) {
        return ERR_INVALID;
    }
    *out = value;
    return OK;
}

/* user.registered or com.mallhive.user.registered.v1 */
static struct str short_event_name(struct str name)
{
    const struct str prefix = STR("com.mallhive.");
    const struct str suffix = STR(".v1");

    if (!str_starts(name, prefix) || !str_ends(name, suffix)) {
        return name;
    }
    return str_sub(name, prefix.len, name.len - suffix.len);
}

static enum error parse_events(struct str value, event_set *out)
{
    event_set set = 0;

    while (value.len > 0) {
        enum event_type type;

        TRY(event_type_parse(short_event_name(str_trim(str_cut(&value, ','))), &type));
        set |= EVENT_BIT(type);
    }
    *out = set;
    return OK;
}

static enum error parse_choice(struct str value, struct str yes, struct str no, bool *out)
{
    if (!str_equal(value, yes) && !str_equal(value, no)) {
        return ERR_INVALID;
    }
    *out = str_equal(value, yes);
    return OK;
}

static int64_t unit_s(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

static enum error parse_duration(const struct config_row *row, struct str value, int64_t *out)
{
    uint64_t number = 0;
    int64_t unit = value.len < 2 ? 0 : unit_s(value.ptr[value.len - 1]);

    if (unit == 0 || str_to_u64(str_sub(value, 0, value.len - 1), &number) != OK ||
        number > row->max || number * (uint64_t)unit < row->min ||
        number * (uint64_t)unit > row->max) {
        return ERR_INVALID;
    }
    *out = (int64_t)number * unit;
    return OK;
}

static enum error parse_number(const struct config_row *row, struct str value, uint64_t *out)
{
    uint64_t number;

    TRY(str_to_u64(value, &number));
    if (number < row->min || number > row->max) {
        return ERR_INVALID;
    }
    *out = number;
    return OK;
}

enum error config_value_parse(const struct config_row *row, struct str value, void *out)
{
    switch (row->type) {
    case CONFIG_LISTEN:
        return parse_listen(value, out);
    case CONFIG_URL:
        return parse_url(value, out);
    case CONFIG_LINK:
        return parse_link(value, out);
    case CONFIG_LIST:
        return parse_list(value, out);
    case CONFIG_ORIGINS:
        return parse_origins(value, out);
    case CONFIG_NETWORKS:
        return network_list_parse(value, out);
    case CONFIG_TOKEN_TYP:
        return parse_token_typ(value, out);
    case CONFIG_DATABASE:
        return parse_database(value, out);
    case CONFIG_REFERENCE:
        return parse_reference(value, out);
    case CONFIG_EVENTS:
        return parse_events(value, out);
    case CONFIG_SWITCH:
        return parse_choice(value, STR("on"), STR("off"), out);
    case CONFIG_VERIFICATION:
        return parse_choice(value, STR("required"), STR("optional"), out);
    case CONFIG_DURATION:
        return parse_duration(row, value, out);
    case CONFIG_NUMBER:
        return parse_number(row, value, out);
    case CONFIG_LEVEL:
        return log_level_parse(value, out);
    }
    return ERR_INVALID;
}

static void append_duration(struct buf *out, uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (seconds % units[i].seconds == 0 && (seconds > 0 || units[i].seconds == 1)) {
            buf_append_u64(out, seconds / units[i].seconds);
            buf_append_byte(out, units[i].unit);
            return;
        }
    }
}

static const struct {
    const char *type;
    const char *takes;
} types[] = {
    [CONFIG_LISTEN] = {"listen", "an address and a port, as in 0.0.0.0:8000 or [::]:8000"},
    [CONFIG_URL] = {"url",
                    "an http or https URL without a slash at its end, query or fragment, as in "
                    "https://user.example.com"},
    [CONFIG_LINK] = {"link", "an http or https URL with {token} in it, as in "
                             "https://example.com/verify#token={token}"},
    [CONFIG_LIST] = {"list", "1 to 8 names of at most 64 bytes separated by commas"},
    [CONFIG_ORIGINS] = {"origins", "up to 8 origins separated by commas, as in "
                                   "https://www.example.com,http://localhost:3000"},
    [CONFIG_NETWORKS] = {"networks", "up to 16 networks or addresses separated by commas, as in "
                                     "10.0.0.0/8,2001:db8::/32"},
    [CONFIG_TOKEN_TYP] = {"choice", "at+jwt or JWT"},
    [CONFIG_DATABASE] = {"database", "a libpq URI, as in postgresql://user@host:5432/database"},
    [CONFIG_REFERENCE] = {"secret reference", "a reference to a secret, as in file:/path/to.json"},
    [CONFIG_EVENTS] = {"events", "event types separated by commas, as in "
                                 "user.registered,session.revoked (events/ has all of them)"},
    [CONFIG_SWITCH] = {"switch", "on or off"},
    [CONFIG_VERIFICATION] = {"choice", "required or optional"},
    [CONFIG_DURATION] = {"duration", "a duration from "},
    [CONFIG_NUMBER] = {"number", "a whole number from "},
    [CONFIG_LEVEL] = {"level", "debug, info, warn or error"},
};

void config_value_takes(const struct config_row *row, struct buf *out)
{
    buf_append(out, str_from(types[row->type].takes));
    if (row->type == CONFIG_NUMBER) {
        buf_printf(out, "%llu to %llu", (unsigned long long)row->min, (unsigned long long)row->max);
    }
    if (row->type == CONFIG_DURATION) {
        append_duration(out, row->min);
        buf_append(out, STR(" to "));
        append_duration(out, row->max);
        buf_append(out, STR(", as in 90s, 5m, 12h or 7d"));
    }
}

const char *config_value_type(const struct config_row *row)
{
    return types[row->type].type;
}
