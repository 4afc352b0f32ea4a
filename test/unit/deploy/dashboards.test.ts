import assert from "node:assert/strict";
import { test } from "node:test";
import { expressionsOf, readDashboards, type Dashboard } from "../../harness/dashboards.ts";

const dashboards = [...readDashboards()];

test("there are two dashboards, of the fleet and of a host", () => {
  assert.deepEqual(
    dashboards.map(([file]) => file),
    ["fleet.json", "host.json"],
  );
});

for (const [file, dashboard] of dashboards) {
  test(`${file}: every panel has an id and a place that no other panel has`, () => {
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const taken = new Map<string, string>();
    for (const panel of dashboard.panels) {
      for (const cell of cellsOf(panel)) {
        assert.equal(taken.get(cell), undefined, `${panel.title} lies on ${taken.get(cell)}`);
        taken.set(cell, panel.title);
      }
      assert.ok(panel.gridPos.x + panel.gridPos.w <= 24, panel.title);
    }
  });

  test(`${file}: what a panel asks has no variable that is not declared`, () => {
    const names = new Set(dashboard.templating.list.map(({ name }) => name));
    for (const expression of expressionsOf(dashboard)) {
      for (const [, name = ""] of expression.matchAll(/\$\{?(\w+)/g)) {
        assert.ok(names.has(name), expression);
      }
    }
    assert.equal(names.has("host"), file === "host.json");
  });
}

function cellsOf({ gridPos: { x, y, w, h } }: Dashboard["panels"][number]): string[] {
  return Array.from(
    { length: w * h },
    (_, index) => `${x + (index % w)}/${y + Math.floor(index / w)}`,
  );
}
