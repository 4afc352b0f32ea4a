import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { notifyConfig } from "../../../../services/coordinator/notify/notify-config.ts";
import { openSinks } from "../../../../services/coordinator/notify/open-sinks.ts";
import { nextFailing } from "../../../../services/coordinator/notify/back-off.ts";
import { parseRetryAfter } from "../../../../services/coordinator/notify/sinks/post.ts";

const faultsOf = (...sinks: unknown[]) =>
  notifyConfig
    .safeParse({ sinks })
    .error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
const MAIL = { name: "admin", type: "mail", from: "f@example.org", to: ["a@example.org"] };

test("mail waits for five quiet minutes and fifteen at the longest, a webhook for nothing", () => {
  const webhook = { name: "hook", type: "webhook", url: "https://example.org/x" };
  const { sinks } = notifyConfig.parse({ sinks: [{ ...MAIL, smtp: { host: "x" } }, webhook] });
  assert.deepEqual(
    sinks.map(({ latency }) => latency),
    [
      { quiet: 300, longest: 900 },
      { quiet: 0, longest: 0 },
    ],
  );
  assert.equal(sinks[0]?.events.includes("unban"), false);
});

test("a sink that cannot work is refused, with all of its faults", () => {
  assert.deepEqual(
    faultsOf(
      { ...MAIL, to: ["a@example.org\r\nBcc: b@example.org", "-oQ/tmp"], smtp: { host: "x" } },
      MAIL,
      { name: "hook", type: "webhook", url: "http://example.org/x" },
      { name: "slack", type: "slack", url: "https://hooks.slack.com/secret" },
      { name: "late", type: "exec", command: ["/bin/true"], latency: ["15m", "5m"] },
      {
        ...MAIL,
        name: "open",
        smtp: { host: "x", security: "none", user: "u", password: { file: "p" } },
      },
    ),
    [
      "0.to.0: expected an address such as admin@example.org",
      "0.to.1: expected an address such as admin@example.org",
      "1: expected one of smtp and sendmail",
      "2.url: expected https://, and http:// only to this machine",
      "3.url: expected { file: PATH } or { environment: NAME }: no secret stands in this file",
      "4.latency: expected the shorter duration first",
      "5.smtp: expected security: starttls or tls: no password goes over a network without it",
    ].map((line) => `sinks.${line}`),
  );
  assert.match(
    faultsOf({ ...MAIL, smtp: { host: "x" } }, { ...MAIL, smtp: { host: "x" } })[0] ?? "",
    /name of its own/,
  );
});

test("secrets that are missing, empty or readable by others are reported at once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-secrets-"));
  await writeFile(join(folder, "open"), "secret");
  await chmod(join(folder, "open"), 0o644);
  await writeFile(join(folder, "empty"), "\n", { mode: 0o600 });
  await writeFile(join(folder, "short"), "whsec_c2hvcnQ=", { mode: 0o600 });
  const gotify = { type: "gotify", url: "https://example.org" };
  const config = notifyConfig.parse({
    sinks: [
      { ...gotify, name: "a", token: { file: "missing" } },
      { ...gotify, name: "b", token: { file: "open" }, jails: ["nosuch"] },
      { ...gotify, name: "c", token: { file: "empty" } },
      { ...gotify, name: "d", token: { environment: "NOTHING" } },
      { name: "e", type: "webhook", url: "https://example.org", secret: { file: "short" } },
    ],
  });
  const open = () =>
    openSinks(config, { folder, environment: {}, jails: ["dovecot"], now: Date.now });
  assert.throws(open, ({ message }: Error) => {
    const lines = message.split("\n");
    assert.equal(lines.length, 6);
    for (const [index, pattern] of [
      ...[/a\.token: .*missing: cannot be read/, /b\.jails: there is no jail nosuch/],
      ...[/b\.token: open: others may use it/, /c\.token: empty: expected one line/],
      ...[/d\.token: the environment has no NOTHING/, /e\.secret: expected whsec_/],
    ].entries()) {
      assert.match(lines[index] ?? "", pattern);
    }
    return true;
  });
  await rm(folder, { recursive: true });
});

test("pauses grow from seconds to half an hour, and a receiver may ask for a day", () => {
  const retry = { type: "retry", reason: "away" } as const;
  let failing = nextFailing(undefined, retry, 0, 0);
  const pauses = [failing.retryAt];
  for (let tries = 1; tries < 12; tries += 1) {
    failing = nextFailing(failing, retry, 0, 0);
    pauses.push(failing.retryAt);
  }
  assert.deepEqual(pauses.slice(0, 3), [5_000, 10_000, 20_000]);
  assert.equal(pauses.at(-1), 1_800_000);
  const asked = { ...retry, afterMs: parseRetryAfter("99999999", 0) ?? 0 };
  assert.equal(nextFailing(undefined, asked, 0, 0).retryAt, 86_400_000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 1_000), 59_000);
  assert.equal(parseRetryAfter("soon", 0), undefined);
});
