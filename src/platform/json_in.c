/* SPDX-License-Identifier: Apache-2.0 */
#include "json_in.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json_shape.h"

/* What one decode needs everywhere. */
struct json_walk {
    struct arena *arena;
    struct json_findings *findings;
    const struct json_field *fields;
    size_t count;
    bool any_member; /* members that the table does not have are ignored */
};

static _Thread_local struct arena *json_arena;
static bool json_started;

static void *json_in_malloc(size_t bytes)
{
    return json_arena == NULL ? malloc(bytes) : arena_alloc(json_arena, bytes);
}

static void json_in_free(void *pointer)
{
    if (json_arena == NULL) {
        free(pointer);
    }
}

void json_in_start(void)
{
    json_set_alloc_funcs(json_in_malloc, json_in_free);
    json_object_seed(0); /* from the system's entropy, before there are threads */
    json_started = true;
}

/* Our own words: jansson's quote the text near the fault, which may be a password. */
static const char *const json_faults[] = {
    [json_error_duplicate_key] = "a member is there twice",
    [json_error_premature_end_of_input] = "the text ends too early",
    [json_error_end_of_input_expected] = "something follows the end of the JSON text",
    [json_error_invalid_utf8] = "a byte sequence is not UTF-8",
    [json_error_null_character] = "U+0000 is not allowed",
    [json_error_null_byte_in_key] = "U+0000 is not allowed",
    [json_error_numeric_overflow] = "a number is out of range",
};

static const char *json_fault(enum json_error_code code)
{
    size_t i = (size_t)code;

    return i < sizeof json_faults / sizeof *json_faults && json_faults[i] != NULL
               ? json_faults[i]
               : "a value or a punctuation mark was expected, or an escape is wrong";
}

static enum error json_malformed(const struct json_walk *walk, const json_error_t *error)
{
    json_findings_add(walk->findings, STR_EMPTY, "malformed",
                      arena_printf(walk->arena, "Not valid JSON at line %d, column %d: %s.",
                                   error->line, error->column, json_fault(json_error_code(error))));
    return arena_overflowed(walk->arena) ? ERR_NO_SPACE : ERR_MALFORMED_JSON;
}

/* From here to json_leave jansson allocates from the walk's arena. */
static enum error json_enter(const struct json_walk *walk, struct str body, json_t **root)
{
    json_error_t error;
    json_t *loaded;

