/* SPDX-License-Identifier: Apache-2.0 */
/* Values of settings, each tried as every type that a setting can have. */
#include "config_value.h"
#include "fuzz.h"

union value {
    struct str text;
    struct config_list list;
    event_set events;
    bool flag;
    int64_t seconds;
    uint64_t number;
    enum log_level level;
};

static void check_taken(enum config_type type, const union value *value)
{
    switch ((int)type) {
    case CONFIG_LIST:
        assert(value->list.count >= 1 && value->list.count <= CONFIG_AUDIENCES_MAX);
        break;
    case CONFIG_URL:
        assert(str_is_utf8(value->text) && !str_ends(value->text, STR("/")));
        break;
    case CONFIG_DURATION:
        assert(value->seconds >= 30 && value->seconds <= 3600);
        break;
    case CONFIG_NUMBER:
        assert(value->number >= 30 && value->number <= 3600);
        break;
    case CONFIG_EVENTS:
        assert(value->events < EVENT_BIT(EVENT_TYPE_COUNT));
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = fuzz_str(data, size);

    for (int type = 0; type <= CONFIG_LEVEL; type++) {
        const struct config_row row = {.type = (enum config_type)type, .min = 30, .max = 3600};
        union value value = {0};

        if (config_value_parse(&row, text, &value) == OK) {
            check_taken(row.type, &value);
        }
    }
    return 0;
}
