/**
 * Proves to a coordinator who somebody is, with the credentials that NATS knows them by. A coordinator
 * sees of a request only the name in its subject. The JWT in the credentials has the role, the public
 * key and the end of the credentials, signed by the fleet's account. A signature of this instant proves
 * that the sender has the secret half, too.
 */
import { decode } from "@nats-io/jwt";
import { fromPublic } from "@nats-io/nkeys";
import * as z from "zod";
import { ASKER_ROLES, type AskerRole } from "../wire/askers.ts";
import { spellInstant } from "../wire/instants.ts";
import type { Credentials } from "./credentials.ts";
import { signWithSeed } from "./seed-signature.ts";

export interface IdentityProof {
  jwt: string;
  /** When it was signed, epoch milliseconds. */
  at: number;
  /** base64url. */
  signature: string;
}

export interface ProvenIdentity {
  name: string;
  role: AskerRole;
  /** The public key of the credentials. */
  key: string;
  /** When the credentials end, epoch milliseconds; null: when they are revoked. */
  keyUntil: number | null;
}

/** The clocks of two machines may differ by this much. */
const VALID_MS = 5 * 60_000;

const userClaims = z.object({
  name: z.string(),
  sub: z.string().startsWith("U"),
  iss: z.string().startsWith("A"),
  exp: z.number().optional(),
  nats: z.object({ type: z.literal("user"), tags: z.array(z.string()).default([]) }),
});

const signedText = (at: number) => Buffer.from(`fleetban web login ${spellInstant(at)}`);

export function proveIdentity({ jwt, seed }: Credentials, at: number): IdentityProof {
  return { jwt, at, signature: signWithSeed(seed, signedText(at)).toString("base64url") };
}

export interface Verifier {
  /** The account that signs the fleet's credentials. */
  account: string;
  now: number;
}

/** Returns why it proves nothing, in place of the identity. */
export function verifyIdentity(
  { jwt, at, signature }: IdentityProof,
  { account, now }: Verifier,
): ProvenIdentity | { fault: string } {
  const claims = readClaims(jwt);
  if (claims?.iss !== account) {
    return { fault: "these credentials are none that this fleet's account has signed" };
  }
  const { name, sub: key, exp, nats } = claims;
  if (!isSignedBy(key, signedText(at), signature)) {
    return { fault: "the request is not signed by its sender's credentials" };
  }
  if (Math.abs(now - at) > VALID_MS) {
    const differ = Math.round((at - now) / 1000);
    return { fault: `this machine's clock and the coordinator's differ by ${differ} s` };
  }
  if (exp !== undefined && exp * 1000 <= now) return { fault: "these credentials have expired" };
  const role = ASKER_ROLES.find((each) => nats.tags.includes(`role:${each}`));
  if (!role) return { fault: `${name} is neither operator, support nor viewer` };
  return { name, role, key, keyUntil: exp === undefined ? null : exp * 1000 };
}

/** The claims of a user whose JWT is signed by whom it names as issuer; undefined: it is not. */
function readClaims(jwt: string): z.output<typeof userClaims> | undefined {
  try {
    return userClaims.safeParse(decode(jwt)).data;
  } catch {
    return undefined;
  }
}

function isSignedBy(publicKey: string, text: Uint8Array, signature: string): boolean {
  try {
    return fromPublic(publicKey).verify(text, Buffer.from(signature, "base64url"));
  } catch {
    return false;
  }
}