    assert(json_started && json_arena == NULL);
    TRY(json_shape_check(walk->arena, body, walk->findings));
    json_arena = walk->arena;
    loaded = json_loadb(body.ptr == NULL ? "" : body.ptr, body.len,
                        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (loaded == NULL) {
        json_arena = NULL;
        return json_malformed(walk, &error);
    }
    *root = loaded;
    return OK;
}

/* The values stay in the arena; nobody frees them one by one. */
static void json_leave(void)
{
    json_arena = NULL;
}

static const char *const json_kinds[] = {
    [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
    [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
    [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
};

#define JSON_KIND(kind) (1U << (kind))

static const struct json_type_rule {
    const char *wanted;
    unsigned kinds;
} json_type_rules[] = {
    [JSON_TYPE_TEXT] = {"a string", JSON_KIND(JSON_STRING)},
    [JSON_TYPE_BOOL] = {"a boolean", JSON_KIND(JSON_TRUE) | JSON_KIND(JSON_FALSE)},
    [JSON_TYPE_I64] = {"an integer", JSON_KIND(JSON_INTEGER)},
    [JSON_TYPE_TEXT_LIST] = {"a string or an array of strings",
                             JSON_KIND(JSON_STRING) | JSON_KIND(JSON_ARRAY)},
    [JSON_TYPE_TEXT_ARRAY] = {"an array of strings", JSON_KIND(JSON_ARRAY)},
};

static void json_wrong_type(const struct json_walk *walk, struct str pointer, const char *wanted,
                            const json_t *got)
{
    json_findings_add(
        walk->findings, pointer, "wrong_type",
        arena_printf(walk->arena, "Must be %s, is %s.", wanted, json_kinds[json_typeof(got)]));
}

static struct str json_str_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

static bool json_text_ok(const struct json_walk *walk, const struct json_field *field,
                         struct str pointer, const json_t *value)
{
    size_t has = str_codepoints(json_str_of(value));
    bool is_short = has < field->codepoints_min;

    if (!is_short && has <= field->codepoints_max) {
        return true;
    }
    json_findings_add(walk->findings, pointer, is_short ? "too_short" : "too_long",
                      arena_printf(walk->arena, "Must have at %s %zu characters, has %zu.",
                                   is_short ? "least" : "most",
                                   is_short ? field->codepoints_min : field->codepoints_max, has));
    return false;
}

static bool json_list_ok(const struct json_walk *walk, const struct json_field *field,
                         struct str pointer, const json_t *list)
{
    size_t count = json_array_size(list);
    bool ok = true;

    if (count > JSON_LIST_MAX) {
        json_findings_add(walk->findings, pointer, "too_many",
                          arena_printf(walk->arena, "Must have at most %d elements, has %zu.",
                                       JSON_LIST_MAX, count));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        struct str at = arena_printf(walk->arena, "%.*s/%zu", STR_ARG(pointer), i);

        if (!json_is_string(item)) {
            json_wrong_type(walk, at, "a string", item);
            ok = false;
            continue;
        }
        ok = json_text_ok(walk, field, at, item) && ok;
    }
    return ok;
}

static bool json_field_ok(const struct json_walk *walk, const struct json_field *field,
                          const json_t *root)
{
    const json_t *value = json_object_get(root, field->name);
    const struct json_type_rule *rule = &json_type_rules[field->type];
    struct str pointer;

    if (value == NULL && (field->flags & JSON_REQUIRED) == 0) {
        return true;
    }
    if (json_is_null(value) && (field->flags & JSON_NULLABLE) != 0) {
        return true;
    }
    pointer = json_findings_pointer(walk->arena, str_from(field->name));
    if (value == NULL) {
        json_findings_add(walk->findings, pointer, "required",
                          arena_printf(walk->arena, "Is missing; must be %s.", rule->wanted));
        return false;
    }
    if ((rule->kinds & JSON_KIND(json_typeof(value))) == 0) {
        json_wrong_type(walk, pointer, rule->wanted, value);
        return false;
    }
    if (json_is_string(value)) {
        return json_text_ok(walk, field, pointer, value);
    }
    return json_is_array(value) ? json_list_ok(walk, field, pointer, value) : true;
}

static void json_store_list(const json_t *value, struct json_text_list *out)
{
    if (json_is_string(value)) {
        out->items[0] = json_str_of(value);
        out->count = 1;
        return;
    }
    out->count = json_array_size(value); /* null: 0 */
    for (size_t i = 0; i < out->count; i++) {
        out->items[i] = json_str_of(json_array_get(value, i));
    }
}

static void json_store(const struct json_field *field, const json_t *value, void *out)
{
    void *member = (char *)out + field->offset;

    if (value == NULL) {
        return;
    }
    switch (field->type) {
    case JSON_TYPE_TEXT:
        *(struct str *)member = json_is_null(value) ? STR_EMPTY : json_str_of(value);
        return;
    case JSON_TYPE_BOOL:
        *(bool *)member = json_is_true(value);
        return;
    case JSON_TYPE_I64:
        *(int64_t *)member = json_integer_value(value);
        return;
    case JSON_TYPE_TEXT_LIST:
    case JSON_TYPE_TEXT_ARRAY:
        json_store_list(value, member);
        return;
    }
}

static bool json_known(const struct json_walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->count; i++) {
        if (strcmp(walk->fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool json_members_known(const struct json_walk *walk, json_t *root)
{
    const char *name;
    json_t *value;
    bool ok = true;

    json_object_foreach(root, name, value)
    {
        struct str shown;

        if (walk->any_member || json_known(walk, name)) {
            continue;
        }
        shown = json_findings_shown(str_from(name));
        json_findings_add(
            walk->findings, json_findings_pointer(walk->arena, shown), "unknown_member",
            arena_printf(walk->arena, "There is no member \"%.*s\" here.", STR_ARG(shown)));
        ok = false;
    }
    return ok;
}

/* Nothing is stored unless everything is right. */
static enum error json_walk_fields(const struct json_walk *walk, json_t *root, void *out)
{
    bool ok = true;

    if (!json_is_object(root)) {
        json_wrong_type(walk, STR_EMPTY, "an object", root);
        return ERR_VALIDATION;
    }
    for (size_t i = 0; i < walk->count; i++) {
        ok = json_field_ok(walk, &walk->fields[i], root) && ok;
    }
    ok = json_members_known(walk, root) && ok;
    if (arena_overflowed(walk->arena)) {
        return ERR_NO_SPACE;
    }
    if (!ok) {
        return ERR_VALIDATION;
    }
    for (size_t i = 0; i < walk->count; i++) {
        json_store(&walk->fields[i], json_object_get(root, walk->fields[i].name), out);
    }
    return OK;
}

static enum error json_decode(const struct json_walk *walk, struct str body, void *out)
{
    json_t *root;
    enum error error;

    TRY(json_enter(walk, body, &root));
    error = json_walk_fields(walk, root, out);
    json_leave();
    return error;
}

enum error json_in_decode(struct arena *arena, struct str body, const struct json_field *fields,
                          size_t count, void *out, struct json_findings *findings)
{
    const struct json_walk walk = {arena, findings, fields, count, .any_member = false};

    return json_decode(&walk, body, out);
}

enum error json_in_decode_lenient(struct arena *arena, struct str body,
                                  const struct json_field *fields, size_t count, void *out,
                                  struct json_findings *findings)
{
    const struct json_walk walk = {arena, findings, fields, count, .any_member = true};

    return json_decode(&walk, body, out);
}

/* json_enter, and on OK the member is there. */
static enum error json_enter_member(const struct json_walk *walk, struct str body, const char *name,
                                    json_t **out)
{
    json_t *root;
    json_t *member;

    TRY(json_enter(walk, body, &root));
    member = json_object_get(root, name); /* NULL too if root is no object */
    if (member == NULL) {
        json_leave();
        return ERR_NOT_FOUND;
    }
    *out = member;
    return OK;
}

static enum error json_pairs(json_t *map, struct json_pair *out, size_t max, size_t *count)
{
    const char *name;
    json_t *value;
    size_t used = 0;

    if (!json_is_object(map) || json_object_size(map) > max) {
        return ERR_VALIDATION;
    }
    json_object_foreach(map, name, value)
    {
        if (!json_is_string(value)) {
            return ERR_VALIDATION;
        }
        out[used++] = (struct json_pair){str_from(name), json_str_of(value)};
    }
    *count = used;
    return OK;
}

enum error json_in_text_map(struct arena *arena, struct str body, const char *name,
                            struct json_pair *out, size_t max, size_t *count)
{
    json_t *map;
    enum error error;

    TRY(json_enter_member(&(struct json_walk){.arena = arena}, body, name, &map));
    error = json_pairs(map, out, max, count);
    json_leave();
    return error;
}

static enum error json_dump(const json_t *value, struct str *out)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text == NULL) {
        return ERR_NO_SPACE;
    }
    *out = str_from(text);
    return OK;
}

static enum error json_dump_all(const json_t *list, struct str *out, size_t max, size_t *count)
{
    size_t size = json_array_size(list);

    if (!json_is_array(list) || size > max) {
        return ERR_VALIDATION;
    }
    for (size_t i = 0; i < size; i++) {
        TRY(json_dump(json_array_get(list, i), &out[i]));
    }
    *count = size;
    return OK;
}

enum error json_in_elements(struct arena *arena, struct str body, const char *name, struct str *out,
                            size_t max, size_t *count)
{
    json_t *list;
    enum error error;

    TRY(json_enter_member(&(struct json_walk){.arena = arena}, body, name, &list));
    error = json_dump_all(list, out, max, count);
    json_leave();
    return error;
}

enum error json_in_member(struct arena *arena, struct str body, const char *name, struct str *out)
{
    json_t *member;
    enum error error;

    TRY(json_enter_member(&(struct json_walk){.arena = arena}, body, name, &member));
    error = json_dump(member, out);
    json_leave();
    return error;
}
