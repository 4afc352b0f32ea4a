import assert from "node:assert/strict";
import { test } from "node:test";
import { formatWhere } from "../../../services/cli/ban-show.ts";
import { formatZoned } from "../../../services/cli/time.ts";
import { parseNetwork } from "../../../services/wire/address.ts";
import type { Ban } from "../../../services/wire/ban.ts";
import type { Standing } from "../../../services/wire/reach.ts";

const AT = Date.UTC(2026, 10, 30, 12);
const BAN = { jail: "dovecot", address: parseNetwork("198.51.100.7")! } as Ban;
const none = { missing: [], dryRun: [], ineffective: [], refused: [] };
const STANDING: Standing = {
  ...{ ...none, inForce: ["mx1", "mx2"] },
  silent: [
    { host: "mx4", lastSeenAt: AT, hadBan: true },
    { host: "mx10", lastSeenAt: AT, hadBan: false },
  ],
  counts: { live: 2, inForce: 2, missing: 0, dryRun: 0, ineffective: 0, refused: 0, silent: 2 },
};
const SILENT = `silent: mx4 since ${formatZoned(AT)} (had the ban), mx10 since ${formatZoned(AT)} (did not report the ban)`;

test("where a ban is in force names the hosts that are silent, and since when", () => {
  const where = formatWhere(BAN, { standing: STANDING });
  assert.equal(where, `on 2/2 hosts: mx1, mx2; ${SILENT}`);
});

test("silent hosts are named where no host is up, and of a ban that is for some hosts alone", () => {
  const counts = { ...STANDING.counts, live: 0, inForce: 0 };
  const nobody = formatWhere(BAN, { standing: { ...STANDING, inForce: [], counts } });
  assert.equal(nobody, `nowhere that is known: no host is up; ${SILENT}`);
  const local = formatWhere({ ...BAN, hosts: ["mx1", "mx2"] }, { standing: STANDING });
  assert.ok(local.includes(SILENT), local);
});

test("a coordinator of an earlier version does not tell of silent hosts", () => {
  const { silent, ...earlier } = STANDING;
  assert.equal(silent?.length, 2);
  assert.equal(formatWhere(BAN, { standing: earlier }), "on 2/2 hosts: mx1, mx2");
});
