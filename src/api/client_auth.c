/* SPDX-License-Identifier: Apache-2.0 */
#include "client_auth.h"

#include "form_in.h"

enum { BASIC_BYTES_MAX = 1024 };

struct credentials {
    struct str id;
    struct str secret;
};

/* RFC 7617 section 2, with both parts form-encoded first (RFC 6749 section 2.3.1). */
static enum error parse_basic(struct request *request, struct str header, struct credentials *out)
{
    struct str scheme = str_cut(&header, ' ');
    struct str pair;

    header = str_trim(header);
    if (!str_equal_nocase(scheme, STR("Basic")) || header.len > BASIC_BYTES_MAX ||
        codec_base64_decode(request->arena, header, &pair) != OK ||
        !str_find(pair, ':', &(size_t){0})) {
        return ERR_INVALID_CLIENT;
    }
    struct str id = str_cut(&pair, ':');
    if (form_in_unescape(request->arena, id, &out->id) != OK ||
        form_in_unescape(request->arena, pair, &out->secret) != OK) {
        return ERR_INVALID_CLIENT;
    }
    if (pair.len == 0) {
        out->secret = STR_EMPTY; /* presented, if empty */
    }
    return OK;
}

/* "The client MUST NOT use more than one authentication method in each request" (RFC 6749 section
 * 2.3); its own client_id beside Basic is none. ptr NULL: there are none. */
static enum error collect(struct request *request, const struct credentials *form,
                          struct credentials *out)
{
    struct str header = http_request_header(request->x, "Authorization");

    if (header.ptr == NULL) {
        *out = *form;
        return OK;
    }
    TRY(parse_basic(request, header, out));
    if (form->secret.ptr != NULL || (form->id.ptr != NULL && !str_equal(form->id, out->id))) {
        return ERR_MALFORMED_REQUEST;
    }
    return OK;
}

/* Memory vouches for what it knows; what it does not may be newer than it. */
static enum error authenticate(struct request *request, const struct credentials *credentials,
                               struct client *out)
{
    struct uuid id;
    enum error error;

    if (codec_uuid_parse(credentials->id, &id) != OK) {
        return ERR_INVALID_CLIENT; /* nobody to ask about */
    }
    if (request->work.pg != NULL) {
        return clients_ask_secret(request->work.pg, request->arena, credentials->id,
                                  credentials->secret, out);
    }
    error = clients_authenticate(request->api->options.clients, request->arena, credentials->id,
                                 credentials->secret, out);
    return error == ERR_INVALID_CLIENT ? ERR_DEFER : error;
}

enum error client_auth_check(struct request *request, struct str form_client_id,
                             struct str form_client_secret, struct client *out)
{
    const struct credentials form = {form_client_id, form_client_secret};
    struct credentials credentials;

    TRY(collect(request, &form, &credentials));
    if (credentials.id.ptr == NULL || credentials.secret.ptr == NULL) {
        return ERR_INVALID_CLIENT;
    }
    return authenticate(request, &credentials, out);
}

static enum error look(struct request *request, struct str client_id, struct client *out)
{
    enum error error = clients_find(request->api->options.clients, request->arena, client_id, out);

    if (error == ERR_NOT_FOUND) { /* new, perhaps */
        error = clients_ask(request->work.pg, request->arena, client_id, out);
    }
    return error;
}

enum error client_auth_identify(struct request *request, struct str form_client_id,
                                struct str form_client_secret, struct client_identity *out)
{
    const struct credentials form = {form_client_id, form_client_secret};
    struct client_identity identity = {.is_named = true};
    struct credentials credentials;
    enum error error;

    TRY(collect(request, &form, &credentials));
    if (credentials.secret.ptr != NULL) {
        TRY(client_auth_check(request, form_client_id, form_client_secret, &identity.client));
        identity.is_authenticated = true;
        *out = identity;
        return OK;
    }
    identity.is_named = credentials.id.ptr != NULL;
    error =
        look(request, identity.is_named ? credentials.id : SESSION_FIRST_PARTY, &identity.client);
    if (error == ERR_NOT_FOUND) {
        return ERR_INVALID_CLIENT;
    }
    TRY(error);
    *out = identity;
    return OK;
}

enum error client_auth_public(struct request *request, struct str client_id, struct str *out)
{
    struct client client;
    enum error error;

    if (client_id.ptr == NULL || str_equal(client_id, SESSION_FIRST_PARTY)) {
        *out = SESSION_FIRST_PARTY;
        return OK;
    }
    error = look(request, client_id, &client);
    if (error == ERR_NOT_FOUND || (error == OK && !client.is_public)) {
        return ERR_INVALID_CLIENT;
    }
    TRY(error);
    *out = client.id;
    return OK;
}
