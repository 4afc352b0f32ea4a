/** The web page's TLS: its certificate, a renewal while it runs, and what comes without TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { get as getPlain, type IncomingMessage } from "node:http";
import { Agent, request, type RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { TLSSocket } from "node:tls";
import { eventually } from "../harness/eventually.ts";
import { fleetban } from "../harness/fleetban.ts";
import { createOwnAuthority, type OwnAuthority } from "../harness/openssl.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";
import { tokenOf } from "../harness/web-client.ts";
import { startWebPage, type WebPage } from "../harness/web-page.ts";

/** What the certificate names, and what the browser asks for. */
const NAME = "bans.example.org";
const undo: (() => Promise<unknown>)[] = [];
let folder: string;
let nats: TestNats;
let authority: OwnAuthority;
let ca: Buffer;
let page: WebPage;
let origin: string;
const certFile = () => join(folder, "web.pem");
const keyFile = () => join(folder, "web.key");

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-web-tls-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  nats = await startTestNats();
  undo.push(async () => nats[Symbol.asyncDispose]());
  authority = await createOwnAuthority(folder, "office");
  ca = await readFile(authority.file);
  await putInPlace(await authority.sign(`DNS:${NAME}`, 30));
  const tls = { cert: "web.pem", key: "web.key" };
  page = await startWebPage(nats.url, folder, { url: `https://${NAME}:9490`, tls });
  undo.push(() => page.stop());
  origin = `https://${NAME}:9490`;
  await eventually("the page is there", async () => (await ask("/")).response.statusCode === 200);
});
after(async () => {
  for (const each of undo.reverse()) await each();
});

async function putInPlace({ certificate, key }: { certificate: string; key: string }) {
  await copyFile(certificate, certFile());
  await copyFile(key, keyFile());
}

interface Answered {
  response: IncomingMessage;
  body: string;
  /** Of the certificate that the server has shown. */
  serial: string;
}

/** One request on a connection of its own, as a browser makes it that trusts the authority alone. */
async function ask(
  path: string,
  { body = "", ...options }: RequestOptions & { body?: string } = {},
): Promise<Answered> {
  const asked = request({
    ...{ host: "127.0.0.1", port: page.port, servername: NAME, ca, path, agent: false },
    ...options,
  });
  asked.end(body);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const { socket } = response;
  assert.ok(socket instanceof TLSSocket);
  const { serialNumber } = socket.getPeerCertificate();
  return { response, body: await text(response), serial: serialNumber };
}

const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  ask(path, {
    ...{ method: "POST", body: JSON.stringify(body) },
    headers: { origin, "content-type": "application/json", "fleetban-web": "1", ...headers },
  });

/** Lines of the coordinator's log with this message. */
const logged = (message: string) =>
  page
    .log()
    .split("\n")
    .filter((line) => line.includes(message))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const BROKEN = "keeps its certificate: the new one cannot be used";
const hangUp = () => process.kill(page.child().pid, "SIGHUP");

test("a browser that trusts the certificate's authority logs in, and the cookie is for TLS alone", async () => {
  const stdout = await eventually("a link is made", async () => {
    const answer = await fleetban(["web", "login"], { NATS_URL: nats.url });
    return answer.code === 0 && answer.stdout;
  });
  assert.ok(stdout.startsWith(`${origin}/login#`), stdout);
  const { response, body } = await post("/api/login", { token: tokenOf(stdout) });
  assert.equal(response.statusCode, 200, body);
  const [cookie = ""] = response.headers["set-cookie"] ?? [];
  assert.match(cookie, /^__Host-fleetban=[\w-]{43}; Path=\/; .*Secure; HttpOnly; SameSite=Strict$/);
  const session = await post("/api/session", {}, { cookie: cookie.split(";")[0] ?? "" });
  assert.equal(session.response.statusCode, 200, session.body);
  // It would hold for every port of the host, see security-headers.ts.
  assert.equal(response.headers["strict-transport-security"], undefined);
});

