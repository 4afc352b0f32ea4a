/** `simulation.show`: two policies on the same failures, one simulation at a time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiContext } from "../../../../services/coordinator/api/api-context.ts";
import { simulationEndpoint } from "../../../../services/coordinator/api/simulation-endpoint.ts";
import type {
  Replayed,
  ReplayQuery,
} from "../../../../services/coordinator/history/replay-failures.ts";
import { parseAddress, type Address } from "../../../../services/wire/address.ts";
import { JAIL } from "../../../harness/jail.ts";

const NOW = Date.UTC(2026, 10, 24);
const DAY_MS = 86_400_000;
const addressOf = (text: string) => parseAddress(text)!;
const [A, B, OFFICE] = [
  addressOf("198.51.100.7"),
  addressOf("198.51.100.8"),
  addressOf("192.0.2.1"),
];

type Given = [address: Address, minute: number, host: string | undefined];

interface Fleet {
  failures: readonly Given[];
  knownGood: readonly Address[];
  knowsLogins: boolean;
  replay: (query: ReplayQuery) => Promise<Replayed>;
}

function contextOf(fleet: Partial<Fleet>): ApiContext {
  const { failures = [], knownGood = [], knowsLogins = true } = fleet;
  const replay = (query: ReplayQuery): Promise<Replayed> => {
    for (const [address, minute, host = "mx1"] of failures) {
      query.onFailure(host, { address, at: query.since + minute * 60_000, attempts: 1 });
    }
    const { since, until } = query;
    return Promise.resolve({ since, until, isWhole: true, attempts: failures.length });
  };
  const context = {
    jails: () => [JAIL, { ...JAIL, name: "recidive", source: "bans" }],
    reload: { config: () => ({ dbpurgeage: 86_400 }) },
    spared: { isSpared: (address: Address) => address === OFFICE },
    quarantines: { of: (host: string) => (host === "mx9" ? {} : undefined) },
    knownGood: {
      hasLoggedIn: (address: Address) => knownGood.includes(address),
      isFollowing: () => knowsLogins,
    },
    history: { replay: fleet.replay ?? replay, stalled: () => undefined },
    now: () => NOW,
  };
  return context as unknown as ApiContext;
}

const show = (fleet: Partial<Fleet>) => simulationEndpoint(contextOf(fleet))["simulation.show"];
const times = (count: number, address: Address, host?: string): Given[] =>
  Array.from({ length: count }, (_, minute): Given => [address, minute, host]);

test("today's policy stands beside the proposed one, with what each of them would have prevented", async () => {
  const failures = [...times(7, A), ...times(4, B)];
  const reply = await show({ failures, knownGood: [B] })(
    { jail: "dovecot", days: 7, maxretry: 3 },
    "operator alice",
  );
  assert.deepEqual(reply, {
    ...{ since: NOW - 7 * DAY_MS, until: NOW, isWhole: true, failures: 11, stale: null },
    today: { bans: 1, addresses: 1, prevented: 2, knownGood: 0 },
    proposed: { bans: 2, addresses: 2, prevented: 5, knownGood: 1 },
  });
});

test("findtime and bantime are tried, and what is not given stays as it is today", async () => {
  const failures = times(10, A);
  const ask = show({ failures, knowsLogins: false });
  const short = await ask({ jail: "dovecot", days: 1, findtime: 60 }, "");
  assert.deepEqual(short.proposed, { bans: 0, addresses: 0, prevented: 0, knownGood: null });
  const brief = await ask({ jail: "dovecot", days: 1, bantime: 1 }, "");
  assert.deepEqual(brief.proposed, { bans: 2, addresses: 1, prevented: 0, knownGood: null });
  const same = await ask({ jail: "dovecot", days: 1 }, "");
  assert.deepEqual(same.proposed, same.today);
  assert.equal((await ask({ jail: "dovecot", days: 1, bantime: null }, "")).proposed.prevented, 5);
});

test("spared addresses and hosts in quarantine bring no ban", async () => {
  const failures = [...times(9, OFFICE), ...times(9, A, "mx9")];
  const reply = await show({ failures })({ jail: "dovecot", days: 1, maxretry: 1 }, "");
  assert.equal(reply.proposed.bans, 0);
});

test("a jail that counts bans cannot be simulated, nor one that is not there", async () => {
  const ask = async (jail: string) => show({})({ jail, days: 1 }, "");
  await assert.rejects(ask("recidive"), { code: 400, message: /counts bans/ });
  await assert.rejects(ask("nosuch"), { code: 404 });
});

test("simulations wait for each other, and too many of them are refused", async () => {
  const running: (() => void)[] = [];
  const ask = show({
    replay: ({ since, until }) =>
      new Promise((resolve) => {
        running.push(() => resolve({ since, until, isWhole: false, attempts: 1 }));
      }),
  });
  const request = { jail: "dovecot", days: 1 };
  const turns = [1, 2, 3, 4].map(() => ask(request, ""));
  await assert.rejects(async () => ask(request, ""), { code: 503, message: /try again/ });
  for (const [index, turn] of turns.entries()) {
    await new Promise(setImmediate);
    assert.equal(running.length, index + 1, "one at a time");
    running[index]?.();
    assert.equal((await turn).isWhole, false);
  }
  const after = ask(request, "");
  await new Promise(setImmediate);
  running[4]?.();
  await after;
});

test("a simulation that fails lets the next one run", async () => {
  let count = 0;
  const ask = show({
    replay: ({ since, until }) =>
      count++ === 0
        ? Promise.reject(new Error("broken"))
        : Promise.resolve({ since, until, isWhole: true, attempts: 0 }),
  });
  const request = { jail: "dovecot", days: 1 };
  await assert.rejects(async () => ask(request, ""), /broken/);
  assert.equal((await ask(request, "")).isWhole, true);
});
