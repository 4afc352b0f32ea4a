/** Brings a stream of NATS to the configuration that is wanted, as far as NATS can do that now. */
import type { JetStreamManager, StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { reasonOf } from "../process/reason.ts";

/** Changes what differs from `wanted`, if NATS can do that now; returns what it cannot, in words. */
export async function changeStream(
  manager: JetStreamManager,
  { config }: StreamInfo,
  wanted: Partial<StreamConfig>,
): Promise<string[]> {
  const present = new Map<string, unknown>(Object.entries(config));
  const differs = ([option, value]: [string, unknown]) =>
    JSON.stringify(present.get(option)) !== JSON.stringify(value);
  const different = Object.entries(wanted).filter(differs);
  if (different.length === 0) return [];
  try {
    await manager.streams.update(config.name, wanted);
    return [];
  } catch (error) {
    const reason = reasonOf(error);
    const options = different.map(([option, value]) => `${option} ${JSON.stringify(value)}`);
    return [`stream ${config.name} cannot be given ${options.join(", ")} now: ${reason}`];
  }
}
