// SPDX-License-Identifier: Apache-2.0
// One token a line in; one line each out: "good", or why not. `verify` is the document's.
import { createInterface } from "node:readline";
import { verify } from "./documented.mjs";

for await (const token of createInterface({ input: process.stdin })) {
  const verdict = await verify(token).then(
    () => "good",
    (error) => `${error.code ?? error}`,
  );
  console.log(verdict.replaceAll("\n", " "));
}
