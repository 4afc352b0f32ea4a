/**
 * A webhook: a CloudEvent 1.0, with the headers and the signature of Standard Webhooks
 * (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
 */
import { createHmac } from "node:crypto";
import type { Delivery } from "../digest.ts";
import { jsonOf } from "../message/event-json.ts";
import type { FactsOf } from "../message/event-text.ts";
import type { Outcome } from "../sink.ts";
import { post } from "./post.ts";

export interface WebhookParts {
  url: string;
  ca: string | undefined;
  /** The key of the signature; undefined: not signed. */
  key: Buffer | undefined;
  lookUp: (delivery: Delivery) => Promise<FactsOf>;
  now: () => number;
}

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const KEY_BYTES = { least: 24, most: 64 } as const;

/** undefined: that is no secret of Standard Webhooks. */
export function parseWebhookSecret(secret: string): Buffer | undefined {
  const [, encoded] = SECRET.exec(secret) ?? [];
  if (encoded === undefined) return undefined;
  const key = Buffer.from(encoded, "base64");
  return key.length >= KEY_BYTES.least && key.length <= KEY_BYTES.most ? key : undefined;
}

export function createWebhook(parts: WebhookParts): (delivery: Delivery) => Promise<Outcome> {
  return async (delivery) => {
    const { url, ca, key, now } = parts;
    const body = jsonOf(delivery, await parts.lookUp(delivery));
    const timestamp = String(Math.floor(now() / 1000));
    const headers = {
      "content-type": "application/cloudevents+json; charset=utf-8",
      "webhook-id": delivery.id,
      "webhook-timestamp": timestamp,
      ...(key && { "webhook-signature": sign(key, `${delivery.id}.${timestamp}.${body}`) }),
    };
    return post({ url, ca, headers, body });
  };
}

const sign = (key: Buffer, text: string) =>
  `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
