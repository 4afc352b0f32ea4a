import assert from "node:assert/strict";
import { test } from "node:test";
import type { Jail } from "../../../../../services/wire/settings.ts";
import { agentConfig, type SourceConfig } from "../../../../../services/agent/agent-config.ts";
import {
  warningsOfSource,
  type SourceConditions,
} from "../../../../../services/agent/report/sources/source-warnings.ts";

function sourceOf(fields: object): SourceConfig {
  const { sources } = agentConfig.parse({
    host: "mx1",
    nats: {},
    sources: [{ name: "mail", ...fields }],
  });
  const [source] = sources;
  assert.ok(source);
  return source;
}

const surroundings: SourceConditions["surroundings"] = {
  missingUnit: () => undefined,
  journalTrouble: () => undefined,
  quietPort: () => undefined,
};
const JAIL: Jail = {
  v: 1,
  name: "dovecot",
  ports: [143],
  maxretry: 5,
  findtime: 60,
  bantime: 60,
};
const fine: SourceConditions = {
  config: sourceOf({ path: "/var/log/mail.log" }),
  ...{ state: "reading", trouble: undefined, lag: 0, gap: undefined },
  filter: { shortened: 0, unusable: undefined },
  ...{ time: { state: "right" }, unrecognized: undefined, jails: [JAIL], surroundings },
};

test("a source on which nothing is wrong warns of nothing", () => {
  assert.deepEqual(warningsOfSource(fine), []);
});

const journal = sourceOf({ unit: "dovecot.service" });
const CASES: readonly [string, Partial<SourceConditions>, string, RegExp][] = [
  [
    "a file that may not be read",
    { state: "failed", trouble: "permission denied: chmod 640 /var/log/mail.log" },
    "source-failed",
    /^source mail \(\/var\/log\/mail\.log\) cannot be read.*permission denied: chmod 640/,
  ],
  [
    "a file that is not there",
    { state: "waiting" },
    "source-missing",
    /no file \/var\/log\/mail\.log yet/,
  ],
  [
    "a journal that may not be read, though journalctl waits for entries",
    {
      config: journal,
      surroundings: { ...surroundings, journalTrouble: () => "usermod -aG systemd-journal" },
    },
    "source-failed",
    /dovecot\.service.*usermod -aG systemd-journal/,
  ],
  [
    "a unit that does not exist",
    { config: journal, surroundings: { ...surroundings, missingUnit: () => "dovecot.service" } },
    "source-unit-missing",
    /no unit dovecot\.service/,
  ],
  [
    "an hour without a line while a server listens",
    { surroundings: { ...surroundings, quietPort: () => 143 } },
    "source-quiet",
    /no line for an hour.*port 143/,
  ],
  [
    "stamps that no time zone explains",
    { time: { state: "wrong", aheadMs: -420_000 } },
    "log-clock",
    /is 7m behind this host's clock/,
  ],
  [
    "lines that look like attempts and are not understood",
    { unrecognized: { count: 7, sample: "mx1 dovecot: auth: new(...): refused" } },
    "lines-not-understood",
    /7 lines within an hour.*--unrecognized.*auth: new\(\.\.\.\): refused/,
  ],
  [
    "lines that were lost",
    { gap: { foundAt: 0, reason: "rotated away" } },
    "source-gap",
    /rotated away/,
  ],
  ["a source that does not keep up", { lag: 20_000_000 }, "source-lag", /20 MB behind/],
  [
    "a filter that this agent cannot compile, and of no missing file, which nobody has looked for",
    { state: "idle", filter: { shortened: 0, unusable: "failregex: unknown tag <F-NEW>" } },
    "filter-unusable",
    /filter of jail dovecot.*the coordinator's version: failregex: unknown tag <F-NEW>/,
  ],
  [
    "a jail that the coordinator does not have",
    { state: "idle", jails: [{ ...JAIL, name: "ssh" }] },
    "unknown-jail",
    /jail dovecot, which the coordinator does not have/,
  ],
];

for (const [sentence, conditions, code, text] of CASES) {
  test(`it warns of ${sentence}`, () => {
    const [warning, ...more] = warningsOfSource({ ...fine, ...conditions });
    assert.equal(warning?.code, code);
    assert.equal(warning.subject, "mail");
    assert.match(warning.text, text);
    assert.ok(warning.text.length < 500);
    assert.deepEqual(more, []);
  });
}
