/**
 * A request as a coordinator reads it. The coordinator reports its faults in the CLI's sentences
 * (request-fields.ts), whichever client has sent the request, and always before it changes anything.
 */
import type * as z from "zod";
import { api, type Endpoint, type Request } from "./api.ts";
import { MAX_MESSAGE_BYTES, WireError } from "./codec.ts";

/** Throws a WireError whose message is for the operator. */
export function decodeRequest<E extends Endpoint>(endpoint: E, bytes: Uint8Array): Request<E> {
  const where = endpoint.replace(".", " ");
  const value = parseObject(bytes);
  if (value === undefined) {
    throw new WireError(`${where}: expected one JSON object of at most ${MAX_MESSAGE_BYTES} bytes`);
  }
  // Per endpoint the schema and the type belong together; over all of them TypeScript cannot tell.
  const schema = api[endpoint].request as unknown as z.ZodType<Request<E>>;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const reason = issue === undefined ? "is no such request" : describeIssue(issue, value);
  throw new WireError(`${where}: ${reason}`, { cause: result.error });
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function describeIssue(issue: z.core.$ZodIssue, value: Record<string, unknown>): string {
  if (issue.code === "unrecognized_keys") {
    return `${show(issue.keys[0])}: there is no such field in this request`;
  }
  const [field] = issue.path;
  if (typeof field !== "string") return issue.message;
  if (!Object.hasOwn(value, field)) return `${field} is missing: ${issue.message}`;
  const given = value[field];
  return `${typeof given === "string" ? "" : `${field} `}${show(given)}: ${issue.message}`;
}

const SHOWN = 60;

/** What was given, as JSON, which escapes whatever could drive a terminal but for some of Unicode. */
function show(given: unknown): string {
  const text = JSON.stringify(given);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}
