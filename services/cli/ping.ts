/** `fleetban ping`: does a coordinator answer, and how fast? */
import { Command } from "commander";
import type { Reply } from "../wire/api.ts";
import { spellInstants } from "../wire/instants.ts";
import { checksOf } from "./arguments.ts";
import type { Context, JsonOption } from "./context.ts";
import { formatMs } from "./reach.ts";

interface PingOptions extends JsonOption {
  count: number;
}

/** A smaller difference may be the network's. */
const CLOCK_DIFFERS_MS = 1_000;

export function pingCommand(context: Context): Command {
  const { ask, output, now } = context;
  return new Command("ping")
    .description("say whether a coordinator answers, and how fast; else exit 69")
    .option("--count <number>", "ask so many times", checksOf("ping", output.note).limit, 1)
    .option("--json", "one JSON object per answer")
    .action(async ({ json, count }: PingOptions) => {
      // The first request connects, which takes longer.
      await ask("ping.show", {});
      const times: number[] = [];
      for (let index = 0; index < count; index += 1) {
        const began = performance.now();
        const reply = await ask("ping.show", {});
        const ms = performance.now() - began;
        times.push(ms);
        if (json) await output.jsonLine(spellInstants({ ...reply, ms }));
        else output.line(describe(reply, ms, now()));
      }
      if (json || count === 1) return;
      const mean = times.reduce((sum, ms) => sum + ms, 0) / count;
      const [least, most] = [Math.min(...times), Math.max(...times)].map(formatMs);
      output.line(
        `${count} answers: ${least} at least, ${formatMs(mean)} on average, ${most} at most`,
      );
    });
}

function describe(reply: Reply<"ping.show">, ms: number, now: number): string {
  const { coordinator, decider, version, at } = reply;
  const decides = decider === null ? "nobody decides on bans" : `${decider} decides`;
  const skew = at - (now - ms / 2);
  const clock =
    Math.abs(skew) < CLOCK_DIFFERS_MS
      ? ""
      : `; its clock is ${formatMs(Math.abs(skew))} ${skew > 0 ? "ahead" : "behind"}`;
  return `${coordinator}, fleetban ${version}, answers after ${formatMs(ms)}; ${decides}${clock}`;
}
