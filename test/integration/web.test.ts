/** The web page's server: its files, logging in with NATS credentials, sessions, and what each role may do. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readCredentials } from "../../services/nats/credentials.ts";
import { proveIdentity, type IdentityProof } from "../../services/nats/identity-proof.ts";
import { api } from "../../services/wire/api.ts";
import { ASKER_ROLES, mayAsk } from "../../services/wire/askers.ts";
import { spellInstant } from "../../services/wire/instants.ts";
import { ERROR_CODE_HEADER, ERROR_HEADER } from "../../services/wire/api-headers.ts";
import { apiSubject } from "../../services/wire/subjects.ts";
import { freePort } from "../../services/standalone/child.ts";
import { openEventStream, type EventStream } from "../harness/event-stream.ts";
import { eventually } from "../harness/eventually.ts";
import { FOREIGN_WORDS } from "../harness/hostile-requests.ts";
import { probeMemory, type MemoryProbe } from "../harness/program-memory.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";
import { createWebClient, tokenOf, type WebClient } from "../harness/web-client.ts";
import { askForLink } from "../harness/web-login.ts";

const PATH = "/fleetban";

let fleet: SecuredFleet;
/** Two coordinators behind one address, as a proxy in front of them would have it. */
let coordinators: SecuredProgram[];
let site: string;
let reached: string[];
/** Of the first coordinator. */
let memory: MemoryProbe;

before(async () => {
  fleet = await startSecuredFleet();
  const ports = [await freePort(), await freePort()];
  reached = ports.map((port) => `http://127.0.0.1:${port}${PATH}`);
  site = `http://127.0.0.1:${ports[0]}${PATH}`;
  memory = await probeMemory();
  coordinators = [];
  for (const [index, port] of ports.entries()) {
    const name = `c${index + 1}`;
    const creds = await fleet.credentials("coordinator", name);
    const yaml = `web: { listen: "127.0.0.1:${port}", url: "${site}" }`;
    const environment = index === 0 ? memory.environment : {};
    const options = { creds, yaml, environment };
    coordinators.push(await startSecuredCoordinator(fleet, name, options));
  }
  for (const url of reached) {
    await eventually(`the page is at ${url}`, () => fetch(`${url}/`).then(({ ok }) => ok), 30);
    // Either of them makes the link that the other one takes.
    const stranger = createWebClient(site, url);
    stranger.cookie = `__Host-fleetban=${"A".repeat(43)}`;
    const isKnown = async () => (await stranger.post("session")).status === 401;
    await eventually(`the sessions are known at ${url}`, isKnown, 30);
  }
});
after(async () => {
  for (const coordinator of coordinators) await coordinator.stop();
  await fleet[Symbol.asyncDispose]();
});

const clientAt = (index: number) => createWebClient(site, reached[index]);

/** Prints a link with these credentials. */
const linkOf = (creds: string): Promise<string> => askForLink(cliOf(fleet, creds));

async function logIn(creds: string, client: WebClient): Promise<WebClient> {
  const { status, body } = await client.post("login", { token: tokenOf(await linkOf(creds)) });
  assert.equal(status, 200, JSON.stringify(body));
  return client;
}

test("a link logs its asker in once, with name and role of the credentials, on both coordinators", async () => {
  const creds = await fleet.credentials("operator", "alice");
  const link = await linkOf(creds);
  assert.ok(link.startsWith(`${site}/login#`), link);
  const [first, second] = [clientAt(0), clientAt(1)];
  const token = tokenOf(link);
  const opened = await first.post("login", { token });
  assert.equal(opened.status, 200, JSON.stringify(opened.body));
  const cookie = opened.headers.get("set-cookie") ?? "";
  assert.match(
    cookie,
    /^__Host-fleetban=[\w-]{43}; Path=\/; Max-Age=4\d{4}; Secure; HttpOnly; SameSite=Strict$/,
  );
  assert.equal(opened.body["name"], "alice");
  assert.equal(opened.body["role"], "operator");
  const again = await second.post("login", { token });
  assert.equal(again.status, 401, "the link is used up, also at the other coordinator");
  assert.deepEqual(again.body["ways"], ["link"]);
  second.cookie = first.cookie;
  const there = await second.post("session");
  assert.deepEqual([there.status, there.body["name"]], [200, "alice"]);
  const added = await second.post("allow.add", { address: "192.0.2.1", comment: "" });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  assert.equal((added.body["allowed"] as { by: string }).by, "operator alice");

  assert.equal((await second.post("logout")).status, 200);
  await eventually("the session is over everywhere", async () => {
    return (await first.post("session")).status === 401;
  });
});

