/** The section `nats:` of agent.yaml, coordinator.yaml and client.yaml. */
import * as z from "zod";
import { parseNatsUrls, withoutLogin } from "./url.ts";

/** `nats.url` in a configuration. */
const natsUrlSetting = z.string().transform((text, context): string => {
  const urls = parseNatsUrls(text);
  if (urls !== undefined) return urls;
  const given = JSON.stringify(withoutLogin(text));
  const message = `expected a URL such as nats://127.0.0.1:4222, got ${given}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

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
