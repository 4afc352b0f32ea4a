import assert from "node:assert/strict";
import { test } from "node:test";
import { zoneTrouble } from "../../../../services/agent/report/zone-trouble.ts";

const NOW = Date.UTC(2026, 0, 7, 12);
const MINUTE = 60_000;

test("a last line whose stamp is whole quarters of an hour away from its file is of another zone", () => {
  const trouble = (minutes: number, hasZone = false) =>
    zoneTrouble({ at: NOW + minutes * MINUTE, hasZone }, NOW);
  assert.match(trouble(120) ?? "", /2 h ahead of .*timezone/);
  assert.match(trouble(-330) ?? "", /5\.5 h behind/);
  for (const minutes of [0, 0.5, -0.5, 7, 127, 3000]) assert.equal(trouble(minutes), undefined);
  assert.equal(trouble(120, true), undefined);
  assert.equal(zoneTrouble(undefined, NOW), undefined);
});
