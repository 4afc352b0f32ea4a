/**
 * `fleetban-agent setup`: finds Dovecot, its log, the firewall and other tools of this machine,
 * proposes an agent.yaml for them, and shows lines of the log that it would count. It changes nothing.
 */
import { hostname } from "node:os";
import { EXIT, type ExitCode } from "../../process/exit.ts";
import { describeSelection } from "../../process/journal.ts";
import { reasonOf } from "../../process/reason.ts";
import { visible } from "../../process/visible.ts";
import { hostToken } from "../../wire/subjects.ts";
import type { Choice } from "../enforce/firewall/choice.ts";
import type { FirewallKind } from "../enforce/firewall/firewall.ts";
import { countedLines } from "./counted-lines.ts";
import { chooseTarget, findDovecot, type Dovecot, type Target } from "./find-dovecot.ts";
import { findTools } from "./find-tools.ts";
import type { Lookups } from "./lookups.ts";
import { proposeConfig, sourceOf } from "./propose-config.ts";

export interface SetupOptions {
  lookups: Lookups;
  /** Throws a PlainError where no back end can be used, or nobody can tell. */
  chooseFirewall: () => Promise<Pick<Choice, "kind" | "passedOver">>;
  natsUrl: string;
  now: number;
  /** true: the proposed agent.yaml and nothing else. */
  isYamlOnly: boolean;
  write: (text: string) => void;
}

const CREDENTIALS = "/etc/fleetban/agent.creds";
const AUTHORITY = "/etc/fleetban/ca.pem";

export async function setUp(options: SetupOptions): Promise<ExitCode> {
  const { lookups, natsUrl, now, isYamlOnly } = options;
  // Names of containers, and what clients have sent, may hold anything.
  const write = (text: string) => options.write(`${visible(text)}\n`);
  const note = (what: string, text: string) => {
    if (!isYamlOnly) write(`${what.padEnd(10)} ${text}`);
  };
  const dovecot = await findDovecot(lookups);
  note("Dovecot", describeDovecot(dovecot));
  const chosen = chooseTarget(dovecot, lookups);
  const nothing = "none was found: give the path or the unit of Dovecot's log under sources";
  note("log", chosen ? `${describeTarget(chosen.target)}: ${chosen.why}` : nothing);
  const backend = await describeFirewall(options.chooseFirewall, note);
  const tools = await findTools(lookups);
  for (const { name, text } of tools) note(name, text);

  const isInDocker = dovecot.version === undefined && dovecot.containers[0]?.engine === "docker";
  const creds = lookups.exists(CREDENTIALS) ? CREDENTIALS : undefined;
  const ca = lookups.exists(AUTHORITY) ? AUTHORITY : undefined;
  const host = hostToken(hostname());
  const proposal = { host, natsUrl, creds, ca, target: chosen?.target, backend, isInDocker };
  const yaml = proposeConfig(proposal);
  if (!isYamlOnly) for (const line of ["", "proposed /etc/fleetban/agent.yaml:", ""]) write(line);
  for (const line of yaml.trimEnd().split("\n")) write(isYamlOnly ? line : `  ${line}`);
  if (!isYamlOnly && chosen) await showLines(chosen.target, { lookups, now, write });
  return chosen ? EXIT.ok : EXIT.noInput;
}

async function describeFirewall(
  choose: SetupOptions["chooseFirewall"],
  note: (what: string, text: string) => void,
): Promise<FirewallKind | undefined> {
  try {
    const { kind, passedOver } = await choose();
    const others = passedOver.length > 0 ? `; not usable: ${passedOver.join("; ")}` : "";
    note("firewall", `${kind} can be used${others}`);
    return kind;
  } catch (error) {
    note(
      "firewall",
      `not known which back end can be used: ${reasonOf(error).replaceAll("\n", "; ")}`,
    );
    return undefined;
  }
}

function describeDovecot({ version, logTarget, unit, containers }: Dovecot): string {
  const named = containers.map(({ engine, name, image }) => `${name} (${engine}, ${image})`);
  const parts = [
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(logTarget === undefined ? [] : [`logs to ${logTarget}`]),
    ...(unit === undefined ? [] : [`unit ${unit}`]),
    ...(named.length === 0 ? [] : [`containers: ${named.join(", ")}`]),
  ];
  return parts.length === 0 ? "not found on this machine" : parts.join(", ");
}

const describeTarget = (target: Target): string =>
  target.kind === "file" ? target.path : describeSelection(sourceOf(target));

interface Showing {
  lookups: Lookups;
  now: number;
  write: (text: string) => void;
}

async function showLines(target: Target, { lookups, now, write }: Showing): Promise<void> {
  const { looked, lines } = await countedLines(target, lookups, now);
  const where = describeTarget(target);
  write("");
  if (looked === undefined) {
    write(`${where} cannot be read by this user: run fleetban-agent setup as root`);
    return;
  }
  const none = "none counts: nobody has failed to log in there, or Dovecot logs elsewhere";
  write(
    `of the last ${looked} lines of ${where}, ${lines.length === 0 ? none : "these would count:"}`,
  );
  for (const { line, attempts, address } of lines) {
    const many = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    write(`  ${many} of ${address}: ${line.length > 240 ? `${line.slice(0, 240)}...` : line}`);
  }
  write("");
  write("put the proposal into /etc/fleetban/agent.yaml, then: fleetban-agent check");
}
