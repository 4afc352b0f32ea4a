/**
 * How long bans take to be applied by an agent whose other source is flooded with lines of 60 kB,
 * which a filter of its own has to look at: as the coordinator measures it, from the write of the
 * ban to the agent's report. Beside it the same without the flood.
 */
import { appendFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import type { Reply } from "../../services/wire/api.ts";
import { askerInbox } from "../../services/wire/rights.ts";
import { apiSubject } from "../../services/wire/subjects.ts";
import { startCentre } from "../harness/centre.ts";
import { startTestNats } from "../harness/servers.ts";
import { percentile, type Figure } from "./figure.ts";

const BANS = 100;
/** An agent reports at most every 50 ms: a ban right behind a report would wait for the next one. */
const APART_MS = 100;
const LINES_AT_ONCE = 20;
const FLOOD_EVERY_MS = 50;
/** The filter's words again and again: no expression is done with it early. */
const LINE = `${"web login failed for ".repeat(3_000)}\n`;

export async function run(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-flood-"));
  await using nats = await startTestNats();
  try {
    const webLog = join(folder, "web.log");
    appendFileSync(webLog, "");
    const filter = String.raw`["web login failed for .* from <HOST>$", "^.*web.*login.*refused.*<HOST>"]`;
    await using centre = await startCentre({
      folder,
      natsUrl: nats.url,
      coordinatorYaml: `jails: { dovecot: {}, web: { failregex: ${filter} } }`,
      agentYaml: `firewall: { backend: dry-run }`,
      sourcesYaml: `, { name: web, jail: web, startAt: beginning, path: ${webLog} }`,
    });
    await using connection = await connect({ servers: nats.url, inboxPrefix: askerInbox("bench") });
    const ask = async (address: string): Promise<number> => {
      const request = { address, jail: "dovecot", reason: "", replace: false, wait: 10_000 };
      const message = await connection.request(
        apiSubject("ban", "add", "bench", "operator"),
        JSON.stringify(request),
        { timeout: 20_000 },
      );
      const { reach } = message.json<Reply<"ban.add">>();
      const [applied] = reach?.applied ?? [];
      if (!applied) throw new Error("the agent has not reported the ban");
      return applied.ms;
    };
    const measure = async (network: string): Promise<number[]> => {
      const times: number[] = [];
      for (let index = 0; index < BANS; index += 1) {
        await sleep(APART_MS);
        times.push(await ask(`${network}.${index}`));
      }
      return times;
    };
    await measure("198.18.0");
    const quiet = await measure("198.18.1");
    const flood = setInterval(() => {
      appendFileSync(webLog, LINE.repeat(LINES_AT_ONCE));
    }, FLOOD_EVERY_MS);
    const flooded = await measure("198.18.2");
    clearInterval(flood);
    if (!(await centre.isBanned("198.18.2.0"))) throw new Error("the ban is not listed");
    const beside = { "without the flood, p99": percentile(quiet, 0.99) };
    const [p50, p99] = [percentile(flooded, 0.5), percentile(flooded, 0.99)];
    return [{ name: "filter-flood", value: p99, unit: "ms", p50, p99, beside }];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
