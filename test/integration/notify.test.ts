/** Notifications on a real NATS, to a real SMTP server, a real HTTPS receiver and real programs. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import type { Notifier } from "../../services/coordinator/notify/notifier.ts";
import type { Fleet } from "../../services/coordinator/notify/condition-watcher.ts";
import { NOTIFY_BUCKET } from "../../services/wire/subjects.ts";
import { readLatest } from "../../services/nats/read-latest.ts";
import type { Ban } from "../../services/wire/ban.ts";
import { eventually } from "../harness/eventually.ts";
import { startHttpsReceiver, type HttpsReceiver } from "../harness/https-receiver.ts";
import { ensureBans, makeBan, startTestNotifier, writeBan } from "../harness/notify-centre.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";
import { startTestSmtp } from "../harness/smtp-server.ts";

let folder: string;
let nats: TestNats;
let receiver: HttpsReceiver;
let connection: NatsConnection;
let names = 0;
let addresses = 0;
/** Of the present test. */
const notifiers: Notifier[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-notify-"));
  nats = await startTestNats();
  receiver = await startHttpsReceiver(folder);
  connection = await connect({ servers: nats.url });
  await ensureBans(connection);
});

afterEach(async () => {
  await Promise.all(notifiers.splice(0).map((each) => each.stop()));
});