test("revoked credentials end their sessions at once, also on a coordinator that was down", async () => {
  const creds = await fleet.credentials("operator", "ruth");
  const link = await linkOf(creds);
  const client = await logIn(creds, clientAt(0));
  const there = clientAt(1);
  there.cookie = client.cookie;
  assert.equal((await there.post("session")).status, 200);
  await coordinators[1]!.stop();
  await fleet.key(["revoke", "ruth"]);
  await eventually(
    "the session is over",
    async () => (await client.post("session")).status === 401,
  );
  for (const endpoint of Object.keys(api)) {
    assert.equal((await client.post(endpoint)).status, 401, endpoint);
  }
  const late = await client.post("login", { token: tokenOf(link) });
  assert.equal(late.status, 401, "a link from before logs nobody in");
  await coordinators[1]!.start();
  await eventually("the other coordinator knows", () =>
    there.post("session").then(
      ({ status }) => status === 401,
      () => false, // it does not listen yet
    ),
  );
});

test("a viewer logs in, too, and may change nothing", async () => {
  const creds = await fleet.credentials("viewer", "vera");
  const client = await logIn(creds, clientAt(0));
  const { body } = await client.post("session");
  assert.deepEqual([body["name"], body["role"]], ["vera", "viewer"]);
  assert.equal((await client.post("status.show")).status, 200);
  const refused = await client.post("allow.add", { address: "192.0.2.2", comment: "" });
  assert.equal(refused.status, 403);
  assert.equal(refused.body["error"], "viewer vera may not ask for allow add");
});

