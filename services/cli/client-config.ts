/**
 * client.yaml, whose schema is loaded only where there is such a file. NATS_URL itself is seen to in
 * location.ts: where it is set, no file is read.
 */
import * as z from "zod";
import { readConfigOrigins, type SettingRow } from "../config/config-origins.ts";
import { loadConfig } from "../config/load-config.ts";
import { natsConfig, type NatsConfig } from "../nats/nats-config.ts";
import { LOGIN_VARIABLES } from "../nats/nats-variables.ts";
import type { Environment } from "../process/environment.ts";

const clientConfig = z.strictObject({ nats: natsConfig });

/** Throws a PlainError if the file cannot be used; undefined: there is none. */
export async function readClientConfig(
  file: string | undefined,
  environment: Environment,
): Promise<NatsConfig> {
  const { nats } = await loadConfig(clientConfig, file, environment, LOGIN_VARIABLES);
  return nats;
}

/** Every setting, and where it comes from. */
export function clientConfigOrigins(
  file: string | undefined,
  environment: Environment,
): Promise<SettingRow[]> {
  return readConfigOrigins(clientConfig, file, environment, LOGIN_VARIABLES);
}
