/**
 * Two operators and the decider change the same bans at the same time, through two coordinators, in
 * an order that a seed decides. When all is quiet, the bans bucket, PostgreSQL and the kernel of
 * every host must say the same, no ban may be in force on an allowed address, and every change of a
 * ban must have been made from the one before it, so that none was lost.
 *
 * Every interleaving has a network of its own, so many of them run side by side and do not meet.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import { TimeoutError } from "@nats-io/nats-core";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createClient, type Ask } from "../../services/cli/client.ts";
import { openBanStore, type BanStore } from "../../services/coordinator/buckets/ban-store.ts";
import { openSettings, type Settings } from "../../services/coordinator/buckets/settings-store.ts";
import { EXIT, PlainError } from "../../services/process/exit.ts";
import { overlaps, parseNetwork, type Address } from "../../services/wire/address.ts";
import { isDue, isInForce, type Ban } from "../../services/wire/ban.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { banKey, failureSubject } from "../../services/wire/subjects.ts";
import { isSpared } from "../../services/policy/spared-ban.ts";
import type { Log } from "../../services/process/log.ts";
import { eventually } from "./eventually.ts";
import type { Fleet } from "./fleet.ts";
import { choicesOfSeed, pick, type Choices } from "./line-formats/choices.ts";

/** Bans of the decider are not held, however many there are. */
export const INTERLEAVINGS_YAML = "guard: { bansPerMinute: 1000000, perHost: 1000000 }";

export interface Interleavings extends AsyncDisposable {
  /** Runs the interleavings of these numbers side by side, and compares when all is quiet. */
  run(from: number, count: number): Promise<void>;
  /** What was asked for so far, and how much of that a coordinator has refused. */
  counts(): { requests: number; refused: number; unanswered: number; changes: number };
}

const JAIL = "dovecot";
const HOUR = 3_600;
/** Steps of each operator and of the attackers in one interleaving. */
const STEPS = 5;
/** The kernel counts whole seconds from when it was told. */
const KERNEL_SLACK_MS = 6_000;

const silent = { info() {}, warn() {}, error() {}, debug() {} } as unknown as Log;

export async function openInterleavings(fleet: Fleet, seed: number): Promise<Interleavings> {
  const connection = await connect({ servers: fleet.natsUrl });
  const bans = openBanStore({ connection, log: silent, onBan: () => {} });
  const settings = openSettings({ connection, log: silent });
  await Promise.all([bans.ready, settings.ready]);
  const clients = ["alice", "bob"].map((who) =>
    createClient(who, () => Promise.resolve({ nats: { url: fleet.natsUrl }, origin: "test" })),
  );
  const counts = { requests: 0, refused: 0, unanswered: 0 };

  async function askPatiently(work: () => Promise<unknown>): Promise<void> {
    counts.requests += 1;
    try {
      await work();
    } catch (error) {
      // The other operator was quicker: nothing to lift, an allowed address.
      const isRefused = error instanceof PlainError && error.exitCode === EXIT.refused;
      const isOvertaken = error instanceof PlainError && /by somebody else/.test(error.message);
      if (isRefused || isOvertaken) counts.refused += 1;
      // A machine that does much else at the same time: nobody knows whether it was done.
      else if (isUnanswered(error)) counts.unanswered += 1;
      else throw error;
    }
  }

  async function interleave(number: number): Promise<void> {
    const block = blockOf(number);
    const operators = clients.map(
      ({ ask }) =>
        (choices: Choices) =>
          askPatiently(chooseCommand(choices, ask, block)),
    );
    const attack = (choices: Choices) => publishAttack(connection, choices, block);
    await Promise.all(
      [...operators, attack].map(async (act, actor) => {
        // Each has choices of its own, so that the seed decides what each does, whoever is quicker.
        const choices = choicesOfSeed(seed + number * 7_919 + actor * 104_729);
        for (let step = 0; step < STEPS; step += 1) {
          for (let turn = choices.below(20); turn > 0; turn -= 1) await setImmediate();
          await act(choices);
        }
      }),
    );
  }

  return {
    async run(from, count) {
      const numbers = Array.from({ length: count }, (_, index) => from + index);
      try {
        await Promise.all(numbers.map(interleave));
        await compare(fleet, { bans, settings });
        await findLostChange(fleet);
      } catch (cause) {
        const where = `interleavings ${from} to ${from + count - 1} of seed ${seed}`;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`${where}: ${reason}`, { cause });
      }
    },
    counts: () => ({ ...counts, changes: bans.revision() }),
    async [Symbol.asyncDispose]() {
      bans.stop();
      settings.stop();
      await Promise.all(clients.map((client) => client.close()));
      await connection.close();
    },
  };
}

const isUnanswered = (error: unknown): boolean =>
  error instanceof PlainError && error.cause instanceof TimeoutError;