test("pages, files and headers are those of the page, and nothing else is served", async () => {
  const client = clientAt(0);
  for (const path of ["/", "/bans", "/address/192.0.2.0/24"]) {
    const page = await client.get(path);
    assert.equal(page.status, 200);
    assert.equal(
      page.headers.get("content-security-policy"),
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    assert.equal(page.headers.get("x-content-type-options"), "nosniff");
    const [, script = ""] = /src="\/fleetban(\/assets\/app-\w+\.js)"/.exec(await page.text()) ?? [];
    for (const encoding of ["br", "gzip", "identity"]) {
      const file = await client.get(script, { "accept-encoding": encoding });
      assert.equal(file.headers.get("content-encoding"), encoding === "identity" ? null : encoding);
      assert.match(file.headers.get("cache-control") ?? "", /immutable/);
      assert.match(await file.text(), /fleetban/);
    }
  }
  assert.equal(
    (await client.get("/assets/../index.html")).headers.get("content-type"),
    "text/html; charset=utf-8",
  );
  assert.equal((await client.get("/assets/none.js")).status, 404);
  assert.equal((await client.get("/api/status.show")).status, 405);
  assert.equal((await fetch(`${new URL(site).origin}/other`)).status, 404);
});

/** The addresses of failures that a feed has told, in order. */
const addressesIn = (stream: EventStream) =>
  stream.events.flatMap(({ data }) =>
    ((data["failures"] ?? []) as { address: string }[]).map(({ address }) => address),
  );
const lastIdOf = (stream: EventStream) => stream.events.at(-1)?.id ?? "";

test("the feed goes on at the other coordinator without gap or double, and ends with the session", async () => {
  const client = await logIn(await fleet.credentials("operator", "fred"), clientAt(0));
  const open = (index: number, headers: Record<string, string> = {}) =>
    openEventStream(`${reached[index]}/feed`, { cookie: client.cookie ?? "", ...headers });
  const fail = async (address: string) => {
    const failure = { addresses: [address], jail: "dovecot", host: "mx1", attempts: 1 };
    assert.equal((await client.post("failure.add", failure)).status, 200);
  };
  assert.equal((await openEventStream(`${reached[0]}/feed`, {})).status, 401);

  const first = await open(0);
  await eventually("hosts are told at once", () => first.events.length === 1);
  await fail("192.0.2.10");
  await fail("192.0.2.11");
  await eventually("both are told", () => addressesIn(first).length === 2);
  assert.deepEqual(addressesIn(first), ["192.0.2.10", "192.0.2.11"]);
  first.close();
  await fail("192.0.2.12");
  const second = await open(1, { "last-event-id": lastIdOf(first) });
  await fail("192.0.2.13");
  await eventually("what came meanwhile is told", () => addressesIn(second).length >= 2);
  const third = await open(0, { "last-event-id": lastIdOf(second) });
  await fail("192.0.2.14");
  for (const stream of [second, third]) {
    await eventually("the last is told", () => addressesIn(stream).includes("192.0.2.14"));
  }
  assert.deepEqual(addressesIn(second), ["192.0.2.12", "192.0.2.13", "192.0.2.14"]);
  assert.deepEqual(addressesIn(third), ["192.0.2.14"]);

  await client.post("logout");
  for (const stream of [second, third]) {
    await eventually("the feed has ended", () => !stream.isOpen());
    assert.equal(stream.events.at(-1)?.event, "ended");
  }
});

const FEEDS = 1_000;
/** An idle feed keeps its connection, its request and its place. */
const MOST_BYTES_OF_A_FEED = 40_000;

test("a thousand idle feeds cost their connections, and a ban goes on beside them", async () => {
  const client = await logIn(await fleet.credentials("operator", "iris"), clientAt(0));
  const cookie = client.cookie ?? "";
  const before = await memory.read();
  const streams = await Promise.all(
    Array.from({ length: FEEDS }, () => openEventStream(`${reached[0]}/feed`, { cookie })),
  );
  try {
    assert.deepEqual([...new Set(streams.map(({ status }) => status))], [200]);
    const ban = {
      address: "198.51.100.77",
      jail: "dovecot",
      reason: "idle",
      replace: false,
      wait: null,
      seconds: 600,
    };
    assert.equal((await client.post("ban.add", ban)).status, 200);
    const isTold = ({ events }: EventStream) =>
      events.some(({ data }) => JSON.stringify(data["bans"]).includes("198.51.100.77"));
    await eventually("every feed tells the ban", () => streams.every(isTold), 30);
    for (const { events } of streams) {
      const told = events.filter(({ data }) => Number(data["banCount"]) > 0);
      assert.equal(told.length, 1, "once");
    }
    const bytes = ((await memory.read()).used - before.used) / FEEDS;
    assert.ok(bytes < MOST_BYTES_OF_A_FEED, `${bytes} bytes a feed`);
    await fleet.key(["revoke", "iris"]);
    await eventually("all of them have ended", () => streams.every(({ isOpen }) => !isOpen()), 10);
    await eventually("their memory is free again", async () => {
      return (await memory.read()).used - before.used < (FEEDS * MOST_BYTES_OF_A_FEED) / 4;
    });
  } finally {
    for (const stream of streams) stream.close();
  }
});

/** Sends what a browser of ours would not send. */
async function send(path: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const response = await fetch(`${reached[0]}${path}`, { method: "POST", ...init });
  return { status: response.status, text: await response.text() };
}

test("every endpoint takes the roles that may ask it, and refuses the others", async () => {
  for (const role of ASKER_ROLES) {
    const client = await logIn(await fleet.credentials(role, `role-${role}`), clientAt(1));
    for (const endpoint of Object.keys(api)) {
      const { status, body } = await client.post(endpoint);
      const isRefused = status === 403 || status === 401;
      assert.equal(isRefused, !mayAsk(role, endpoint), `${role} ${endpoint}: ${status}`);
      assert.ok(status === 200 || typeof body["error"] === "string", `${role} ${endpoint}`);
      const stranger = await clientAt(1).post(endpoint);
      assert.equal(stranger.status, 401, endpoint);
    }
    assert.equal((await client.post("ban.nosuch")).status, 404);
    assert.equal((await client.post("__proto__")).status, 404);
  }
});

test("support helps with single addresses for some days, on the page and in the terminal", async () => {
  const creds = await fleet.credentials("support", "sue");
  const client = await logIn(creds, clientAt(0));
  const cli = cliOf(fleet, creds);
  const DAY = 86_400;
  for (const [address, seconds, status] of [
    ["203.0.113.1", DAY, 200],
    ["203.0.113.1", 7 * DAY, 200],
    ["203.0.113.1", DAY, 403], // shorter than it is allowed for
    ["203.0.113.2", 7 * DAY + 1, 403],
    ["203.0.113.2", undefined, 403],
    ["203.0.113.0/31", DAY, 403],
    ["2001:db8:1:2::/64", DAY, 200],
    ["2001:db8:1::/63", DAY, 403],
    ["0.0.0.0/1", DAY, 403],
  ] as const) {
    const asked = await client.post("allow.add", { address, comment: "", seconds });
    assert.equal(asked.status, status, `${address} ${seconds}: ${JSON.stringify(asked.body)}`);
    const by = (asked.body["allowed"] as { by?: string } | undefined)?.by;
    if (status === 200) assert.equal(by, "support sue");
  }
  const lift = { reason: "customer called", wait: null };
  assert.equal(
    (await client.post("ban.remove", { address: "203.0.113.0/24", ...lift })).status,
    403,
  );
  assert.equal((await client.post("ban.remove", { address: "203.0.113.9", ...lift })).status, 404);

  const allowed = await cli("allow", "add", "203.0.113.3", "--for", "1d");
  assert.equal(allowed.code, 0, allowed.stderr);
  const wide = await cli("allow", "add", "203.0.113.0/24", "--for", "1d");
  assert.equal(wide.code, 77);
  assert.match(wide.stderr, /support may lift and allow one address, not more/);
  const ban = await cli("ban", "add", "203.0.113.4");
  assert.equal(ban.code, 77, "NATS refuses it");
});

/** A body that does not end and does not say its length; resolves with the code of the answer. */
function sendWithoutEnd(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`${reached[0]}${path}`, { method: "POST", headers }, (response) => {
      clearInterval(timer);
      resolve(response.statusCode ?? 0);
      asked.destroy();
    });
    const timer = setInterval(() => asked.write(Buffer.alloc(16_384)), 1);
    asked.on("error", (error) => {
      clearInterval(timer);
      reject(error);
    });
  });
}

