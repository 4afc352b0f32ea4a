/**
 * NATS identities of a fleet: an operator whom the servers trust, the system account, the
 * fleet's account, and one for its hosts, with a user for everybody who has a role. Hosts
 * are the weak end, and reach into the fleet's account only as HOSTS_REACH says.
 */
import {
  createAccount,
  createOperator,
  createUser,
  decode,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
  fromSeed,
  type Account,
  type KeyPair,
} from "@nats-io/jwt";
import { HOSTS_REACH, rightsOf, type Role } from "../../wire/rights.ts";
import { revokedKey, WEB_BUCKET } from "../../wire/subjects.ts";
import { DEFAULT_MAX_HOSTS, limitsFor, maxHostsOf, SYSTEM_LIMITS } from "./account-limits.ts";
import { noteIssued } from "./issued.ts";
import type { KeyFolder } from "./key-folder.ts";

/** By their names in the key folder. */
const ACCOUNTS = { fleet: "FLEETBAN", hosts: "FLEETBAN_HOSTS" } as const;
export type AccountName = keyof typeof ACCOUNTS;
export const ACCOUNT_NAMES: readonly AccountName[] = ["fleet", "hosts"];

export const accountOf = (role: Role): AccountName => (role === "agent" ? "hosts" : "fleet");

/** Subscriptions at once, bytes of one message: what its work takes at most, and some room. */
const USER_LIMITS: Readonly<Record<Role, { subs: number; payload: number }>> = {
  agent: { subs: 64, payload: 1_048_576 },
  coordinator: { subs: 1_024, payload: 1_048_576 },
  operator: { subs: 64, payload: 65_536 },
  support: { subs: 64, payload: 65_536 },
  viewer: { subs: 64, payload: 65_536 },
};

/** A user without rights in its JWT may do nothing. */
const NOTHING = { pub: { deny: [">"] }, sub: { deny: [">"] } };

/** Makes everything of NATS that `fleetban key init` makes. */
export async function createIdentities(folder: KeyFolder): Promise<void> {
  const operator = createOperator();
  const system = createAccount();
  const [fleet, hosts] = [createAccount(), createAccount()];
  const systemAccount = { system_account: system.getPublicKey() };
  folder.write("operator.jwt", await encodeOperator("fleetban", operator, systemAccount));
  folder.write(
    "system.jwt",
    await encodeAccount("SYS", system, { limits: SYSTEM_LIMITS }, { signer: operator }),
  );
  const write = async (name: AccountName, pair: KeyPair, account: Partial<Account>) => {
    const nothing = { ...account, default_permissions: NOTHING };
    const jwt = await encodeAccount(ACCOUNTS[name], pair, nothing, { signer: operator });
    folder.write(`${name}.jwt`, jwt);
    folder.write(`${name}.seed`, seedOf(pair));
  };
  const limits = limitsFor(DEFAULT_MAX_HOSTS);
  const fleetKey = fleet.getPublicKey();
  await write("fleet", fleet, { limits: limits.fleet, ...reachOf("fleet", fleetKey) });
  await write("hosts", hosts, { limits: limits.hosts, ...reachOf("hosts", fleetKey) });
  const pusher = createUser();
  const rights = { pub: { allow: [CLAIMS_UPDATE] }, sub: { allow: ["_INBOX.>"] } };
  const jwt = await encodeUser("pusher", pusher, system, rights);
  folder.write("system.creds", Buffer.from(fmtCreds(jwt, pusher)).toString());
  folder.write("system.seed", seedOf(system));
  folder.write("operator.seed", seedOf(operator));
}

/** What the account has of the hosts' way into the fleet's account, whose public key this is. */
function reachOf(name: AccountName, fleetKey: string): Pick<Account, "exports" | "imports"> {
  const { services, streams } = HOSTS_REACH;
  const exports = [
    ...services.map((subject) => ({ name: subject, subject, type: "service" as const })),
    ...streams.map((subject) => ({ name: subject, subject, type: "stream" as const })),
  ];
  if (name === "fleet") return { exports };
  return { imports: exports.map((each) => ({ ...each, account: fleetKey })) };
}

/** Gives the accounts of an earlier version the hosts' way of this one. Returns whether they lacked it. */
export async function renewReach(folder: KeyFolder, now: () => number): Promise<boolean> {
  const { exports = [] } = decode<Account>(folder.read("fleet.jwt")).nats;
  const known = new Set(exports.map(({ subject }) => subject));
  const { services, streams } = HOSTS_REACH;
  if ([...services, ...streams].every((subject) => known.has(subject))) return false;
  for (const name of ACCOUNT_NAMES) await rewriteAccount(folder, name, now, () => ({}));
  return true;
}

/** Where NATS takes a changed account JWT, on the system account. */
export const CLAIMS_UPDATE = "$SYS.REQ.CLAIMS.UPDATE";