test("a browser that does not trust the authority, or asks for another name, gets nothing", async () => {
  await assert.rejects(ask("/", { ca: [] }), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  const servername = "other.example.org";
  await assert.rejects(ask("/", { servername }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  await assert.rejects(ask("/", { maxVersion: "TLSv1.1", minVersion: "TLSv1.1" }));
});

test("what speaks plain HTTP to the port is answered nothing", async () => {
  const asked = getPlain({ host: "127.0.0.1", port: page.port, path: "/", agent: false });
  await assert.rejects(once(asked, "response"), { code: "ECONNRESET" });
});

test("without TLS the page is for this machine alone: 78", async () => {
  await using other = await startWebPage(nats.url, folder, {
    ...{ listen: "0.0.0.0:0", url: "https://bans.example.org" },
  });
  assert.equal(await other.child().ended, 78);
  assert.match(other.log(), /web\.tls: expected a certificate and its key: others than this mach/);
  await using plain = await startWebPage(nats.url, folder, {
    ...{ listen: "0.0.0.0:0", url: "http://bans.example.org" },
  });
  assert.equal(await plain.child().ended, 78);
  assert.match(plain.log(), /web\.url: expected a URL such as https:/);
});

test("a renewed certificate is in use after SIGHUP, and open connections go on", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const before = await ask("/", { agent });
  await putInPlace(await authority.sign(`DNS:${NAME}`, 60));
  hangUp();
  // Long before the files are read again without it.
  const isNew = async () => (await ask("/")).serial !== before.serial;
  await eventually("the new certificate is shown", isNew, 5);
  const open = await ask("/", { agent });
  assert.equal(open.serial, before.serial, "of the connection that was open");
  assert.equal(open.response.statusCode, 200);
  agent.destroy();
  const [line] = logged("the web page has another certificate");
  assert.ok(Date.parse(String(line?.["until"])) > Date.now() + 50 * 86_400_000, page.log());
});

test("a certificate that cannot be used changes nothing, and the log and status say why", async () => {
  const { serial } = await ask("/");
  const good = await readFile(keyFile());
  const other = await authority.sign(`DNS:${NAME}`, 30);
  for (const [what, breakIt, reason] of [
    ["the key of another", () => copyFile(other.key, keyFile()), /key values mismatch/],
    ["no certificate", () => writeFile(certFile(), "none\n"), /expected a certificate and its key/],
    ["no file", () => rm(certFile()), /web\.tls\.cert: .*web\.pem: cannot be read: no such file/],
  ] as const) {
    const count = logged(BROKEN).length;
    await breakIt();
    hangUp();
    const line = await eventually(what, () => logged(BROKEN)[count]);
    assert.match(String(line["reason"]), reason, what);
    assert.equal((await ask("/")).serial, serial, what);
  }
  const { stdout } = await fleetban(["status"], { NATS_URL: nats.url });
  assert.match(stdout.replace(/\s+/g, " "), /the web page keeps the certificate that it has/);
  const count = logged(BROKEN).length;
  hangUp();
  await eventually("whoever asks again is told again", () => logged(BROKEN).length > count);

  await copyFile(other.certificate, certFile());
  await copyFile(other.key, keyFile());
  assert.notDeepEqual(await readFile(keyFile()), good);
  hangUp();
  await eventually("the pair is in use", async () => (await ask("/")).serial !== serial);
  const well = await fleetban(["status"], { NATS_URL: nats.url });
  assert.doesNotMatch(well.stdout, /certificate/);
});

test("a key that others may read is not used", async () => {
  const { serial } = await ask("/");
  const next = await authority.sign(`DNS:${NAME}`, 30);
  const count = logged(BROKEN).length;
  await copyFile(next.certificate, certFile());
  await rm(keyFile());
  await writeFile(keyFile(), await readFile(next.key), { mode: 0o644 });
  hangUp();
  const line = await eventually("the key is refused", () => logged(BROKEN)[count]);
  assert.match(String(line["reason"]), /web\.key: others may use it, its mode is 644/);
  assert.equal((await ask("/")).serial, serial);
});

test("status warns of a certificate that ends soon", async () => {
  await rm(keyFile());
  await putInPlace(await authority.sign(`DNS:${NAME}`, 2));
  hangUp();
  await eventually("the warning is shown", async () => {
    const { stdout } = await fleetban(["status"], { NATS_URL: nats.url });
    return /the days of the web page's certificate expire on/.test(stdout.replace(/\s+/g, " "));
  });
});
