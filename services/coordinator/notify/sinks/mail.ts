/**
 * Mail to administrators, in plain text: one for a ban, with the evidence of all hosts, whois and
 * the command to lift it, or one for a whole digest.
 *
 * No header holds text from outside: the title is made of jails, addresses, hosts and numbers.
 */
import { formatDuration } from "../../../config/duration.ts";
import { reasonOf } from "../../../process/reason.ts";
import type { Delivery } from "../digest.ts";
import { bodyOf, titleOf, type FactsOf } from "../message/event-text.ts";
import { plainLine } from "../message/plain-text.ts";
import { LOOPBACK, type ConfigOf } from "../notify-config.ts";
import type { Outcome } from "../sink.ts";
import { runProgram } from "./run-program.ts";
import { sendBySmtp, SmtpRefusal, type Envelope, type SmtpServer } from "./smtp.ts";

export interface MailParts {
  config: ConfigOf<"mail">;
  password: string | undefined;
  ca: string | undefined;
  lookUp: (delivery: Delivery) => Promise<FactsOf>;
}

const SENDMAIL_WITHIN_MS = 30_000;
const USUAL_PORTS = { starttls: 587, tls: 465, none: 25 } as const;
/** RFC 2045: lines of base64 have at most 76 characters. */
const BASE64_LINE = /.{1,76}/g;
/** RFC 5321: a line has at most 998 characters. */
const TOO_LONG = /.{990}/;

export function createMail(parts: MailParts): (delivery: Delivery) => Promise<Outcome> {
  const { config } = parts;
  const server = serverOf(parts);
  return async (delivery) => {
    const message = messageOf(delivery, await parts.lookUp(delivery), config);
    const envelope = { from: config.from, to: config.to, message };
    return config.sendmail === undefined
      ? trySmtp(server, envelope)
      : runSendmail(config.sendmail, envelope);
  };
}

function serverOf({ config, password, ca }: MailParts): SmtpServer {
  const { host = "localhost", port, security, user } = config.smtp ?? {};
  const kind = security ?? (LOOPBACK.test(host) ? "none" : "starttls");
  const login = user !== undefined && password !== undefined ? { user, password } : undefined;
  return { host, port: port ?? USUAL_PORTS[kind], security: kind, login, ca };
}

export function messageOf(
  delivery: Delivery,
  factsOf: FactsOf,
  { from, to }: Pick<ConfigOf<"mail">, "from" | "to">,
): string {
  const domain = from.slice(from.lastIndexOf("@") + 1);
  const { since, until, events } = delivery.totals;
  const lasted = events > 1 ? ` within ${formatDuration(Math.max(1, (until - since) / 1000))}` : "";
  const { encoding, body } = encodeBody(`${bodyOf(delivery, factsOf)}\n`.replaceAll("\n", "\r\n"));
  const headers = [
    `From: fleetban <${from}>`,
    `To: ${to.join(",\r\n ")}`,
    `Subject: [fleetban] ${titleOf(delivery)}${lasted}`,
    `Date: ${new Date(until).toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${delivery.id}@${domain}>`,
    "Auto-Submitted: auto-generated",
    "X-Auto-Response-Suppress: All",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Transfer-Encoding: ${encoding}`,
  ];
  return `${headers.join("\r\n")}\r\n\r\n${body}`;
}

/** As it is where it is ASCII in short lines, which people read in a queue and in a log, too. */
function encodeBody(body: string): { encoding: "7bit" | "base64"; body: string } {
  const isPlain = /^[\x20-\x7e\r\n]*$/.test(body) && !TOO_LONG.test(body);
  if (isPlain) return { encoding: "7bit", body };
  const lines = Buffer.from(body).toString("base64").match(BASE64_LINE) ?? [];
  return { encoding: "base64", body: `${lines.join("\r\n")}\r\n` };
}

async function trySmtp(server: SmtpServer, envelope: Envelope): Promise<Outcome> {
  try {
    await sendBySmtp(server, envelope);
    return { type: "sent" };
  } catch (error) {
    // The server may reject this very message for ever; all else may get better.
    const isOfMessage = error instanceof SmtpRefusal && error.command === "the message";
    const isRejected = isOfMessage && error.code >= 500;
    return { type: isRejected ? "refused" : "retry", reason: plainLine(reasonOf(error), 400) };
  }
}

/** As fail2ban's sendmail actions call it, but the recipients stand in the arguments. */
function runSendmail(sendmail: string, { from, to, message }: Envelope): Promise<Outcome> {
  const command = [sendmail, "-i", "-f", from, "--", ...to];
  const input = message.replaceAll("\r\n", "\n");
  return runProgram({ command, input, withinMs: SENDMAIL_WITHIN_MS });
}
