/** `fleetban-coordinator ready`: whether the coordinator that runs here does all of its work. */
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { parseListen, spellListen } from "../../config/listen.ts";

const EVERY_MS = 500;
const ANSWER_WITHIN_MS = 2_000;

const readyz = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

/** Asks until it is ready, at most for `patienceMs`; throws a PlainError that says why it is not. */
export async function untilReady(listen: string, patienceMs: number): Promise<void> {
  const where = spellListen(parseListen(listen));
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const trouble = await troubleAt(where);
    if (trouble === undefined) return;
    if (performance.now() >= deadline) {
      throw new PlainError(`the coordinator is not ready: ${trouble}`, EXIT.unavailable);
    }
    await sleep(EVERY_MS);
  }
}

/** Why it is not ready; undefined: it is. */
async function troubleAt(where: string): Promise<string | undefined> {
  let answer: unknown;
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    answer = await (await fetch(`http://${where}/readyz`, { signal })).json();
  } catch {
    const log = "its log says why: journalctl -u fleetban-coordinator";
    return `it does not answer at ${where} (http.listen); ${log}`;
  }
  const { data } = readyz.safeParse(answer);
  if (!data) return `${where} (http.listen) is not a coordinator`;
  return data.ready ? undefined : data.reasons.join("; ");
}
