/** What `fleetban-coordinator check` says of the web page, with real certificates, ports and a provider. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createCheckReport } from "../../services/nats/check.ts";
import { freePort } from "../../services/standalone/child.ts";
import { checkWeb } from "../../services/web/server/check-web.ts";
import { webConfig } from "../../services/web/server/web-config.ts";
import { eventually } from "../harness/eventually.ts";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { createOwnAuthority, type OwnAuthority } from "../harness/openssl.ts";
import { startTestNats } from "../harness/servers.ts";
import { startWebPage } from "../harness/web-page.ts";

const DAY_MS = 86_400_000;
const NAME = "bans.example.org";

let folder: string;
let authority: OwnAuthority;
let tls: { cert: string; key: string };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-web-check-"));
  authority = await createOwnAuthority(folder, "office");
  const { certificate, key } = await authority.sign(`DNS:${NAME},IP:192.0.2.7`, 30);
  tls = { cert: certificate, key };
});
after(() => rm(folder, { recursive: true, force: true }));

/** Runs the check `afterDays` from now. */
async function check(web: object, afterDays = 0): Promise<{ text: string; code: number }> {
  let text = "";
  const report = createCheckReport((line) => (text += line));
  await checkWeb(webConfig.parse(web), report, Date.now() + afterDays * DAY_MS);
  return { text, code: report.code() };
}

/** A page that listens at a free port, for `host` with this port or another one in its address. */
async function pageFor(host: string, urlPort?: number) {
  const port = await freePort();
  return { listen: `127.0.0.1:${port}`, url: `https://${host}:${urlPort ?? port}`, tls };
}

test("a certificate that browsers take is said with its name and its days", async () => {
  for (const host of [NAME, "192.0.2.7"]) {
    const { text, code } = await check(await pageFor(host));
    assert.equal(code, 0, text);
    assert.match(
      text,
      new RegExp(`^ok +web certificate: for ${host}, valid from 20\\S+ to 20`, "m"),
    );
    assert.match(text, /^ok +web page: can listen at 127\.0\.0\.1 port \d+$/m);
  }
  const soon = await check(await pageFor(NAME), 20);
  assert.equal(soon.code, 0);
  assert.match(soon.text, /^note +web certificate: .*renew it/m);
});

test("a certificate that browsers refuse is a fault: its days, its name", async () => {
  for (const days of [31, -2]) {
    const { text, code } = await check(await pageFor(NAME), days);
    assert.equal(code, 78, text);
    assert.match(text, /^FAIL +web certificate: .*valid from .* to .*: browsers refuse it today$/m);
  }
  for (const host of ["other.example.org", "192.0.2.8"]) {
    const { text, code } = await check(await pageFor(host));
    assert.equal(code, 78, text);
    const named = `names DNS:${NAME}, IP Address:192.0.2.7, not ${host}: browsers refuse it`;
    assert.ok(text.includes(named), text);
  }
  const proxied = await check(await pageFor("other.example.org", 443));
  assert.equal(proxied.code, 0, "a proxy may know the certificate by another name");
  assert.match(proxied.text, /^note +web certificate: .*not other\.example\.org: right only if/m);
});

test("a certificate that cannot be read or used is a fault with the file's name: 78", async () => {
  const files = { cert: join(folder, "web.pem"), key: join(folder, "web.key") };
  const other = await authority.sign(`DNS:${NAME}`, 30);
  const page = { ...(await pageFor(NAME)), tls: files };
  for (const [prepare, expected] of [
    [() => Promise.resolve(), /web\.tls\.cert: \S+web\.pem: cannot be read: no such file/],
    [() => copyFile(tls.cert, files.cert), /web\.tls\.key: \S+web\.key: cannot be read/],
    [() => copyFile(other.key, files.key), /web\.tls: .*key values mismatch/],
    [() => copyFile(tls.key, files.key).then(() => chmod(files.key, 0o644)), /mode is 644/],
    [
      () => chmod(files.key, 0o600).then(() => writeFile(files.cert, "no\n")),
      /expected a certificate/,
    ],
  ] as const) {
    await prepare();
    const { text, code } = await check(page);
    assert.equal(code, 78, text);
    assert.match(text, /^FAIL +web certificate: /m);
    assert.match(text, expected);
  }
});