/** Addresses and networks of one interleaving: 16 addresses of 198.18.0.0/15. */
function blockOf(number: number): { addresses: Address[]; networks: Address[] } {
  const base = `198.${18 + (number >> 12)}.${(number >> 4) & 255}`;
  const first = (number & 15) * 16;
  const spell = (text: string) => {
    const address = parseNetwork(text);
    if (address === undefined) throw new Error(`${text}: is no address`);
    return address;
  };
  return {
    addresses: [1, 2, 5].map((last) => spell(`${base}.${first + last}`)),
    networks: [spell(`${base}.${first}/28`), spell(`${base}.${first}/30`)],
  };
}

function chooseCommand(
  choices: Choices,
  ask: Ask,
  { addresses, networks }: ReturnType<typeof blockOf>,
): () => Promise<unknown> {
  const address = pick(choices, [...addresses, ...networks]);
  const reason = "interleaving";
  const wait = null;
  switch (choices.below(8)) {
    case 0:
    case 1:
    case 2: {
      const length = pick(choices, [
        {},
        { seconds: HOUR },
        { seconds: 2 * HOUR },
        { seconds: null },
      ]);
      const replace = choices.below(3) === 0;
      return () => ask("ban.add", { address, jail: JAIL, ...length, reason, replace, wait });
    }
    case 3:
    case 4: {
      const immunity = pick(choices, [0, 1, HOUR]);
      return () => ask("ban.remove", { address, reason, immunity, wait });
    }
    case 5:
      return () => ask("allow.add", { address, comment: "" });
    case 6:
      return () => ask("allow.remove", { address });
    default: {
      const [within = address] = networks;
      const selection = { within, ...pick(choices, [{}, { by: "decider" }, { causedBy: "mx1" }]) };
      return () => ask("ban.lift", { selection, dryRun: false, reason });
    }
  }
}

let position = 0;

/** A host reports as many attempts of one address as the jail takes. */
async function publishAttack(
  connection: NatsConnection,
  choices: Choices,
  { addresses }: ReturnType<typeof blockOf>,
): Promise<void> {
  const host = pick(choices, ["mx1", "mx2", "mx3"]);
  const [from, at] = [position, Date.now()];
  position += 1;
  const each = { position: from + 1, address: pick(choices, addresses), at, attempts: 5 };
  const batch = { host, jail: JAIL, source: "interleaving", epoch: "e1", sentAt: at };
  const failures = [{ ...each, form: "made-up" }];
  const bytes = encodeFailureBatch({ v: 1, ...batch, from, to: position, failures });
  await jetstream(connection).publish(failureSubject(JAIL, host), bytes);
}

interface Seen {
  bans: BanStore;
  settings: Settings;
}

/** Waits until all is quiet, and everybody says the same. */
async function compare(fleet: Fleet, seen: Seen): Promise<void> {
  let difference = "nothing was compared";
  try {
    await eventually(
      "bucket, allowlist, PostgreSQL and the kernel of every host say the same",
      async () => {
        difference = (await findDifference(fleet, seen)) ?? "";
        return difference === "";
      },
      60,
    );
  } catch (cause) {
    throw new Error(difference || "was never quiet", { cause });
  }
}

async function findDifference(fleet: Fleet, seen: Seen): Promise<string | undefined> {
  const { bans } = seen;
  const before = bans.revision();
  const found =
    findDisagreement(seen) ??
    (await findUnrecorded(fleet, bans)) ??
    (await findInKernels(fleet, bans));
  if (found !== undefined) return found;
  return bans.revision() === before ? undefined : "bans were changed while they were compared";
}

/** A ban in force on an allowed address, or one that did not come back. */
function findDisagreement({ bans, settings }: Seen): string | undefined {
  const allowed = settings.allowlist.list();
  for (const { key, ban } of bans.entries()) {
    const entry = allowed.find(({ address }) => overlaps(address, ban.address));
    if (entry && isDue(ban, Date.now()))
      return `${key}: is banned, and ${entry.address} is allowed`;
    if (!entry && isSpared(ban, Date.now()))
      return `${key}: is allowed no more, and has not come back`;
  }
  return undefined;
}

async function findUnrecorded(fleet: Fleet, bans: BanStore): Promise<string | undefined> {
  const rows = await fleet.sql<{ jail: string; address: string; change: string; state: string }>(
    `SELECT DISTINCT ON (jail, address) jail, id AS change, state,
       host(address) || '/' || masklen(address) AS address
     FROM ban_change ORDER BY jail, address, revision DESC`,
  );
  const recorded = new Map(
    rows.map((row) => [banKey(row.jail, parseNetwork(row.address) ?? ("" as Address)), row]),
  );
  for (const { key, ban } of bans.entries()) {
    const row = recorded.get(key);
    if (row?.change === ban.change && row.state === ban.state) continue;
    return `${key}: is ${ban.state} in the bucket and ${row?.state ?? "missing"} in PostgreSQL`;
  }
  return recorded.size === [...bans.entries()].length ? undefined : "PostgreSQL has more bans";
}

