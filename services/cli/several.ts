/** Commands that take several addresses, from the command line or from stdin. */
import { EXIT, PlainError, SilentExit, type ExitCode } from "../process/exit.ts";
import type { Address } from "../wire/address.ts";
import type { Endpoint, Reply } from "../wire/api.ts";
import { familyOf, prefixOf } from "../wire/address.ts";
import { UsageError } from "./arguments.ts";
import { confirm, type AskingContext } from "./confirm.ts";
import { describeFaults } from "./lists/load-list.ts";
import { readListSource } from "./lists/list-source.ts";
import { parseList } from "./lists/parse-list.ts";
import { count } from "../config/count.ts";

/** Requests that wait for the coordinator at a time. */
const AT_ONCE = 16;

/** "-" stands for what stdin has, one address per line. Each address once; throws a UsageError. */
export async function readAddresses(
  { stdin, now }: Pick<AskingContext, "stdin" | "now">,
  where: string,
  given: readonly string[],
  check: (text: string) => Address,
): Promise<Address[]> {
  const found = new Set<Address>();
  for (const text of given) {
    if (text !== "-") {
      found.add(check(text));
      continue;
    }
    const bytes = await readListSource({ where, source: "-", stdin });
    const { entries, faults } = parseList(bytes.toString("utf8"), "plain", now());
    if (faults.length > 0) {
      throw new UsageError(`${where}: ${describeFaults("stdin", faults, "correct them")}`);
    }
    for (const { address } of entries) found.add(check(address));
  }
  if (found.size === 0) throw new UsageError(`${where}: stdin: expected addresses, got none`);
  return [...found];
}

/** Networks wider than this are asked about. */
const ASKED_ABOUT = { 4: 16, 6: 48 } as const;

/** Asks before a wide network is banned or allowed; `what`: "would be banned". */
export async function confirmWide(
  context: AskingContext,
  where: string,
  { addresses, what, yes }: { addresses: readonly Address[]; what: string; yes: true | undefined },
): Promise<void> {
  if (yes) return;
  const wide = addresses.filter((each) => prefixOf(each) < ASKED_ABOUT[familyOf(each)]);
  const [first] = wide;
  if (first === undefined) return;
  const which =
    wide.length === 1 ? first : `${count(wide.length, "wide network")}, first ${first},`;
  await confirm(context, where, `${which} ${what}`);
}

/**
 * Does `work` for each address, and has each answer told in the order of the addresses. What is
 * refused for one of several is noted, and the others go on; a single address throws.
 */
export async function forEachAddress<R>(
  { output }: Pick<AskingContext, "output">,
  addresses: readonly Address[],
  {
    work,
    tell,
  }: { work: (address: Address) => Promise<R>; tell: (answer: R) => void | Promise<void> },
): Promise<void> {
  const [only] = addresses;
  if (only !== undefined && addresses.length === 1) {
    await tell(await work(only));
    return;
  }
  const codes = new Set<ExitCode>();
  const note = (error: unknown, mayGoOn: readonly ExitCode[]) => {
    if (!(error instanceof PlainError) || !mayGoOn.includes(error.exitCode)) throw error;
    output.note(error.message);
    codes.add(error.exitCode);
  };
  for (let from = 0; from < addresses.length; from += AT_ONCE) {
    const answers = await Promise.allSettled(addresses.slice(from, from + AT_ONCE).map(work));
    for (const answer of answers) {
      // A coordinator that does not answer ends the command, a host that is late does not.
      if (answer.status === "rejected") note(answer.reason, [EXIT.refused]);
      else {
        await Promise.resolve(answer.value)
          .then(tell)
          .catch((error: unknown) => note(error, [EXIT.unavailable]));
      }
    }
  }
  if (codes.has(EXIT.unavailable)) throw new SilentExit(EXIT.unavailable);
  if (codes.size > 0) throw new SilentExit(EXIT.refused);
}

/** One document for one address, one line each for several. */
export async function printJson(
  { output }: Pick<AskingContext, "output">,
  reply: Reply<Endpoint>,
  addresses: readonly Address[],
): Promise<void> {
  if (addresses.length === 1) output.json(reply);
  else await output.jsonRow(reply);
}
