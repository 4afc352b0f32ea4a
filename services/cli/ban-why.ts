/** `fleetban ban why ADDRESS`: why the address is banned, or why it is not. */
import type { Command } from "commander";
import { jailSentences } from "../policy/jail-sentences.ts";
import type { Address } from "../wire/address.ts";
import type { Reply } from "../wire/api.ts";
import { isDue, isHeld, isInForce, type Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import { addressQuestion } from "./address-question.ts";
import { describeHeld, formatWhere } from "./ban-show.ts";
import { formatEvidence, formatState } from "./ban-words.ts";
import type { Context } from "./context.ts";
import { explainKnownGood } from "./known-good.ts";
import type { Cell } from "./table.ts";
import { formatBoth } from "./time.ts";
import { showTrace } from "./trace.ts";
import { shorten } from "./visible.ts";

type Answer = Reply<"ban.show">;

export function whyCommand(context: Context): Command {
  const { ask, output, now } = context;
  return addressQuestion(context, {
    verb: "why",
    description: "why an address is banned, or why it is not: evidence, rule, what spares it",
    addOptions(command) {
      command.option("--trace", "the way of each ban with times, from the log to every host");
    },
    async tell(reply, address) {
      const { jails } = await ask("status.show", {});
      const isDue = reply.bans.some((ban) => isInForce(ban, now()) || isHeld(ban, now()));
      if (!isDue) output.line(`${address} is not banned`);
      for (const ban of reply.bans) {
        output.line(`${ban.address} in ${ban.jail}: ${formatState(ban, now())}`);
        const rule = jails.find(({ name }) => name === ban.jail);
        output.facts(explain(ban, rule, reply, now()));
      }
      for (const trace of reply.traces ?? []) showTrace(output, trace);
      output.line("");
      output.facts([
        ...explainAddress(reply),
        ...explainKnownGood(reply.logins, jails, now()),
        ...explainFailures(reply.failures, now()),
      ]);
    },
  });
}

function explain(ban: Ban, rule: Jail | undefined, reply: Answer, now: number): Cell[][] {
  const isAutomatic = ban.evidence.length > 0;
  return [
    ["  decided", `${formatBoth(ban.changedAt, now)} by ${ban.by}`],
    ["  because", ban.reason],
    ...(ban.policyVersion === undefined ? [] : [["  policy", `version ${ban.policyVersion}`]]),
    ...(isAutomatic && rule ? describeRule(rule) : []),
    ["  offence", `number ${ban.offence} of this address in this jail`],
    ["  evidence", formatEvidence(ban)],
    ...(ban.basis?.addresses
      ? [["  addresses", ban.basis.addresses.map(tellAddress).join(", ")]]
      : []),
    ...describeKnownGood(ban),
    ...(isDue(ban, now) ? describeForce(ban, reply, now) : describeHeld(ban, now)),
    ...(ban.immuneUntil !== null && ban.immuneUntil > now
      ? [["  immune", `its failures do not count until ${formatBoth(ban.immuneUntil, now)}`]]
      : []),
  ];
}

const describeKnownGood = ({ basis }: Ban): Cell[][] =>
  basis?.knownGood === undefined
    ? []
    : [["  known good", `yes: ${basis.knownGood} times the usual count was needed`]];

/** Whether a ban whose time is not over is held, and where it is in force. */
function describeForce(ban: Ban, reply: Answer, now: number): Cell[][] {
  const held = describeHeld(ban, now);
  const where = isInForce(ban, now) ? formatWhere(ban, reply) : "nowhere";
  return [...(held.length > 0 ? held : [["  held", "no"]]), ["  in force", where]];
}

const tellAddress = ({ address, failures }: { address: Address; failures: number }) =>
  `${address} ${failures}`;

/** The jail as it is now, in sentences. */
function describeRule(jail: Jail): Cell[][] {
  const [first, ...others] = jailSentences(jail);
  const now = `jail ${jail.name} as it is now: ${first}`;
  return [["  rule", now], ...others.map((sentence) => ["", sentence])];
}

/** Facts about the address that do not depend on its bans. */
function explainAddress(answer: Answer): Cell[][] {
  const { machine } = answer;
  return [
    ...explainAllowed(answer),
    ["machine of the fleet", machine ? `yes: ${machine.address} is of ${machine.what}` : "no"],
  ];
}

function explainFailures(failures: Answer["failures"], now: number): Cell[][] {
  const [last] = failures;
  return [
    ["last failure", last ? formatBoth(last.at, now) : "none on record"],
    ...tally("by host", failures, ({ host }) => host),
    ...tally("by user", failures, ({ user }) => (user === null ? "none named" : shorten(user, 48))),
    ...tally("by form", failures, ({ form }) => form),
  ];
}

function explainAllowed({ allowed, allowedInJails = [] }: Answer): Cell[][] {
  const entries = [...(allowed ? [allowed] : []), ...allowedInJails];
  if (entries.length === 0) return [["allowlist", "no"]];
  return entries.map(({ address, jail, comment, by }) => {
    const where = jail === undefined ? "" : ` in jail ${jail} alone`;
    return ["allowlist", `yes${where}: ${address} (${comment || by})`];
  });
}

/** "by host", "mx1 3, mx2 2": of the failures that the answer holds, the last ones. */
function tally(
  label: string,
  failures: Answer["failures"],
  nameOf: (failure: Answer["failures"][number]) => string,
): Cell[][] {
  const counts = new Map<string, number>();
  for (const failure of failures) {
    const name = nameOf(failure);
    counts.set(name, (counts.get(name) ?? 0) + failure.attempts);
  }
  if (counts.size === 0) return [];
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return [[`last failures ${label}`, sorted.map(([name, times]) => `${name} ${times}`).join(", ")]];
}
