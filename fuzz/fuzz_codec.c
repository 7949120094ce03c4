/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of bytes and ids: what is taken is the one text of its value. */
#include "codec.h"
#include "fuzz.h"

/* What `encode` writes of `bytes` is the text that they were read from. */
static void check_same(struct str text, struct str bytes, void (*encode)(struct buf *, struct str))
{
    static char memory[FUZZ_ARENA_BYTES];
    struct buf out = buf_over(memory, sizeof(memory));

    encode(&out, bytes);
    assert(!out.overflowed);
    assert(str_equal(buf_str(&out), text));
}

static void check_exact(struct str text)
{
    uint8_t bytes[32];

    if (codec_base64url_decode_exact(text, bytes, sizeof(bytes)) == OK) {
        assert(text.len == CODEC_BASE64URL_LEN(sizeof(bytes)));
        check_same(text, (struct str){(const char *)bytes, sizeof(bytes)}, codec_base64url);
    }
}

static void check_uuid(struct str text)
{
    char memory[UUID_TEXT_BYTES];
    struct buf out = buf_over(memory, sizeof(memory));
    struct uuid id;

    if (codec_uuid_parse(text, &id) == OK) {
        codec_uuid(&out, id);
        assert(str_equal_nocase(buf_str(&out), text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = fuzz_str(data, size);
    struct str bytes;
    uint64_t number;

    if (codec_base64url_decode(fuzz_arena(), text, &bytes) == OK) {
        check_same(text, bytes, codec_base64url);
    }
    if (codec_base64_decode(fuzz_arena(), text, &bytes) == OK) {
        check_same(text, bytes, codec_base64);
    }
    if (str_to_u64(text, &number) == OK) {
        assert(text.len >= 1 && text.len <= 20);
    }
    check_exact(text);
    check_uuid(text);
    return 0;
}
