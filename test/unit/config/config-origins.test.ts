import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { readConfigOrigins } from "../../../services/config/config-origins.ts";

const schema = z.strictObject({
  nats: z
    .strictObject({ url: z.string().default("nats://h"), password: z.string().optional() })
    .prefault({}),
  jails: z
    .record(
      z.string(),
      z.strictObject({ maxretry: z.number().default(5), ports: z.array(z.number()) }),
    )
    .default({}),
  notify: z.strictObject({ url: z.string() }).optional(),
  level: z.string().default("info"),
});

const VARIABLES = { NATS_URL: "nats.url", LEVEL: "level" };

test("each setting has the line, the variable or the default that it comes from, and no secret", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-origins-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "config.yaml");
  const lines = [
    "nats: { url: nats://me:pw1@h, password: pw2 }",
    "jails:",
    "  dovecot:",
    "    ports: [143, 993]",
    "notify:",
    '  url: "https://hooks.example.org/secret"',
  ];
  await writeFile(file, lines.join("\n"), { mode: 0o600 });
  const rows = await readConfigOrigins(schema, file, { LEVEL: "debug" }, VARIABLES);
  assert.deepEqual(
    rows.map(({ setting, value, origin }) => [setting, value, origin.replace(file, "FILE")]),
    [
      ["nats.url", "nats://(hidden)@h", "FILE:1"],
      ["nats.password", "(hidden)", "FILE:1"],
      ["jails.dovecot.maxretry", "5", "default"],
      ["jails.dovecot.ports", "[143,993]", "FILE:4"],
      ["notify.url", "https://hooks.example.org/(hidden)", "FILE:6"],
      ["level", "debug", "environment: LEVEL"],
    ],
  );
  const alone = await readConfigOrigins(schema, undefined, { NATS_URL: "nats://x:y@z" }, VARIABLES);
  assert.deepEqual(alone[0], {
    ...{ setting: "nats.url", value: "nats://(hidden)@z", origin: "environment: NATS_URL" },
  });
});
