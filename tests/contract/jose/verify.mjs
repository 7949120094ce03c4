// SPDX-License-Identifier: Apache-2.0
// Checks an access token by a library that is not ours, knowing only issuer and audience.
// Standard input: {"token", "issuer", "audience", "typ", "alg"}. Prints {"payload", "protectedHeader"},
// or {"error"} where the token is not good.
import { createRemoteJWKSet, jwtVerify } from "jose";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { token, issuer, audience, typ, alg } = JSON.parse(Buffer.concat(chunks).toString("utf8"));

const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
try {
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer,
    audience,
    typ,
    algorithms: [alg],
  });
  console.log(JSON.stringify({ payload, protectedHeader }));
} catch (error) {
  console.log(JSON.stringify({ error: error.code ?? String(error) }));
}