interface RecordedChange {
  key: string;
  state: Ban["state"];
  startsAt: number;
  changedAt: number;
  until: number | null;
  countedUntil: number | null;
  offence: number;
  by: string;
  isSpared: boolean;
  /** How many hosts have reported the failures behind it. */
  hosts: number;
}

/** Throws where a change was not made from the one before it. */
async function findLostChange(fleet: Fleet): Promise<void> {
  const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;
  const changes = await fleet.sql<RecordedChange>(
    `SELECT jail || ' ' || address AS key, state, offence, by, spared IS NOT NULL AS "isSpared",
       jsonb_array_length(evidence) AS hosts, ${ms("starts_at")} AS "startsAt", ${ms("changed_at")} AS "changedAt",
       ${ms("until")} AS until, ${ms("counted_until")} AS "countedUntil"
     FROM ban_change ORDER BY jail, address, revision`,
  );
  let previous: RecordedChange | undefined;
  for (const change of changes) {
    const before = previous?.key === change.key ? previous : undefined;
    const why = whyNotNext(before, change);
    if (why !== undefined) {
      throw new Error(`${change.key}: ${why}: ${JSON.stringify({ before, change })}`);
    }
    previous = change;
  }
}

/** Why nothing that the algebra knows makes the one of the other; no ban ends in the meantime. */
function whyNotNext(before: RecordedChange | undefined, next: RecordedChange): string | undefined {
  const isBanned = before !== undefined && (before.state === "active" || before.isSpared);
  if (!isBanned) {
    if (next.state !== "active") return "is lifted, and was not banned";
    if (next.startsAt !== next.changedAt) return "does not begin when it is made";
    return next.offence === (before?.offence ?? 1) ? undefined : "has the wrong offence number";
  }
  if (next.startsAt !== before.startsAt) return "does not begin when the ban before it began";
  if (next.offence !== before.offence) return "is another offence than the ban before it";
  if ((next.countedUntil ?? 0) < (before.countedUntil ?? 0)) return "forgets what was answered";
  if (next.state !== "active") return next.until === before.until ? undefined : "ends elsewhere";
  const isReplacement = next.by !== "decider" && next.countedUntil === next.changedAt;
  // An operator's ban is left where what a host has brought was undone.
  const isUndone = next.by !== "decider" && next.hosts < before.hosts;
  const isShorter = (next.until ?? Infinity) < (before.until ?? Infinity);
  const isRight = !isShorter || isReplacement || isUndone;
  return isRight ? undefined : "is shorter than the ban before it";
}

async function findInKernels(fleet: Fleet, bans: BanStore): Promise<string | undefined> {
  for (const { name, namespace } of fleet.hosts) {
    const text = await namespace.run("ipset", ["list", `fleetban-${JAIL}-4`]);
    const found = findInKernel(text, bans);
    if (found !== undefined) return `${found} in the kernel of ${name}`;
  }
  return undefined;
}

function findInKernel(text: string, bans: BanStore): string | undefined {
  const members = new Map(
    [...text.matchAll(/^(\d\S+) timeout (\d+)/gm)].map(([, address = "", seconds]) => [
      address,
      Number(seconds),
    ]),
  );
  for (const { ban } of bans.entries()) {
    const seconds = members.get(ban.address);
    members.delete(ban.address);
    const difference = describeMember(ban, seconds);
    if (difference !== undefined) return difference;
  }
  const [extra] = members.keys();
  return extra === undefined ? undefined : `${extra}: is in no entry of the bucket, and is banned`;
}

/** A timeout of 0 is a ban for ever. */
function describeMember(ban: Ban, seconds: number | undefined): string | undefined {
  const isBanned = isInForce(ban, Date.now());
  if (!isBanned) return seconds === undefined ? undefined : `${ban.address}: is ${ban.state}, yet`;
  if (seconds === undefined) return `${ban.address}: is missing`;
  if (ban.until === null) return seconds === 0 ? undefined : `${ban.address}: ends`;
  const difference = Math.abs(Date.now() + seconds * 1000 - ban.until);
  return difference < KERNEL_SLACK_MS ? undefined : `${ban.address}: ends ${difference} ms off`;
}

/** The whole table is empty where nothing was done: a run that changes nothing proves nothing. */
export function assertBusy(counts: ReturnType<Interleavings["counts"]>): void {
  const { requests, refused, unanswered, changes } = counts;
  const idle = `${refused} of ${requests} requests were refused, ${unanswered} not answered`;
  assert.ok(requests - refused - unanswered > requests / 3, idle);
  assert.ok(changes > requests / 3, `only ${changes} changes of bans`);
}
