/** The section `nats:` of agent.yaml, coordinator.yaml and client.yaml. */
import * as z from "zod";
import { natsUrlSetting } from "./url.ts";

export const natsConfig = z
  .strictObject({
    /** One URL or several with commas. */
    url: natsUrlSetting.default("nats://127.0.0.1:4222"),
    /** File of a NATS user's JWT and seed. */
    creds: z.string().min(1).optional(),
    user: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    /** PEM file of the authority that signed the server's certificate; sets TLS. */
    ca: z.string().min(1).optional(),
  })
  .prefault({});
export type NatsConfig = z.infer<typeof natsConfig>;

/** Environment variables that stand for `nats:` settings. */
export const NATS_VARIABLES = {
  NATS_URL: "nats.url",
  FLEETBAN_NATS_CREDS: "nats.creds",
  FLEETBAN_NATS_USER: "nats.user",
  FLEETBAN_NATS_PASSWORD: "nats.password",
  FLEETBAN_NATS_CA: "nats.ca",
} as const;
