/** Why a ban is not in force everywhere, or is not known to be: host by host. */
import type { SilentHost, Standing } from "../api/messages.ts";
import { faultsOf } from "../text/ban-words.ts";
import { formatNumber } from "../text/numbers.ts";
import { Foreign } from "./foreign.tsx";
import { HostName } from "./names.tsx";
import { Time } from "./time.tsx";

/** More silent hosts are counted: the page "Hosts" has all of them. */
const NAMED = 6;

export function StandingFaults({ standing }: { standing: Standing }) {
  const { silent = [], counts } = standing;
  const rest = (counts.silent ?? silent.length) - Math.min(silent.length, NAMED);
  return (
    <>
      {faultsOf(standing).map((fault) => (
        <p class="detail">
          <Foreign text={fault} length={200} />
        </p>
      ))}
      {silent.slice(0, NAMED).map((host) => (
        <Silent key={host.host} silent={host} />
      ))}
      {rest > 0 && <p class="detail">and {formatNumber(rest)} more hosts are silent</p>}
    </>
  );
}

function Silent({ silent: { host, lastSeenAt, hadBan } }: { silent: SilentHost }) {
  return (
    <p class="detail">
      <HostName host={host} /> is silent since <Time at={lastSeenAt} /> (
      <Time at={lastSeenAt} isRelative />
      ): {hadBan ? "it had the ban by then" : "it had not reported the ban by then"}
    </p>
  );
}

export const isEverywhere = (standing: Standing): boolean =>
  faultsOf(standing).length === 0 && !standing.counts.silent;