test("requests that another page may have sent, and bodies that are none, are refused", async () => {
  const client = await logIn(await fleet.credentials("operator", "otto"), clientAt(0));
  const { origin } = new URL(site);
  const own = {
    ...{ origin, "content-type": "application/json", "fleetban-web": "1" },
    cookie: client.cookie ?? "",
  };
  const without = (name: keyof typeof own) =>
    Object.fromEntries(Object.entries(own).filter(([key]) => key !== name));
  const body = JSON.stringify({ address: "192.0.2.99", comment: "" });
  for (const [what, expected, headers] of [
    ["no Origin", 403, without("origin")],
    ["a foreign Origin", 403, { ...own, origin: "https://evil.example" }],
    ["an Origin of another port", 403, { ...own, origin: reached[1]!.replace(PATH, "") }],
    ["the Origin of a sandbox", 403, { ...own, origin: "null" }],
    ["no header of ours", 403, without("fleetban-web")],
    ["a form's type", 415, { ...own, "content-type": "application/x-www-form-urlencoded" }],
    ["a type that needs no leave", 415, { ...own, "content-type": "text/plain" }],
    ["no cookie", 401, without("cookie")],
    ["a made-up cookie", 401, { ...own, cookie: `__Host-fleetban=${"A".repeat(43)}` }],
    ["a cookie of another kind", 401, { ...own, cookie: "__Host-fleetban=../../x" }],
  ] as const) {
    for (const name of [...Object.keys(api), "session", "logout"]) {
      const { status } = await send(`/api/${name}`, {
        headers,
        body: name === "allow.add" ? body : "{}",
      });
      assert.equal(status, expected, `${what}: ${name}`);
    }
  }
  for (const [what, expected, hostile] of [
    ["nothing", 400, ""],
    ["no JSON", 400, "{"],
    ["a list", 400, "[]"],
    [
      "a field that there is not",
      400,
      JSON.stringify({ address: "192.0.2.99", comment: "", x: 1 }),
    ],
    ["a prototype", 400, '{"__proto__":{"address":"192.0.2.99"},"comment":""}'],
    ["too much", 413, JSON.stringify({ comment: "x".repeat(65_536) })],
  ] as const) {
    for (const name of Object.keys(api)) {
      const { status, text } = await send(`/api/${name}`, { headers: own, body: hostile });
      assert.equal(status, expected, `${what}: ${name}: ${text}`);
      assert.doesNotMatch(text, FOREIGN_WORDS);
    }
  }
  assert.equal(await sendWithoutEnd("/api/allow.add", own), 413);
  const { body: list } = await client.post("allow.list");
  assert.doesNotMatch(JSON.stringify(list), /192\.0\.2\.99/, "nothing was changed");
});

