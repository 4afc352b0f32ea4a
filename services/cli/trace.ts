/** The way of a ban with times, as a table. */
import type { Trace } from "../wire/trace.ts";
import type { Output } from "./output.ts";
import { formatMs } from "./reach.ts";
import type { Cell } from "./table.ts";
import { formatClock, zoneOf } from "./time.ts";

const STEPS: Readonly<Record<Trace["steps"][number]["step"], string>> = {
  logged: "line written",
  read: "read, sent",
  stored: "stored",
  decided: "decided",
  written: "ban written",
};

export function showTrace(output: Pick<Output, "line" | "table" | "note">, trace: Trace): void {
  const { jail, address, steps, applied, appliedCount, slowest, clocks, notes } = trace;
  output.line("");
  output.line(`the way of ${address} in ${jail}`);
  output.table([
    ["STEP", "WHERE", `TIME (${zoneOf(steps[0]?.at ?? 0)})`, "AFTER"],
    ...steps.map(({ step, where, at, ms }) => [
      STEPS[step],
      where,
      formatClock(at),
      tellMs(ms, isSlowest(slowest, step, where)),
    ]),
    ...applied.map((each) => describeHost(each, slowest)),
  ]);
  const more = appliedCount - applied.length;
  if (more > 0) output.note(`and ${more} more hosts, which were quicker`);
  if (slowest) {
    const name = slowest.step === "applied" ? "in force" : nameOf(slowest.step);
    output.line(`slowest: ${name} (${slowest.where}), ${formatMs(slowest.ms)}`);
  }
  for (const { where, aheadMs } of clocks) {
    const differs = `${formatMs(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead" : "behind"}`;
    output.note(`the clock of ${where} is ${differs} of the coordinator's, which is corrected`);
  }
  for (const note of notes) output.note(note);
}

const nameOf = (step: string): string =>
  Object.entries(STEPS).find(([each]) => each === step)?.[1] ?? step;

const isSlowest = (slowest: Trace["slowest"], step: string, where: string): boolean =>
  slowest?.step === step && slowest.where === where;

function describeHost(
  { host, state, at, ms }: Trace["applied"][number],
  slowest: Trace["slowest"],
): Cell[] {
  const time = at === null ? "" : formatClock(at);
  switch (state) {
    case "not-yet":
      return ["not in force yet", host, "", { text: "not yet", color: "yellow" }];
    case "before":
      return ["in force", host, `before ${time}`, "not known"];
    case "at-the-latest":
    case "applied": {
      const step = state === "applied" ? "in force" : "in force, at the latest";
      return [step, host, time, tellMs(ms, isSlowest(slowest, "applied", host))];
    }
  }
}

function tellMs(ms: number | null, isLongest: boolean): Cell {
  if (ms === null) return "";
  const text = ms === 0 ? "under 1 ms" : formatMs(ms);
  return isLongest ? { text: `${text} (slowest)`, color: "yellow" } : text;
}
