/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_secrets.h"

#include <stdio.h>

#include "dev_files.h"
#include "signing.h"

enum { FILE_BYTES_MAX = 4096 };

static NODISCARD enum error write_jwt(struct buf *out)
{
    struct signing_key *key = signing_key_generate();
    enum error error = signing_key_private_jwk(key, out);

    signing_key_free(key);
    return error;
}

static void append_random(struct buf *out)
{
    struct crypto_key key;

    crypto_random(key.bytes, sizeof(key.bytes));
    codec_base64(out, (struct str){(const char *)key.bytes, sizeof(key.bytes)});
    crypto_wipe(&key, sizeof(key));
}

static NODISCARD enum error write_keyring(struct buf *out)
{
    buf_append(out, STR("{\"current\":\"k1\",\"keys\":{\"k1\":\""));
    append_random(out);
    buf_append(out, STR("\"}}"));
    return OK;
}

static NODISCARD enum error write_webhook(struct buf *out)
{
    buf_append(out, STR("{\"secrets\":[\"whsec_"));
    append_random(out);
    buf_append(out, STR("\"]}"));
    return OK;
}

static const struct {
    const char *name;
    enum error (*write)(struct buf *out);
} secrets[] = {
    {"jwt.json", write_jwt},
    {"keyring.json", write_keyring},
    {"webhook.json", write_webhook},
};

static NODISCARD enum error make(const char *path, enum error (*write)(struct buf *out))
{
    char memory[FILE_BYTES_MAX];
    struct buf buf = buf_over(memory, sizeof(memory));
    struct str content;
    enum error error = write(&buf);

    buf_append_byte(&buf, '\n');
    if (error == OK) {
        error = buf_finish(&buf, &content);
    }
    if (error != OK) {
        (void)fprintf(stderr, "user-service dev: cannot make %s: %s\n", path, error_code(error));
        return ERR_IO;
    }
    error = dev_files_write(path, content);
    crypto_wipe(memory, sizeof(memory));
    return error;
}

NODISCARD enum error dev_secrets_make(const char *folder)
{
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        struct dev_path path = dev_files_path("%s/%s", folder, secrets[i].name);
        if (!dev_files_exist(path.text)) {
            TRY(make(path.text, secrets[i].write));
        }
    }
    return OK;
}
