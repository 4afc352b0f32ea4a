import assert from "node:assert/strict";
import { test } from "node:test";
import { createHostGroup } from "../../../services/wire/host-pattern.ts";

test("a group of hosts has those that a pattern includes and none excludes", () => {
  const hosts = ["mx1", "mx9", "mx91", "imap1"];
  for (const [patterns, expected] of [
    [["mx*"], ["mx1", "mx9", "mx91"]],
    [
      ["mx*", "!mx9"],
      ["mx1", "mx91"],
    ],
    [["!mx*"], ["imap1"]],
    [
      ["*1", "!imap*"],
      ["mx1", "mx91"],
    ],
    [["mx1"], ["mx1"]],
    [["!*"], []],
  ] as const) {
    assert.deepEqual(hosts.filter(createHostGroup(patterns)), expected, patterns.join(" "));
  }
});
