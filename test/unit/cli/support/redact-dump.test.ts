import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedaction } from "../../../../services/cli/support/redact-dump.ts";

test("a dump has stand-ins in the place of addresses, names and people, the same for the same", () => {
  const redacted = createRedaction()({
    at: "2026-11-24T12:00:00.000Z",
    version: "0.1.0",
    decider: "c1",
    bans: [
      { address: "198.51.100.7", by: "operator alice", reason: "asked by Bob", until: null },
      { address: "198.51.100.0/24", by: "decider", reason: "", offence: 2 },
      { address: "2001:db8::7", by: "operator alice" },
    ],
    warnings: [{ text: "host mx1 (198.51.100.7:993) sees bob@example.org; [2001:db8::7]" }],
    settings: [{ setting: "nats.url", value: "nats://me:pw@192.0.2.1:4222" }],
    "198.51.100.7": true,
  });
  assert.deepEqual(redacted, {
    at: "2026-11-24T12:00:00.000Z",
    version: "0.1.0",
    decider: "c1",
    bans: [
      { address: "ipv4-1", by: "operator-1", reason: "(12 characters)", until: null },
      { address: "ipv4-2/24", by: "decider", reason: "", offence: 2 },
      { address: "ipv6-1", by: "operator-1" },
    ],
    warnings: [{ text: "host mx1 (ipv4-1:993) sees name-1; [ipv6-1]" }],
    settings: [{ setting: "nats.url", value: "nats://(hidden)@ipv4-3:4222" }],
    "ipv4-1": true,
  });
});
