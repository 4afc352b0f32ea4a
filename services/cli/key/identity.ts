/**
 * NATS identities of a fleet: an operator whom the servers trust, the system account, and
 * the fleet's account with a user for everybody who has a role.
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
import { rightsOf, type Role } from "../../wire/rights.ts";
import { noteIssued } from "./issued.ts";
import type { KeyFolder } from "./key-folder.ts";

const ACCOUNT = "FLEETBAN";
const UNLIMITED = -1;

const NATS_LIMITS = {
  ...{ conn: UNLIMITED, subs: UNLIMITED, data: UNLIMITED, payload: UNLIMITED },
  ...{ leaf: 0, imports: 0, exports: 0, wildcards: true, disallow_bearer: true },
};

/** The fleet's account: all of JetStream on disk, none of it in memory. */
const ACCOUNT_LIMITS = {
  ...NATS_LIMITS,
  ...{ mem_storage: 0, disk_storage: UNLIMITED, streams: 16, consumer: 20_000 },
};

/** Subscriptions at once, bytes of one message: what its work takes at most, and some room. */
const USER_LIMITS: Readonly<Record<Role, { subs: number; payload: number }>> = {
  agent: { subs: 64, payload: 1_048_576 },
  coordinator: { subs: 1_024, payload: 1_048_576 },
  operator: { subs: 64, payload: 65_536 },
  viewer: { subs: 64, payload: 65_536 },
};

/** Who has no rights of its own has none. */
const NOTHING = { pub: { deny: [">"] }, sub: { deny: [">"] } };

/** Makes everything of NATS that `fleetban key init` makes. */
export async function createIdentities(folder: KeyFolder): Promise<void> {
  const operator = createOperator();
  const system = createAccount();
  const fleet = createAccount();
  const systemAccount = { system_account: system.getPublicKey() };
  folder.write("operator.jwt", await encodeOperator("fleetban", operator, systemAccount));
  folder.write(
    "system.jwt",
    await encodeAccount("SYS", system, { limits: NATS_LIMITS }, { signer: operator }),
  );
  const account: Partial<Account> = { limits: ACCOUNT_LIMITS, default_permissions: NOTHING };
  folder.write("fleet.jwt", await encodeAccount(ACCOUNT, fleet, account, { signer: operator }));
  const pusher = createUser();
  const rights = { pub: { allow: [CLAIMS_UPDATE] }, sub: { allow: ["_INBOX.>"] } };
  const jwt = await encodeUser("pusher", pusher, system, rights);
  folder.write("system.creds", Buffer.from(fmtCreds(jwt, pusher)).toString());
  folder.write("system.seed", seedOf(system));
  folder.write("fleet.seed", seedOf(fleet));
  folder.write("operator.seed", seedOf(operator));
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
  const jwt = await encodeUser(name, user, keyOf(folder, "fleet.seed"), rights, expiry);
  noteIssued(folder, {
    ...{ role, name, key: user.getPublicKey(), at: new Date(now).toISOString() },
    until: until === null ? null : new Date(until).toISOString(),
  });
  return Buffer.from(fmtCreds(jwt, user)).toString();
}

/** Public keys that are revoked, with the second up to which theirs are. */
export function readRevocations(folder: KeyFolder): Readonly<Record<string, number>> {
  return decode<Account>(folder.read("fleet.jwt")).nats.revocations ?? {};
}

/** Writes the fleet's account anew, with these keys revoked besides those that are. */
export async function revokeKeys(
  folder: KeyFolder,
  keys: readonly string[],
  now: () => number,
): Promise<void> {
  const { nats, iat } = decode<Account>(folder.read("fleet.jwt"));
  // Servers keep the newer JWT, and tell by the second.
  await untilAfter(iat, now);
  const at = Math.floor(now() / 1000);
  const revoked = Object.fromEntries(keys.map((key) => [key, at]));
  const account: Partial<Account> = { ...nats, revocations: { ...nats.revocations, ...revoked } };
  const signer = keyOf(folder, "operator.seed");
  const fleet = keyOf(folder, "fleet.seed");
  folder.write("fleet.jwt", await encodeAccount(ACCOUNT, fleet, account, { signer }));
}

async function untilAfter(second: number, now: () => number): Promise<void> {
  const wait = (second + 1) * 1000 - now();
  if (wait > 0 && wait <= 1000) await new Promise((resolve) => setTimeout(resolve, wait));
}

export function publicKeyOf(folder: KeyFolder, seedFile: "system.seed" | "fleet.seed"): string {
  return keyOf(folder, seedFile).getPublicKey();
}

function keyOf(folder: KeyFolder, file: string): KeyPair {
  return fromSeed(Buffer.from(folder.read(file).trim()));
}

function seedOf(pair: KeyPair): string {
  return `${Buffer.from(pair.getSeed()).toString()}\n`;
}