test("a session ends with the credentials that it was opened with", async () => {
  await fleet.key(["operator", "brief", "--for", "4s"]);
  const client = await logIn(join(fleet.folder, "operators/brief.creds"), clientAt(0));
  assert.equal((await client.post("session")).status, 200);
  const feed = await openEventStream(`${reached[0]}/feed`, { cookie: client.cookie ?? "" });
  await eventually("it is over", async () => (await client.post("session")).status === 401, 10);
  for (const endpoint of Object.keys(api)) {
    assert.equal((await client.post(endpoint)).status, 401, endpoint);
  }
  await eventually("so is its feed", () => !feed.isOpen(), 10);
});

test("nobody logs in with the credentials of another, or without", async () => {
  const anna = await fleet.connect(await fleet.credentials("operator", "anna"));
  const other = readCredentials(await fleet.credentials("operator", "other"));
  const ask = async (asked: object) => {
    const subject = apiSubject("web", "login", "anna", "operator");
    const message = await anna.request(subject, JSON.stringify(asked), { timeout: 5_000 });
    return [message.headers?.get(ERROR_CODE_HEADER), message.headers?.get(ERROR_HEADER)];
  };
  const spelled = ({ at, ...proof }: IdentityProof) => ({ at: spellInstant(at), ...proof });
  const now = Date.now();
  const proof = spelled(proveIdentity(other, now));
  const old = spelled(proveIdentity(other, now - 600_000));
  for (const [asked, code, reason] of [
    [{}, "400", /expected a proof/],
    [{ proof }, "403", /anna asks with the credentials of other/],
    [{ proof: old }, "403", /clock/],
    [{ proof: { ...proof, signature: old.signature } }, "403", /not signed/],
    [{ proof: { ...proof, jwt: `${proof.jwt.slice(0, -4)}AAAA` } }, "403", /has signed/],
  ] as const) {
    const [given, text = ""] = await ask(asked);
    assert.equal(given, code, text);
    assert.match(text, reason);
  }
});

test("when one coordinator is killed, the other one goes on with the same session", async () => {
  const client = await logIn(await fleet.credentials("operator", "kim"), clientAt(0));
  await coordinators[0]!.stop("SIGKILL");
  const there = clientAt(1);
  there.cookie = client.cookie;
  assert.equal((await there.post("session")).status, 200);
  const allowed = await there.post("allow.add", { address: "192.0.2.55", comment: "" });
  assert.equal(allowed.status, 200, JSON.stringify(allowed.body));
  await logIn(join(fleet.folder, "operators/kim.creds"), there);
});
