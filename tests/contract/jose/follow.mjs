// SPDX-License-Identifier: Apache-2.0
// Keeps the keys for `max-age` seconds, as a service that runs for long does, and fetches them no
// earlier. One token a line in; one line each out: "good", or why not.
// usage: node follow.mjs JWKS-URL ISSUER AUDIENCE MAX-AGE
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";

const [url, issuer, audience, maxAge] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(url), {
  cacheMaxAge: 1000 * Number(maxAge),
  cooldownDuration: 3_600_000,
});
const wanted = { issuer, audience, typ: "at+jwt", algorithms: ["ES256", "RS256"] };

for await (const token of createInterface({ input: process.stdin })) {
  const verdict = await jwtVerify(token, keys, wanted).then(
    () => "good",
    (error) => `${error.code ?? error}`,
  );
  console.log(verdict.replaceAll("\n", " "));
}
