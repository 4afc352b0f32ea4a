/** `fleetban notify`, and what a whole coordinator sends when an agent's failures bring a ban. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { startHttpsReceiver, type HttpsReceiver } from "../harness/https-receiver.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";
import { startTestSmtp, type TestSmtp } from "../harness/smtp-server.ts";

let folder: string;
let nats: TestNats;
let smtp: TestSmtp;
let receiver: HttpsReceiver;
let centre: Centre;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-notify-"));
  nats = await startTestNats();
  smtp = await startTestSmtp();
  receiver = await startHttpsReceiver(folder);
  const mail = `from: fleetban@example.org, to: [admin@example.org], latency: none`;
  const coordinatorYaml = `notify:
  whois: { ask: false }
  sinks:
    - { name: admin, type: mail, ${mail}, smtp: { host: 127.0.0.1, port: ${smtp.port} } }
    - { name: hook, type: webhook, url: "${receiver.url}", ca: ${receiver.ca} }`;
  centre = await startCentre({ folder, natsUrl: nats.url, coordinatorYaml });
});

after(async () => {
  await centre[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await smtp[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function sinks(): Promise<Reply<"notify.list">["sinks"]> {
  const { stdout } = await centre.cli("notify", "list", "--json");
  return (JSON.parse(stdout) as Reply<"notify.list">).sinks;
}

// A message may come twice, and the fleet has other news on a busy machine, such as a host behind.
const mailAbout = (address: string) => smtp.mails.find(({ text }) => text.includes(address));
const requestsAbout = (address: string) =>
  receiver.requests.filter(({ body }) => body.includes(address));

test("failures that bring a ban are a mail and a webhook, without PostgreSQL", async () => {
  await centre.fail("198.51.100.7", 5);
  const [mail, request] = await eventually("both have come", () => {
    const found = [mailAbout("198.51.100.7"), requestsAbout("198.51.100.7")[0]] as const;
    return found[0] !== undefined && found[1] !== undefined && ([found[0], found[1]] as const);
  });
  assert.match(mail.text, /failures +mx1 5/);
  assert.equal(mail.headers.get("subject"), "[fleetban] dovecot: banned 198.51.100.7 on 1 host");
  const id = String(request.headers["webhook-id"]);
  assert.equal(mail.headers.get("message-id"), `<${id}@example.org>`);
  await eventually("both are ok", async () => (await sinks()).every(({ state }) => state === "ok"));
  const { stdout } = await centre.cli("notify", "list");
  assert.match(stdout, /^SINK +TYPE +RECEIVER +STATE +SENT +LAST\n/);
  assert.match(stdout, /admin +mail +admin@example\.org through 127\.0\.0\.1 +ok +1 event /);
});

test("notify test says whether the sink takes a message, and exits with 1 where it does not", async () => {
  const good = await centre.cli("notify", "test", "admin");
  assert.deepEqual(
    [good.code, /^admin has taken the test after \d+ ms\n$/.test(good.stdout)],
    [0, true],
  );
  assert.match(smtp.mails.at(-1)?.headers.get("subject") ?? "", /test: this sink works/);
  receiver.respond((response) => response.writeHead(403).end("\u001b[2Jgo away"));
  const bad = await centre.cli("notify", "test", "hook");
  receiver.respond(undefined);
  assert.equal(bad.code, 1);
  assert.equal(bad.stdout, "hook has not taken the test: the receiver answers 403: [2Jgo away\n");
  const wrong = await centre.cli("notify", "test", "nosuch");
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [1, 'fleetban: sink "nosuch": there is no such sink: admin, hook\n'],
  );
  assert.equal((await centre.cli("notify", "test", "a b")).code, 64);
});

test("a sink that fails is a warning with its remedy, and notify resend sends what it has missed", async () => {
  receiver.respond((response) => response.writeHead(410).end("moved away"));
  await centre.fail("198.51.100.8", 5);
  const [, hook] = await eventually("it is off", async () => {
    const rows = await sinks();
    return rows[1]?.state === "off" && rows;
  });
  assert.match(hook?.reason ?? "", /answers 410: moved away/);
  const { warnings } = await centre.status();
  const warning = warnings.find(({ code }) => code === "sink-off");
  assert.match(warning?.text ?? "", /fleetban notify resend hook/);
  await eventually("the mail has come all the same", () => mailAbout("198.51.100.8") !== undefined);
  receiver.respond(undefined);
  receiver.requests.length = 0;
  const { stdout } = await centre.cli("notify", "resend", "hook");
  assert.equal(stdout, "hook gets what waits for it now\n");
  await eventually("it came", () => requestsAbout("198.51.100.8").length > 0);
  assert.equal(requestsAbout("198.51.100.7").length, 0);
  await eventually("it is on", async () => (await sinks())[1]?.state === "ok");
  await centre.cli("notify", "resend", "hook", "--since", "1h");
  await eventually("both came again", () => requestsAbout("198.51.100.7").length > 0);
  await eventually("both came again", () => requestsAbout("198.51.100.8").length > 1);
  for (const address of ["198.51.100.7", "198.51.100.8"]) {
    const ids = new Set(requestsAbout(address).map(({ headers }) => headers["webhook-id"]));
    assert.equal(ids.size, 1, address);
  }
});
