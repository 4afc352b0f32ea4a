/**
 * Mail to administrators, in plain text: one for a ban, with the evidence of all hosts, whois and
 * the command to lift it, or one for a whole digest. nodemailer makes the message and speaks SMTP.
 *
 * No header holds text from outside: the title is made of jails, addresses, hosts and numbers.
 */
import { createTransport } from "nodemailer";
import { formatDuration } from "../../../config/duration.ts";
import { reasonOf } from "../../../process/reason.ts";
import type { Delivery } from "../digest.ts";
import { bodyOf, titleOf, type FactsOf } from "../message/event-text.ts";
import { plainLine } from "../message/plain-text.ts";
import { LOOPBACK, type ConfigOf } from "../notify-config.ts";
import type { Outcome } from "../sink.ts";
import { runProgram } from "./run-program.ts";

export interface MailParts {
  config: ConfigOf<"mail">;
  password: string | undefined;
  ca: string | undefined;
  lookUp: (delivery: Delivery) => Promise<FactsOf>;
}

const CONNECT_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 20_000;
const SENDMAIL_WITHIN_MS = 30_000;
const SUBMISSION_PORT = 587;
const TLS_PORT = 465;
const PLAIN_PORT = 25;

export function createMail(parts: MailParts): (delivery: Delivery) => Promise<Outcome> {
  return async (delivery) => {
    const message = messageOf(delivery, await parts.lookUp(delivery), parts.config);
    const { sendmail } = parts.config;
    return sendmail === undefined
      ? sendBySmtp(message, parts)
      : sendByProgram(sendmail, message, parts.config);
  };
}

type Message = ReturnType<typeof messageOf>;

function messageOf(delivery: Delivery, factsOf: FactsOf, { from, to }: ConfigOf<"mail">) {
  const domain = from.slice(from.lastIndexOf("@") + 1);
  const { since, until, events } = delivery.totals;
  const lasted = events > 1 ? ` within ${formatDuration(Math.max(1, (until - since) / 1000))}` : "";
  return {
    from: { name: "fleetban", address: from },
    to: [...to],
    subject: `[fleetban] ${titleOf(delivery)}${lasted}`,
    text: `${bodyOf(delivery, factsOf)}\n`,
    messageId: `<${delivery.id}@${domain}>`,
    date: new Date(until),
    headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
    // Nothing but text: no file and no URL is ever read for a message.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

async function sendBySmtp(message: Message, { config, password, ca }: MailParts): Promise<Outcome> {
  const { host = "localhost", port, security, user } = config.smtp ?? {};
  const kind = security ?? (LOOPBACK.test(host) ? "none" : "starttls");
  const usualPort = { starttls: SUBMISSION_PORT, tls: TLS_PORT, none: PLAIN_PORT }[kind];
  const transport = createTransport({
    ...{ host, port: port ?? usualPort },
    ...{ secure: kind === "tls", requireTLS: kind === "starttls", ignoreTLS: kind === "none" },
    connectionTimeout: CONNECT_WITHIN_MS,
    greetingTimeout: ANSWER_WITHIN_MS,
    socketTimeout: ANSWER_WITHIN_MS,
    tls: { minVersion: "TLSv1.2", ...(ca !== undefined && { ca }) },
    ...(user !== undefined && password !== undefined && { auth: { user, pass: password } }),
  });
  try {
    await transport.sendMail(message);
    return { type: "sent" };
  } catch (error) {
    return explain(error);
  } finally {
    transport.close();
  }
}

/** The server may reject this message for ever (a 5xx after DATA); all else may get better. */
function explain(error: unknown): Outcome {
  const reason = plainLine(reasonOf(error), 400);
  const { responseCode, command } = error as { responseCode?: number; command?: string };
  const isRejected = command === "DATA" && responseCode !== undefined && responseCode >= 500;
  return { type: isRejected ? "refused" : "retry", reason };
}

/** As fail2ban's sendmail actions call it; the message names no recipient that the arguments do not. */
async function sendByProgram(
  sendmail: string,
  message: Message,
  { from, to }: ConfigOf<"mail">,
): Promise<Outcome> {
  const composed = await createTransport({ streamTransport: true, buffer: true }).sendMail(message);
  const command = [sendmail, "-i", "-f", from, "--", ...to];
  const input = Buffer.isBuffer(composed.message) ? composed.message : Buffer.from("");
  return runProgram({ command, input, withinMs: SENDMAIL_WITHIN_MS });
}
