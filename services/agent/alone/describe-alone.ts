/** What `fleetban-agent status` prints. */
import { count } from "../../config/count.ts";
import { readStateOfAlone, type StateOfAlone } from "./local-bans-file.ts";

/** Reads the state that the agent keeps on its disk, because the agent is another process. */
export async function describeAlone(stateDir: string, format: "text" | "json"): Promise<string> {
  const state = await readStateOfAlone(stateDir);
  return format === "json" ? `${JSON.stringify(forJson(state))}\n` : forPeople(state);
}

function forJson(state: StateOfAlone | undefined) {
  return {
    aloneSince: spell(state?.aloneSince ?? null),
    writtenAt: spell(state?.writtenAt ?? null),
    localBans: (state?.bans ?? []).map(({ jail, address, at, until }) => {
      return { jail, address, lastFailureAt: spell(at), until: spell(until) };
    }),
  };
}

function forPeople(state: StateOfAlone | undefined): string {
  if (!state) return "this host was never alone: it has no local bans\n";
  const { aloneSince, writtenAt, bans } = state;
  const since = spell(aloneSince);
  const contact =
    since === null
      ? "this host is not alone: a coordinator decides"
      : `this host is alone since ${since}: nobody else decides, it counts for itself`;
  const waiting = bans.length > 0 ? ", until the fleet has decided" : "";
  const lines = bans.map(
    ({ jail, address, until }) =>
      `  ${address}  ${jail}  ${until === null ? "for ever" : `until ${spell(until)}`}`,
  );
  const head = `${contact}\n${count(bans.length, "local ban")}${waiting} (as the agent wrote at ${spell(writtenAt) ?? ""})`;
  return [head, ...lines, ""].join("\n");
}

const spell = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString();
