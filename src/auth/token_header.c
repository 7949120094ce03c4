/* SPDX-License-Identifier: Apache-2.0 */
#include "token_header.h"

#include <stddef.h>
#include <string.h>

#include "codec.h"

enum { PART_BYTES_MAX = 384, WORD_BYTES_MAX = 16 };

struct members {
    struct str alg;
    struct str typ;
    struct str kid;
    struct str crit;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct members, alg, 1, WORD_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct members, typ, 1, WORD_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct members, kid, 1, SIGNING_KID_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct members, crit, 0, 64, JSON_OPTIONAL),
};

/* What the thread read last: the text, and what it says. */
struct last {
    size_t part_bytes; /* 0: nothing */
    char part[PART_BYTES_MAX];
    char words[PART_BYTES_MAX];
    struct token_header header;
};

static _Thread_local struct last last;

static struct str keep_word(char **at, struct str word)
{
    struct str kept = {*at, word.len};

    memcpy(*at, word.ptr, word.len);
    *at += word.len;
    return kept;
}

/* The members are parts of the text that they were decoded from, so they fit where it does. */
static void keep(struct str part, const struct members *members)
{
    char *at = last.words;

    last.part_bytes = 0;
    if (part.len > sizeof(last.part) || members->crit.ptr != NULL) {
        return;
    }
    memcpy(last.part, part.ptr, part.len);
    last.header = (struct token_header){
        .alg = keep_word(&at, members->alg),
        .typ = keep_word(&at, members->typ),
        .kid = keep_word(&at, members->kid),
    };
    last.part_bytes = part.len;
}

enum error token_header_read(struct arena *arena, struct str part, struct token_header *out)
{
    struct json_findings findings = {0};
    struct members members = {0};
    struct str json;

    if (part.len > 0 && str_equal(part, (struct str){last.part, last.part_bytes})) {
        *out = last.header;
        return OK;
    }
    if (codec_base64url_decode(arena, part, &json) != OK ||
        json_in_decode_lenient(arena, json, fields, sizeof(fields) / sizeof(fields[0]), &members,
                               &findings) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    keep(part, &members);
    *out = (struct token_header){members.alg, members.typ, members.kid, members.crit.ptr != NULL};
    return OK;
}
