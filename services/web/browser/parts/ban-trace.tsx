/** The way of a ban from a line of a log to the hosts' kernels, with times. */
import type { Trace } from "../api/messages.ts";
import { formatMs } from "../text/durations.ts";
import { formatClock, formatUtc } from "../text/instants.ts";
import { count } from "../text/numbers.ts";
import { Foreign } from "./foreign.tsx";

const STEPS: Readonly<Record<Trace["steps"][number]["step"], string>> = {
  logged: "line written",
  read: "read and sent",
  stored: "stored",
  decided: "decided",
  written: "ban written",
};
const HOSTS_SHOWN = 12;

export function BanTrace({ trace }: { trace: Trace }) {
  const { jail, steps, applied, appliedCount, slowest, clocks, notes } = trace;
  if (steps.length === 0 && applied.length === 0) return null;
  return (
    <section class="panel">
      <h2>The way of the ban in {jail}</h2>
      <ol class="way">
        {steps.map(({ step, where, at, ms }) => (
          <li class={slowest?.step === step && slowest.where === where ? "slowest" : undefined}>
            <span class="way-ms">
              {ms === null ? "" : ms === 0 ? formatMs(ms) : `+${formatMs(ms)}`}
            </span>
            <strong>{STEPS[step]}</strong>
            <span>
              <Foreign text={where} length={24} />
            </span>
            <time dateTime={at} title={formatUtc(Date.parse(at))} class="faint">
              {formatClock(Date.parse(at))}
            </time>
          </li>
        ))}
        <AppliedStep applied={applied} total={appliedCount} />
      </ol>
      {applied.length > 0 && (
        <ul class="reached" aria-label="Hosts, the slowest first">
          {applied.slice(0, HOSTS_SHOWN).map(({ host, state, ms }) => (
            <li class={state}>
              {host} <span class="faint">{describeApplied(state, ms)}</span>
            </li>
          ))}
          {appliedCount > HOSTS_SHOWN && (
            <li class="faint">and {count(appliedCount - HOSTS_SHOWN, "quicker host")}</li>
          )}
        </ul>
      )}
      {clocks.map(({ where, aheadMs }) => (
        <p class="faint">
          The clock of <Foreign text={where} length={64} /> is {formatMs(Math.abs(aheadMs))}{" "}
          {aheadMs > 0 ? "ahead" : "behind"}, which is corrected.
        </p>
      ))}
      {notes.map((note) => (
        <p class="faint">
          <Foreign text={note} length={256} />
        </p>
      ))}
    </section>
  );
}

function AppliedStep({ applied, total }: { applied: Trace["applied"]; total: number }) {
  const waiting = applied.filter(({ state }) => state === "not-yet").length;
  // They come with the slowest first.
  const [slowest] = applied.filter(({ ms }) => ms !== null);
  // Not "in force": a host in dry run applies a ban, too, and only logs it.
  return (
    <li class={waiting > 0 ? "waiting" : "done"}>
      <span class="way-ms">{slowest && slowest.ms !== null ? `+${formatMs(slowest.ms)}` : ""}</span>
      <strong>{waiting > 0 ? "not applied everywhere" : "applied"}</strong>
      <span>{total === 0 ? "no host is up" : `${total - waiting}/${total} hosts`}</span>
    </li>
  );
}

function describeApplied(state: Trace["applied"][number]["state"], ms: number | null): string {
  switch (state) {
    case "not-yet":
      return "not yet";
    case "before":
      return "before this coordinator listened";
    case "at-the-latest":
      return ms === null ? "" : `after ${formatMs(ms)} at the latest`;
    case "applied":
      return ms === null ? "" : `after ${formatMs(ms)}`;
  }
}
