/** Bans that are written while an agent has been started anew, and replaces all of its bans. */
import { eventually } from "../harness/eventually.ts";
import type { AgentHost } from "../harness/agent-host.ts";
import type { Span } from "./waits.ts";

const RESTARTS = 5;

export const timesWhole = ({ agent }: AgentHost) =>
  agent.log().split("all bans are in force").length - 1;
const timesAtWork = ({ agent }: AgentHost) => agent.log().split("agent is at work").length - 1;

/**
 * The agent is killed and started again. Bans are written from the moment on at which the agent
 * says that it is at work: it is connected to NATS, and reads all of its bans again.
 */
export async function measureRestarts(
  host: AgentHost,
  bench: () => Promise<Span>,
): Promise<Span[]> {
  const spans: Span[] = [];
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    const [whole, atWork] = [timesWhole(host), timesAtWork(host)];
    await host.agent.stop("SIGKILL");
    await host.agent.start();
    await eventually("the agent is at work", () => timesAtWork(host) > atWork, 60);
    for (let after = 0; after < 5; after += timesWhole(host) > whole ? 1 : 0) {
      spans.push(await bench());
    }
  }
  return spans;
}
