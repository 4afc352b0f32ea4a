/** docs/configuration.md against the examples that it is made from. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  CONFIGURATION_PAGE,
  configurationPage,
  optionsOf,
} from "../../../deploy/package/configuration-page.ts";

test("docs/configuration.md is what the examples say; npm run docs writes it", async () => {
  const isCurrent = (await readFile(CONFIGURATION_PAGE, "utf8")) === configurationPage();
  assert.ok(isCurrent, "deploy/examples has changed: run npm run docs");
});

test("an option of an example has its path, its default and its comment", () => {
  const example = `# The head of the file.

nats:
  # Where NATS is,
  # in one line.
  url: nats://127.0.0.1:4222
  # Credentials.
  #creds: /etc/x.creds
sources:
  # The name.
  - name: mail-log
    # The log.
    path: /var/log/mail.log
  #- { name: journal }
`;
  assert.deepEqual(optionsOf(example), [
    {
      ...{ path: "nats.url", value: "nats://127.0.0.1:4222", hasDefault: true },
      comment: "Where NATS is, in one line.",
    },
    { path: "nats.creds", value: "/etc/x.creds", hasDefault: false, comment: "Credentials." },
    { path: "sources.name", value: "mail-log", hasDefault: true, comment: "The name." },
    { path: "sources.path", value: "/var/log/mail.log", hasDefault: true, comment: "The log." },
  ]);
});
