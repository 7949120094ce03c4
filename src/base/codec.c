/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <assert.h>
#include <string.h>

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char base64_alphabet[] = LETTERS_AND_DIGITS "+/";    /* RFC 4648, table 1 */
static const char base64url_alphabet[] = LETTERS_AND_DIGITS "-_"; /* RFC 4648, table 2 */
static const char hex_digits[] = "0123456789abcdef";

enum { BAD_DIGIT = -1 };

/* Without padding; returns the number of characters. */
static size_t encode64(struct buf *out, struct str bytes, const char *alphabet)
{
    size_t characters = 0;

    for (size_t at = 0; at < bytes.len; at += 3) {
        struct str group = str_sub(bytes, at, at + 3);
        uint32_t bits = 0;
        char text[4];

        for (size_t i = 0; i < 3; i++) {
            bits = bits << 8 | (i < group.len ? (unsigned char)group.ptr[i] : 0U);
        }
        for (size_t i = 0; i < 4; i++) {
            text[i] = alphabet[bits >> (18 - 6 * i) & 0x3F];
        }
        buf_append(out, (struct str){text, group.len + 1});
        characters += group.len + 1;
    }
    return characters;
}

static int digit64(char character, const char *alphabet)
{
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52;
    }
    if (character == alphabet[62]) {
        return 62;
    }
    return character == alphabet[63] ? 63 : BAD_DIGIT;
}

/* RFC 4648 section 3.5: bits that encode nothing must be zero, else one value has many texts. */
static bool has_stray_bits(struct str text, const char *alphabet)
{
    static const int unused_bits[4] = {0, 0x3F, 0x0F, 0x03}; /* by characters in the last group */

    if (text.len == 0) {
        return false;
    }
    return (digit64(text.ptr[text.len - 1], alphabet) & unused_bits[text.len % 4]) != 0;
}

static enum error check64(struct str text, const char *alphabet)
{
    if (text.len % 4 == 1) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (digit64(text.ptr[i], alphabet) == BAD_DIGIT) {
            return ERR_INVALID;
        }
    }
    return has_stray_bits(text, alphabet) ? ERR_INVALID : OK;
}

static size_t decoded_bytes(struct str text)
{
    return text.len / 4 * 3 + (text.len % 4) * 3 / 4;
}

/* Of checked text, so that nothing is written when it is bad. */
static void decode64(struct str text, unsigned char *out, const char *alphabet)
{
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < text.len; i++) {
        bits = bits << 6 | (uint32_t)digit64(text.ptr[i], alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = (unsigned char)(bits >> held);
        }
    }
}

static enum error decode64_in(struct arena *arena, struct str text, const char *alphabet,
                              struct str *out)
{
    unsigned char *bytes;

    TRY(check64(text, alphabet));
    bytes = arena_alloc(arena, decoded_bytes(text));
    if (bytes == NULL) {
        return ERR_NO_SPACE;
    }
    decode64(text, bytes, alphabet);
    *out = (struct str){(const char *)bytes, decoded_bytes(text)};
    return OK;
}

void codec_base64url(struct buf *out, struct str bytes)
{
    (void)encode64(out, bytes, base64url_alphabet);
}

enum error codec_base64url_decode(struct arena *arena, struct str text, struct str *out)
{
    return decode64_in(arena, text, base64url_alphabet, out);
}

enum error codec_base64url_decode_exact(struct str text, void *out, size_t bytes)
{
    if (text.len != CODEC_BASE64URL_LEN(bytes)) {
        return ERR_INVALID;
    }
    TRY(check64(text, base64url_alphabet));
    decode64(text, out, base64url_alphabet);
    return OK;
}

void codec_base64(struct buf *out, struct str bytes)
{
    size_t characters = encode64(out, bytes, base64_alphabet);

    while (characters % 4 != 0) {
        buf_append_byte(out, '=');
        characters++;
    }
}

enum error codec_base64_decode(struct arena *arena, struct str text, struct str *out)
{
    struct str digits = text;

    if (text.len % 4 != 0) {
        return ERR_INVALID;
    }
    if (str_ends(digits, STR("="))) {
        digits.len--;
    }
    if (str_ends(digits, STR("="))) {
        digits.len--;
    }
    return decode64_in(arena, digits, base64_alphabet, out);
}