after(async () => {
  await connection.close();
  await receiver[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type SinkOptions = Record<string, unknown> & { type: string };

/** Only this sink; it begins behind everything that was before. */
async function startSink(
  options: SinkOptions,
  more: { environment?: Record<string, string>; readFleet?: () => Promise<Fleet> } = {},
): Promise<{ notifier: Notifier; name: string }> {
  const name = `sink${(names += 1)}`;
  receiver.respond(undefined);
  receiver.requests.length = 0;
  const sinks = [{ name, ...options }];
  const notifier = startTestNotifier({ connection, folder, sinks, ...more });
  notifiers.push(notifier);
  await eventually("the sink is open", () => notifier.states.of(name));
  // The collector may stand behind what was before: everybody reads the same place.
  await eventually("the place is known", async () => {
    return (await readLatest(connection, NOTIFY_BUCKET, "place")).revision > 0;
  });
  return { notifier, name };
}

async function ban(changes: Partial<Ban> = {}): Promise<Ban> {
  addresses += 1;
  const written = makeBan(`198.51.${addresses >> 8}.${addresses & 255}`, changes);
  await writeBan(connection, written);
  return written;
}

function nextMillisecond(): () => boolean {
  const began = Date.now();
  return () => Date.now() > began + 1;
}

const webhook = (): SinkOptions => ({ type: "webhook", url: receiver.url, ca: receiver.ca });
const SMTP = (port: number) => ({ host: "127.0.0.1", port });
const MAIL = { type: "mail", from: "fleetban@example.org", to: ["admin@example.org"] };
const AT_ONCE = { latency: "none" };

test("a ban is one mail with the evidence of all hosts and the command to lift it", async () => {
  await using smtp = await startTestSmtp();
  await startSink({ ...MAIL, ...AT_ONCE, smtp: SMTP(smtp.port) });
  const reason = "scanner\r\nBcc: victim@example.net\u001b[31m\u202e";
  const { address } = await ban({ reason });
  const [mail] = await eventually("the mail has come", () => smtp.mails.length > 0 && smtp.mails);
  assert.ok(mail);
  assert.deepEqual([mail.from, mail.to], ["fleetban@example.org", ["admin@example.org"]]);
  assert.equal(mail.headers.get("subject"), `[fleetban] dovecot: banned ${address} on 2 hosts`);
  assert.equal(mail.headers.get("auto-submitted"), "auto-generated");
  assert.match(mail.headers.get("message-id") ?? "", /^<[0-9a-f]{32}@example\.org>$/);
  assert.match(mail.headers.get("content-type") ?? "", /^text\/plain; charset=utf-8$/);
  assert.equal(mail.headers.has("bcc"), false);
  assert.match(mail.text, /failures +mx1 3, mx2 2/);
  assert.match(mail.text, new RegExp(`fleetban ban remove ${address} --jail dovecot`));
  assert.match(mail.text, /reason +scanner Bcc: victim@example\.net \[31m/);
  assert.doesNotMatch(mail.text, /[\u001b\u202e]/);
});

test("bans from before the first coordinator collects are told of, if it had begun", async () => {
  await using other = await startTestNats();
  await using beside = await connect({ servers: other.url });
  await ensureBans(beside);
  await writeBan(beside, makeBan("198.51.100.1"));
  receiver.requests.length = 0;
  let isLeader = false;
  const sinks = [{ name: "first", ...webhook() }];
  // NATS's clock has the same milliseconds: what was written before is before.
  await eventually("a millisecond is over", nextMillisecond());
  const options = { connection: beside, folder, sinks, isLeader: () => isLeader };
  const notifier = startTestNotifier(options);
  await writeBan(beside, makeBan("198.51.100.2"));
  isLeader = true;
  try {
    await eventually("the second has come", () =>
      receiver.requests.some(({ body }) => body.includes("198.51.100.2")),
    );
    assert.ok(!receiver.requests.some(({ body }) => body.includes("198.51.100.1")));
  } finally {
    await notifier.stop();
  }
});

test("a thousand bans are one mail with totals and the networks with the most of them", async () => {
  await using smtp = await startTestSmtp();
  const latency = [1, 30];
  await startSink({ ...MAIL, latency, smtp: SMTP(smtp.port) });
  const bans = Array.from({ length: 1_000 }, (_each, index) =>
    makeBan(`203.${index < 600 ? 0 : 1}.113.${index % 250}`, {
      jail: `j${Math.floor(index / 250)}`,
    }),
  );
  await Promise.all(bans.map((each) => writeBan(connection, each)));
  const [mail] = await eventually("the mail has come", () => smtp.mails[0] && smtp.mails, 30);
  assert.match(mail?.headers.get("subject") ?? "", /^\[fleetban\] 1000 bans within \d+s$/);
  assert.match(mail?.text ?? "", /600 +203\.0\.113\.0\/24\r?\n +400 +203\.1\.113\.0\/24/);
  assert.match(mail?.text ?? "", /and 980 more/);
  assert.equal(smtp.mails.length, 1);
});

test("mail goes through STARTTLS and a login, with the password of a file", async () => {
  const { readFile: read } = await import("node:fs/promises");
  const { createOwnAuthority } = await import("../harness/openssl.ts");
  const authority = await createOwnAuthority(folder, "smtp");
  const { certificate, key } = await authority.sign("IP:127.0.0.1", 2);
  const tls = { cert: await read(certificate), key: await read(key) };
  await using smtp = await startTestSmtp({ tls, login: { user: "me", password: "secret" } });
  await writeFile(join(folder, "smtp.password"), "secret\n", { mode: 0o600 });
  const login = { user: "me", password: { file: "smtp.password" } };
  const smtpOptions = { ...SMTP(smtp.port), security: "starttls", ...login };
  const untrusting = await startSink({ ...MAIL, ...AT_ONCE, smtp: smtpOptions });
  await ban();
  const { notifier, name } = untrusting;
  const failing = await eventually("it fails", () => notifier.states.of(name)?.failing);
  assert.match(failing.reason, /certificate/);
  assert.equal(smtp.mails.length, 0);
  await notifier.stop();
  await startSink({
    ...{ ...MAIL, ...AT_ONCE, smtp: { ...smtpOptions, ca: authority.file } },
  });
  await ban();
  await eventually("the mail has come", () => smtp.mails.length > 0);
  assert.deepEqual([smtp.mails[0]?.user, smtp.mails[0]?.isEncrypted], ["me", true]);
});

test("a refused recipient is no failure, and a refused message is tried again", async () => {
  await using smtp = await startTestSmtp();
  const to = ["nobody@refused.example.org", "admin@example.org"];
  const { notifier, name } = await startSink({ ...MAIL, to, ...AT_ONCE, smtp: SMTP(smtp.port) });
  await ban();
  const [first] = await eventually("the mail has come", () => smtp.mails[0] && smtp.mails);
  assert.deepEqual(first?.to, ["admin@example.org"]);
  smtp.refuse("554 5.7.1 spam");
  const { address } = await ban();
  const failing = await eventually("it fails", () => notifier.states.of(name)?.failing);
  assert.match(failing.reason, /554 5\.7\.1 spam/);
  smtp.refuse(undefined);
  await eventually("the mail has come", () => smtp.mails[1]);
  assert.match(smtp.mails[1]?.headers.get("subject") ?? "", new RegExp(`${address} on`));
  await eventually("it is well again", () => notifier.states.of(name)?.failing === undefined);
});

test("sendmail gets the message and the recipients as arguments, without a shell", async () => {
  const out = join(folder, "sent");
  const script = join(folder, "sendmail");
  await writeFile(script, `#!/bin/bash\nprintf '%s|' "$@" >${out}.args\ncat >${out}\n`);
  await chmod(script, 0o755);
  const to = ["admin@example.org", "root"];
  await startSink({ ...MAIL, to, ...AT_ONCE, sendmail: script });
  await ban();
  await eventually("it has run", async () => (await readFile(out, "utf8")).includes("to lift"));
  const args = await readFile(`${out}.args`, "utf8");
  assert.equal(args, "-i|-f|fleetban@example.org|--|admin@example.org|root|");
});

test("a webhook is a signed CloudEvent of Standard Webhooks", async () => {
  const key = Buffer.alloc(32, 7);
  const environment = { HOOK_SECRET: `whsec_${key.toString("base64")}` };
  const secret = { environment: "HOOK_SECRET" };
  await startSink({ ...webhook(), secret }, { environment });
  const written = await ban();
  const [request] = await eventually("it came", () => receiver.requests[0] && receiver.requests);
  const { headers, body } = request!;
  const event = JSON.parse(body) as Record<string, unknown> & { data: { ban: unknown } };
  assert.deepEqual([event["specversion"], event["type"]], ["1.0", "org.fleetban.ban"]);
  assert.equal(event["subject"], written.address);
  assert.equal(event["id"], headers["webhook-id"]);
  assert.match(JSON.stringify(event.data), /"failures":5/);
  assert.match(headers["content-type"] ?? "", /^application\/cloudevents\+json/);
  const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  const signature = createHmac("sha256", key).update(signed).digest("base64");
  assert.equal(headers["webhook-signature"], `v1,${signature}`);
});

test("a receiver that answers 500 gets the same event again, and what came meanwhile", async () => {
  const sink = await startSink(webhook());
  receiver.respond((response) => response.writeHead(500, { "retry-after": "0" }).end("broken"));
  await ban();
  const { notifier, name } = sink;
  const failing = await eventually("it fails", () => notifier.states.of(name)?.failing);
  assert.match(failing.reason, /answers 500: broken/);
  await ban();
  receiver.respond(undefined);
  notifier.resend(name, { at: Date.now() });
  await eventually("both are sent", () => notifier.states.of(name)?.sent === 2);
  const ids = receiver.requests.map(({ headers }) => headers["webhook-id"]);
  assert.deepEqual([ids.length, ids[0] === ids[1], ids[1] === ids[2]], [3, true, false]);
  assert.equal(receiver.requests[0]?.body, receiver.requests[1]?.body);
});

test("Retry-After is waited for, 410 switches the sink off, and a command switches it on", async () => {
  const sink = await startSink(webhook());
  const { notifier, name } = sink;
  receiver.respond((response) => response.writeHead(429, { "retry-after": "3600" }).end());
  await ban();
  const { retryAt } = await eventually("it waits", () => notifier.states.of(name)?.failing);
  assert.ok(retryAt - Date.now() > 3_500_000);
  receiver.respond((response) => response.writeHead(410).end());
  notifier.resend(name, { at: Date.now() });
  await eventually("it is off", () => notifier.states.of(name)?.off);
  const [warning] = notifier.states.warnings();
  assert.equal(warning?.code, "sink-off");
  const before = receiver.requests.length;
  await ban();
  receiver.respond(undefined);
  notifier.resend(name, { at: Date.now() + 1 });
  await eventually("both are sent", () => notifier.states.of(name)?.sent === 2);
  assert.equal(receiver.requests.length, before + 2);
});

test("no redirect is followed, and no certificate for another name is believed", async () => {
  const sink = await startSink(webhook());
  receiver.respond((response) => response.writeHead(302, { location: receiver.url }).end());
  await ban();
  const redirected = await eventually(
    "it fails",
    () => sink.notifier.states.of(sink.name)?.failing,
  );
  assert.match(redirected.reason, /answers 302; redirects are not followed/);
  assert.equal(receiver.requests.length, 1);
  await sink.notifier.stop();
  await using other = await startHttpsReceiver(folder, "DNS:other.example.org");
  const wrong = await startSink({ ...webhook(), url: other.url, ca: other.ca });
  await ban();
  const { reason } = await eventually(
    "it fails",
    () => wrong.notifier.states.of(wrong.name)?.failing,
  );
  assert.match(reason, /altnames/);
  assert.equal(other.requests.length, 0);
});

test("a program gets the event as JSON on its standard input, and fails with its exit code", async () => {
  const out = join(folder, "event.json");
  const script = join(folder, "hook");
  await writeFile(script, `#!/bin/bash\n[ "$1" = '; false' ] || exit 9\ncat >${out}\n`);
  await chmod(script, 0o755);
  const good = await startSink({ type: "exec", command: [script, "; false"] });
  const { address } = await ban();
  await eventually("it has run", async () => (await readFile(out, "utf8")).includes(address));
  await good.notifier.stop();
  const bad = await startSink({ type: "exec", command: [script, "x"] });
  await ban();
  const { reason } = await eventually("it fails", () => bad.notifier.states.of(bad.name)?.failing);
  assert.match(reason, /ended with 9/);
});

test("a sink gets only the events, jails, hosts and offences that it asks for", async () => {
  const filter = { events: ["ban", "unban"], jails: ["dovecot"], hosts: ["mx2"], offence: 2 };
  await startSink({ ...webhook(), ...filter });
  const wanted = { offence: 2 };
  await ban(); // a first offence
  await ban({ ...wanted, jail: "other" });
  await ban({ ...wanted, evidence: [{ host: "mx1", failures: 5 }] });
  await ban({ ...wanted, state: "held", held: "too many" });
  await ban({ ...wanted, startsAt: Date.now() - 5_000 }); // made longer
  const old = Date.now() - 3_600_000;
  await ban({ ...wanted, startsAt: old, changedAt: old }); // restored from the history
  const lifted = await ban({ ...wanted, state: "lifted", startsAt: Date.now() - 9_000 });
  const { address } = await ban(wanted);
  await eventually("the last one came", () => receiver.requests.at(-1)?.body.includes(address));
  const subjects = receiver.requests.map(({ body }) => {
    return (JSON.parse(body) as { subject: string }).subject;
  });
  assert.deepEqual(subjects, [lifted.address, address]);
});

test("every chat and push service gets what its interface takes", async () => {
  const { origin } = new URL(receiver.url);
  const [ca, token, url] = [receiver.ca, { environment: "TOKEN" }, { environment: "URL" }];
  const environment = { TOKEN: "t0k", URL: receiver.url };
  const presets: readonly [SinkOptions, RegExp, RegExp][] = [
    [
      { type: "slack", url },
      /^POST \/hook /,
      /"text":"\*dovecot: banned .* on 2 hosts\*\\n.*&lt;b&gt;/,
    ],
    [{ type: "teams", url }, /^POST \/hook /, /"type":"AdaptiveCard".*"text":"dovecot: banned /],
    [{ type: "apprise", url }, /^POST \/hook /, /"title":"dovecot: banned .*"type":"warning"/],
    [
      { type: "ntfy", url: `${origin}/base/alerts`, token },
      /^POST \/base .*Bearer t0k/,
      /"topic":"alerts"/,
    ],
    [{ type: "gotify", url: origin, token }, /^POST \/message .*t0k /, /"priority":5/],
    [
      { type: "telegram", url: origin, token, chat: -7 },
      /^POST \/bott0k\/sendMessage /,
      /"chat_id":-7/,
    ],
    [
      { type: "matrix", url: origin, token, room: "!a/b:x" },
      /^PUT \/_matrix\/client\/v3\/rooms\/!a%2Fb%3Ax\/send\/m\.room\.message\/[0-9a-f]{32} Bearer t0k/,
      /"msgtype":"m\.notice","body":"dovecot: banned/,
    ],
  ];
  for (const [options, head, body] of presets) {
    const started = await startSink({ ...options, ca, ...AT_ONCE }, { environment });
    await ban({ reason: "<b>" });
    const [request] = await eventually("it came", () => receiver.requests[0] && receiver.requests);
    const { method, path, headers } = request!;
    const key = String(headers["x-gotify-key"] ?? "");
    assert.match(`${method} ${path} ${headers.authorization ?? ""} ${key}`.trimEnd() + " ", head);
    assert.match(request?.body ?? "", body);
    await started.notifier.stop();
  }
});

test("credentials that expire are told of once, also by the coordinator that takes over", async () => {
  const text = "the NATS credentials of agent mx1 expire on 2026-12-01";
  const expiring = { code: "credentials-expire", severity: "medium", text } as const;
  const readFleet = () => Promise.resolve({ warnings: [expiring], rows: [], stale: null });
  const events = ["credentials-expire", "ban"];
  const first = await startSink({ ...webhook(), events }, { readFleet });
  await eventually("it came", () => receiver.requests[0]?.body.includes(text));
  await first.notifier.stop();
  await startSink({ ...webhook(), events }, { readFleet });
  await ban();
  const types = await eventually("the ban came", () => {
    const found = receiver.requests.map(({ body }) => (JSON.parse(body) as { type: string }).type);
    return found.includes("org.fleetban.ban") && found;
  });
  assert.deepEqual(types, ["org.fleetban.ban"]);
  await notifiers.at(-1)?.stop();
  await startSink({ ...webhook(), events });
  const [over] = await eventually("its end came", () => receiver.requests[0] && receiver.requests);
  assert.match(over?.body ?? "", /"title":"credentials of the centre are renewed"/);
});
