/** What a host reports, in words. */
import type { HostRow, HostStatus } from "../api/messages.ts";
import { formatDuration } from "./durations.ts";
import { count, formatBytes, formatNumber } from "./numbers.ts";

/** A word, and whether somebody should look at it. */
export interface Word {
  text: string;
  level: "good" | "look" | "bad" | "unknown";
}

const good = (text: string): Word => ({ text, level: "good" });
const look = (text: string): Word => ({ text, level: "look" });
const bad = (text: string): Word => ({ text, level: "bad" });
const UNKNOWN: Word = { text: "not known", level: "unknown" };

export function stateOf({ state, awaited, quarantine }: HostRow): Word {
  if (awaited) return look("not heard yet");
  if (state === "down") return bad("silent");
  return quarantine ? look("in quarantine") : good("reports");
}

export function bansOf({ state, current, status }: HostRow): Word {
  if (!status) return UNKNOWN;
  const held = formatNumber(status.bansInForce);
  if (status.firewall === "dry-run") return look("dry run: bans nobody");
  return current || state === "down" ? good(held) : look(`${held}, newest missing`);
}

/** Bytes of its logs that are not published yet. */
export function lagOf({ status }: HostRow): Word {
  if (!status) return UNKNOWN;
  const lag = status.sources.reduce((sum, source) => sum + source.lag, 0);
  if (lag === 0) return good("none");
  return lag < 65_536 ? good(formatBytes(lag)) : look(formatBytes(lag));
}

export function sourcesOf({ status }: HostRow): Word {
  if (!status) return UNKNOWN;
  const reading = status.sources.filter(({ state }) => state === "reading").length;
  const all = count(status.sources.length, "source");
  if (reading === status.sources.length && reading > 0) return good(all);
  return bad(`${reading} of ${all}`);
}

/** Rules and sets that somebody else has changed, and the firewall that takes them. */
export function firewallOf({ status }: HostRow): Word {
  if (!status) return UNKNOWN;
  const { firewall, warnings, repairs } = status;
  if (warnings.some(({ code }) => code === "firewall-not-effective")) {
    return bad(`${firewall}, not effective`);
  }
  const drift = repairs === 0 ? "" : `, ${count(repairs, "repair")}`;
  return repairs > 0 || firewall === "dry-run" ? look(firewall + drift) : good(firewall);
}

/** Words of a host that is silent were true when it was last heard, and may be wrong now. */
export const asOfState = ({ state }: HostRow, word: Word): Word =>
  state === "down" && word.level === "good" ? { ...word, level: "unknown" } : word;

/** Less than a second may be the network's delay. */
export function clockOf({ clockSkew, status }: HostRow): Word {
  if (!status) return UNKNOWN;
  const seconds = Math.abs(clockSkew) / 1000;
  if (seconds < 1) return good("right");
  const length = seconds < 60 ? `${seconds.toFixed(1)}s` : formatDuration(seconds);
  return look(`${length} ${clockSkew > 0 ? "ahead" : "behind"}`);
}

export function versionOf({ status }: HostRow, coordinator: string): Word {
  if (!status) return UNKNOWN;
  if (coordinator === "" || status.version === coordinator) return good(status.version);
  return look(`${status.version} (not ${coordinator})`);
}

export const SOURCE_STATES: Readonly<Record<HostStatus["sources"][number]["state"], Word>> = {
  reading: good("reading"),
  waiting: look("waits for its file"),
  failed: bad("cannot be read"),
};