void codec_hex(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        char text[2] = {hex_digits[byte >> 4], hex_digits[byte & 0xF]};

        buf_append(out, (struct str){text, sizeof(text)});
    }
}

void codec_base32(struct buf *out, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned bits = 0;
    unsigned pending = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        pending = (pending << 8 | (unsigned char)bytes.ptr[i]) & 0xFFFU;
        for (bits += 8; bits >= 5; bits -= 5) {
            buf_append_byte(out, digits[pending >> (bits - 5) & 0x1FU]);
        }
    }
    if (bits > 0) {
        buf_append_byte(out, digits[pending << (5 - bits) & 0x1FU]);
    }
}

static bool has_hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void codec_uuid(struct buf *out, struct uuid id)
{
    char memory[UUID_TEXT_BYTES];
    struct buf text = buf_over(memory, sizeof(memory));

    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if (has_hyphen_before(i)) {
            buf_append_byte(&text, '-');
        }
        codec_hex(&text, (struct str){(const char *)&id.bytes[i], 1});
    }
    buf_append(out, buf_str(&text));
}

struct str codec_uuid_in(struct arena *arena, struct uuid id)
{
    struct buf text = buf_in(arena, UUID_TEXT_BYTES);

    codec_uuid(&text, id);
    return buf_str(&text);
}

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return BAD_DIGIT;
}

enum error codec_uuid_parse(struct str text, struct uuid *out)
{
    struct uuid id;
    size_t at = 0;

    if (text.len != UUID_TEXT_BYTES) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        int high, low;

        if (has_hyphen_before(i) && text.ptr[at++] != '-') {
            return ERR_INVALID;
        }
        high = hex_digit(text.ptr[at++]);
        low = hex_digit(text.ptr[at++]);
        if (high == BAD_DIGIT || low == BAD_DIGIT) {
            return ERR_INVALID;
        }
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return OK;
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* Rounded down, so that what is left over is not negative before 1970 either. */
static int64_t floor_div(int64_t value, int64_t by, int64_t *left_over)
{
    int64_t rest = value % by;

    *left_over = rest < 0 ? rest + by : rest;
    return value / by - (rest < 0 ? 1 : 0);
}

struct civil_day {
    int64_t year;
    int64_t month;
    int64_t day;
};

/* The Gregorian date of a day counted from 1970-01-01. Years begin in March, so that the leap day
 * is a year's last; 400 years are one cycle of 146097 days. */
static struct civil_day civil_of(int64_t days)
{
    static const int64_t days_from_0000_03_01 = 719468;
    int64_t shifted = days + days_from_0000_03_01;
    int64_t day;
    int64_t cycle = floor_div(shifted, 146097, &day);
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */

    return (struct civil_day){
        .year = year + cycle * 400 + (month >= 10 ? 1 : 0),
        .month = month >= 10 ? month - 9 : month + 3,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

/* RFC 3339 section 5.6; `fraction` has `digits` digits. */
static void rfc3339(struct buf *out, int64_t unix_s, int64_t fraction, int digits)
{
    int64_t second;
    int64_t days = floor_div(unix_s, 86400, &second);
    struct civil_day date = civil_of(days);

    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%0*lldZ", (int)date.year, (int)date.month,
               (int)date.day, (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60),
               digits, (long long)fraction);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}

void codec_rfc3339(struct buf *out, int64_t unix_ms)
{
    static const int64_t first_ms = -62167219200000; /* 0000-01-01T00:00:00.000Z */
    static const int64_t last_ms = 253402300799999;  /* 9999-12-31T23:59:59.999Z */
    int64_t ms;
    int64_t second = floor_div(clamp(unix_ms, first_ms, last_ms), 1000, &ms);

    rfc3339(out, second, ms, 3);
}

void codec_rfc3339_ns(struct buf *out, int64_t unix_ns)
{
    int64_t ns;
    int64_t second = floor_div(unix_ns, 1000000000, &ns);

    rfc3339(out, second, ns, 9);
}

struct str codec_rfc3339_in(struct arena *arena, int64_t unix_ms)
{
    char memory[RFC3339_BYTES_MAX + 1];
    struct buf text = buf_over(memory, sizeof(memory));

    codec_rfc3339(&text, unix_ms);
    return arena_copy(arena, buf_str(&text));
}
