/** The web page's server: its files, logging in with NATS credentials, sessions, and what each role may do. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { freePort } from "../../services/standalone/child.ts";
import { openEventStream, type EventStream } from "../harness/event-stream.ts";
import { eventually } from "../harness/eventually.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";
import { createWebClient, tokenOf, type WebClient } from "../harness/web-client.ts";

const PATH = "/fleetban";

let fleet: SecuredFleet;
/** Two coordinators behind one address, as a proxy in front of them would have it. */
let coordinators: SecuredProgram[];
let site: string;
let reached: string[];

before(async () => {
  fleet = await startSecuredFleet();
  const ports = [await freePort(), await freePort()];
  reached = ports.map((port) => `http://127.0.0.1:${port}${PATH}`);
  site = `http://127.0.0.1:${ports[0]}${PATH}`;
  coordinators = [];
  for (const [index, port] of ports.entries()) {
    const name = `c${index + 1}`;
    const creds = await fleet.credentials("coordinator", name);
    const yaml = `web: { listen: "127.0.0.1:${port}", url: "${site}" }`;
    coordinators.push(await startSecuredCoordinator(fleet, name, { creds, yaml }));
  }
  for (const url of reached) {
    await eventually(`the page is at ${url}`, () => fetch(`${url}/`).then(({ ok }) => ok), 30);
  }
});
after(async () => {
  for (const coordinator of coordinators) await coordinator.stop();
  await fleet[Symbol.asyncDispose]();
});

const clientAt = (index: number) => createWebClient(site, reached[index]);

/** Prints a link with these credentials. */
async function linkOf(creds: string): Promise<string> {
  const { code, stdout, stderr } = await cliOf(fleet, creds)("web", "login");
  assert.equal(code, 0, stderr);
  return stdout;
}

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
    const request = { addresses: [address], jail: "dovecot", host: "mx1", attempts: 1 };
    assert.equal((await client.post("failure.add", request)).status, 200);
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

test("a thousand idle feeds are served, and a ban goes on beside them", async () => {
  const client = await logIn(await fleet.credentials("operator", "iris"), clientAt(0));
  const cookie = client.cookie ?? "";
  const streams = await Promise.all(
    Array.from({ length: 1_000 }, () => openEventStream(`${reached[0]}/feed`, { cookie })),
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
    await fleet.key(["revoke", "iris"]);
    await eventually("all of them have ended", () => streams.every(({ isOpen }) => !isOpen()), 10);
  } finally {
    for (const stream of streams) stream.close();
  }
});