/**
 * Makes credentials: the content of a .creds file. `until` is when they run out, epoch
 * milliseconds; null: never. What was made before stays valid until it is revoked.
 */
export async function issueCredentials(
  folder: KeyFolder,
  { role, name, now, until }: { role: Role; name: string; now: number; until: number | null },
): Promise<string> {
  const user = createUser();
  const { publish, subscribe } = rightsOf(role, name);
  const rights = {
    pub: { allow: [...publish] },
    sub: { allow: [...subscribe] },
    ...USER_LIMITS[role],
    tags: [`role:${role}`],
  };
  const expiry = until === null ? {} : { exp: Math.floor(until / 1000) };
  const jwt = await encodeUser(
    name,
    user,
    keyOf(folder, `${accountOf(role)}.seed`),
    rights,
    expiry,
  );
  noteIssued(folder, {
    ...{ role, name, key: user.getPublicKey(), at: new Date(now).toISOString() },
    until: until === null ? null : new Date(until).toISOString(),
  });
  return Buffer.from(fmtCreds(jwt, user)).toString();
}

const MINUTE_SECONDS = 60;

/** Credentials for a minute, which can note in the web page's bucket which keys are revoked. */
export async function issueForRevocation(folder: KeyFolder, now: number): Promise<string> {
  const user = createUser();
  const rights = {
    pub: {
      allow: [`$JS.API.STREAM.INFO.KV_${WEB_BUCKET}`, `$KV.${WEB_BUCKET}.${revokedKey("*")}`],
    },
    sub: { allow: ["_INBOX.>"] },
  };
  const exp = Math.floor(now / 1000) + MINUTE_SECONDS;
  const jwt = await encodeUser("key-revoke", user, keyOf(folder, "fleet.seed"), rights, { exp });
  return Buffer.from(fmtCreds(jwt, user)).toString();
}

/** Public keys that are revoked, with the second up to which theirs are. */
export function readRevocations(folder: KeyFolder): Readonly<Record<string, number>> {
  const accounts = ACCOUNT_NAMES.map((name) => decode<Account>(folder.read(`${name}.jwt`)));
  return Object.assign({}, ...accounts.map(({ nats }) => nats.revocations ?? {})) as Readonly<
    Record<string, number>
  >;
}

/** Writes their account anew, with these keys revoked besides those that are. */
export async function revokeKeys(
  folder: KeyFolder,
  name: AccountName,
  keys: readonly string[],
  now: () => number,
): Promise<void> {
  await rewriteAccount(folder, name, now, ({ revocations }) => {
    const at = Math.floor(now() / 1000);
    return { revocations: { ...revocations, ...Object.fromEntries(keys.map((key) => [key, at])) } };
  });
}

/** Mail hosts that the accounts leave room for; undefined: they have no limits yet. */
export function readMaxHosts(folder: KeyFolder): number | undefined {
  const { conn } = decode<Account>(folder.read("hosts.jwt")).nats.limits ?? {};
  return maxHostsOf(conn);
}

/** Writes both accounts anew, with limits that leave room for this number of mail hosts. */
export async function writeLimits(
  folder: KeyFolder,
  maxHosts: number,
  now: () => number,
): Promise<void> {
  const limits = limitsFor(maxHosts);
  for (const name of ACCOUNT_NAMES) {
    await rewriteAccount(folder, name, now, () => ({ limits: limits[name] }));
  }
}

async function rewriteAccount(
  folder: KeyFolder,
  name: AccountName,
  now: () => number,
  change: (account: Partial<Account>) => Partial<Account>,
): Promise<void> {
  const { nats, iat } = decode<Account>(folder.read(`${name}.jwt`));
  // Servers keep the newer JWT, and tell by the second.
  await untilAfter(iat, now);
  const reach = reachOf(name, publicKeyOf(folder, "fleet"));
  const account: Partial<Account> = { ...nats, ...reach, ...change(nats) };
  const signer = keyOf(folder, "operator.seed");
  const pair = keyOf(folder, `${name}.seed`);
  folder.write(`${name}.jwt`, await encodeAccount(ACCOUNTS[name], pair, account, { signer }));
}

async function untilAfter(second: number, now: () => number): Promise<void> {
  const wait = (second + 1) * 1000 - now();
  if (wait > 0 && wait <= 1000) await new Promise((resolve) => setTimeout(resolve, wait));
}

export function publicKeyOf(folder: KeyFolder, account: AccountName | "system"): string {
  return keyOf(folder, `${account}.seed`).getPublicKey();
}

function keyOf(folder: KeyFolder, file: string): KeyPair {
  return fromSeed(Buffer.from(folder.read(file).trim()));
}

function seedOf(pair: KeyPair): string {
  return `${Buffer.from(pair.getSeed()).toString()}\n`;
}
