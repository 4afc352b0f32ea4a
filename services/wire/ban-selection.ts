/** The selection of bans for a command that changes many of them, and the reply to that command. */
import * as z from "zod";
import { ban } from "./ban.ts";
import { instant } from "./codec.ts";
import {
  addressField,
  flagField,
  hostField,
  immunityField,
  instantField,
  jailField,
  policyVersionField,
  secondsField,
  textField,
} from "./request-fields.ts";

const EXPECTED_SELECTION = "expected an object that says which bans are meant";

/** Every field that is given must hold of a ban. */
export const banSelection = z.strictObject(
  {
    jail: jailField.optional(),
    /** Bans of this address, or of addresses and networks within this network. */
    within: addressField.optional(),
    /** No other host has seen more of the failures behind the ban. */
    causedBy: hostField.optional(),
    /** true: no other host has seen any of these failures. */
    alone: flagField.optional(),
    /** "decider", or an operator's name. */
    by: textField.optional(),
    /** It was decided by this version of the policy. */
    policyVersion: policyVersionField.optional(),
    /** The last change of the ban was made at this instant or later. */
    since: instantField.optional(),
  },
  { error: ({ code }) => (code === "invalid_type" ? EXPECTED_SELECTION : undefined) },
);
export type BanSelection = z.infer<typeof banSelection>;

/** What a list of bans may be narrowed down by, besides jail and address; all of it must hold. */
export const banFilter = {
  /** The ban of this address, or of addresses and networks within this network. */
  within: addressField.optional(),
  /** "decider", or an operator's name. */
  by: textField.optional(),
  /** It was decided by this version of the policy. */
  policyVersion: policyVersionField.optional(),
  /** The reason has this text in it, in small or capital letters. */
  reason: textField.optional(),
  /** The last change of the ban was made from the one instant to the other. */
  since: instantField.optional(),
  until: instantField.optional(),
  /** The ban is in force, and ends within this many seconds. */
  endingWithin: secondsField.optional(),
} as const;
export type BanFilter = z.infer<z.ZodObject<typeof banFilter>>;

/** "alice" is "operator alice", also where NATS did not vouch for the name. */
export const makersOf = (name: string): string[] => [
  name,
  ...["operator", "support"].flatMap((role) => [`${role} ${name}`, `${role} ${name} (unverified)`]),
];

const count = z.number().int().nonnegative();

/** A request that changes many bans. */
export const manyBansRequest = {
  selection: banSelection,
  /** true: only says what would be changed. */
  dryRun: flagField,
  /** Bans that were changed after this instant are left alone: it is `asOf` of the preview. */
  asOf: instantField.optional(),
  reason: textField,
} as const;

export const liftManyRequest = {
  ...manyBansRequest,
  /** Seconds in which failures do not count; undefined: the findtime of each ban's jail. */
  immunity: immunityField.optional(),
} as const;

/** How many bans, by a name of what they have in common; the largest numbers first. */
const numbers = z.array(z.object({ name: z.string().max(256), bans: count })).max(20);

export const manyBansReply = z.object({
  /** When the coordinator has looked. */
  asOf: instant,
  /** Bans that the selection is for. */
  matched: count,
  /** How many of them were changed when this was answered, and how many are still to be. */
  changed: count,
  pending: count,
  /** Held bans that stay held: their addresses are on the allowlist, or machines of the fleet. */
  spared: count,
  /** Bans that an operator has commanded, too: they stay as commanded, without what hosts brought. */
  ordered: count.optional(),
  /** Held bans that are selected, where the command is for bans in force: they stay held. */
  held: count.optional(),
  byJail: numbers,
  /** By the host that has caused them. */
  byHost: numbers,
  /** By who has made them. */
  byMaker: numbers,
  /** By the version of the policy that has decided them. */
  byPolicyVersion: numbers.optional(),
  /** The first of them, as they were. */
  bans: z.array(ban),
});
export type ManyBansReply = z.infer<typeof manyBansReply>;