/** Listens at a free port of loopback. */
async function occupy(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return (server.address() as AddressInfo).port;
}

test("a port that another program has is a fault, whatever it speaks: 69", async () => {
  const hangingUp = createServer((socket) => socket.destroy());
  const serving = createHttpServer((_, response) => response.end("<title>something else</title>"));
  for (const server of [hangingUp, serving]) {
    const port = await occupy(server);
    const { text, code } = await check({ listen: `127.0.0.1:${port}` });
    assert.equal(code, 69, text);
    assert.match(text, /^FAIL +web page: 127\.0\.0\.1 port \d+: another program listens there/m);
    server.close();
  }
  const elsewhere = { listen: "192.0.2.7:9490", url: `https://${NAME}:9490`, tls };
  const { text, code } = await check(elsewhere);
  assert.equal(code, 69);
  assert.match(
    text,
    /^FAIL +web page: 192\.0\.2\.7 port 9490: that is no address of this machine$/m,
  );
});

test("a coordinator that runs does not make its own check fail, with and without TLS", async () => {
  await using nats = await startTestNats();
  for (const [more, scheme] of [
    [{}, "http"],
    [{ tls }, "https"],
  ] as const) {
    const path = "/fleetban";
    const port = await freePort();
    const url = more.tls ? `https://${NAME}:${port}${path}` : `http://127.0.0.1:${port}${path}`;
    const web = { listen: `127.0.0.1:${port}`, url, ...more };
    await using page = await startWebPage(nats.url, folder, web);
    await eventually("it is ready", () => page.log().includes("coordinator is ready"));
    const { text, code } = await check(web);
    assert.equal(code, 0, `${scheme}: ${text}`);
    assert.match(text, /^ok +web page: a coordinator serves it at 127\.0\.0\.1 port \d+ already$/m);
  }
});

test("OpenID Connect: whether the provider answers, and what is to be registered there", async () => {
  const secret = join(folder, "oidc.secret");
  await writeFile(secret, "secret\n", { mode: 0o600 });
  await using provider = await startOidcProvider({ id: "fleetban", secret: "secret" });
  const port = await freePort();
  const oidc = { issuer: provider.issuer, clientId: "fleetban", clientSecretFile: secret };
  const roles = { operator: ["admins"] };
  const web = (more: object) => ({
    ...{ listen: `127.0.0.1:${port}`, oidc: { ...oidc, roles, ...more } },
  });
  const well = await check(web({}));
  assert.equal(well.code, 0, well.text);
  const callback = `http://127.0.0.1:${port}/login/oidc/callback`;
  assert.ok(well.text.includes(`${provider.issuer} answers; client fleetban must be`), well.text);
  assert.ok(well.text.includes(callback), well.text);

  const other = await check(web({ issuer: `${provider.issuer}/realms/staff` }));
  assert.equal(other.code, 69, other.text);
  assert.match(other.text, /^FAIL +web login: http:\S+\/realms\/staff does not answer: /m);
  await chmod(secret, 0o644);
  const exposed = await check(web({}));
  assert.equal(exposed.code, 78);
  assert.match(exposed.text, /^FAIL +web login: web\.oidc\.clientSecretFile: .*mode is 644/m);
  await chmod(secret, 0o600);
  const away = await check(web({ issuer: `http://127.0.0.1:${await freePort()}` }));
  assert.equal(away.code, 69);
  assert.match(away.text, /^FAIL +web login: .* does not answer: connect ECONNREFUSED/m);
});

test("a web section without listen is worth a note, no section is not", async () => {
  assert.deepEqual(await check({}), { text: "", code: 0 });
  const { text, code } = await check({ url: "https://bans.example.org" });
  assert.equal(code, 0);
  assert.equal(text, "note  web page: there is none, because web.listen does not say where\n");
});
