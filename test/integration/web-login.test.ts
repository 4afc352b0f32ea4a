/** Other ways to log in to the web page than a link: OpenID Connect, and a proxy that names people. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { startOidcProvider, type OidcProvider } from "../harness/oidc-provider.ts";
import { startTestNats } from "../harness/servers.ts";
import { createWebClient } from "../harness/web-client.ts";
import { startWebPage } from "../harness/web-page.ts";

const CLIENT = { id: "fleetban", secret: "only-for-this-test" };

const undo: (() => Promise<unknown>)[] = [];
let provider: OidcProvider;
/** Trusts a proxy on loopback. */
let behindProxy: string;
/** Trusts a proxy elsewhere. */
let site: string;

async function startPage(natsUrl: string, folder: string, web: object): Promise<string> {
  const page = await startWebPage(natsUrl, folder, web);
  undo.push(() => page.stop());
  const url = `http://127.0.0.1:${page.port}`;
  await eventually("the page is there", () => fetch(`${url}/`).then(({ ok }) => ok), 30);
  return url;
}

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-web-login-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const nats = await startTestNats();
  undo.push(async () => nats[Symbol.asyncDispose]());
  provider = await startOidcProvider(CLIENT);
  undo.push(async () => provider[Symbol.asyncDispose]());
  await writeFile(join(folder, "oidc.secret"), `${CLIENT.secret}\n`, { mode: 0o600 });
  const roles = { operator: ["admins"], support: ["desk"], viewer: ["staff"] };
  const oidc = {
    issuer: provider.issuer,
    clientId: CLIENT.id,
    clientSecretFile: "oidc.secret",
    roles,
  };
  const names = { operator: ["alice"], support: ["bob@example.org"], viewer: ["carol"] };
  const proxy = { header: "X-Remote-User", roles: names };
  site = await startPage(nats.url, folder, {
    oidc,
    proxy: { ...proxy, addresses: ["192.0.2.10"] },
  });
  const trusted = { ...proxy, addresses: ["127.0.0.0/8"] };
  behindProxy = await startPage(nats.url, folder, { proxy: trusted });
});
after(async () => {
  for (const each of undo.reverse()) await each();
});
beforeEach(() => {
  provider.person = {
    sub: "1",
    preferred_username: "dora@example.org",
    groups: ["staff", "admins"],
  };
  provider.userinfo = { sub: "1" };
  provider.forged = {};
});

const cookieIn = (response: Response, name: string) =>
  response.headers
    .getSetCookie()
    .find((each) => each.startsWith(`${name}=`))
    ?.split(";")[0] ?? "";

/** A browser's way to the provider; returns the address that the provider sends it back to, and the cookie. */
async function beginLogin(): Promise<{ back: string; cookie: string }> {
  const begun = await fetch(`${site}/login/oidc`, { redirect: "manual" });
  assert.equal(begun.status, 303, await begun.text());
  const there = await fetch(begun.headers.get("location") ?? "", { redirect: "manual" });
  return {
    back: there.headers.get("location") ?? "",
    cookie: cookieIn(begun, "__Host-fleetban-oidc"),
  };
}

async function finishLogin(back: string, cookie: string): Promise<Response> {
  return fetch(back, { redirect: "manual", headers: { cookie } });
}

test("OIDC logs in by name and group, and the session is like any other", async () => {
  const { back, cookie } = await beginLogin();
  assert.ok(back.startsWith(`${site}/login/oidc/callback?`), back);
  const response = await finishLogin(back, cookie);
  assert.equal(response.status, 303, await response.text());
  assert.equal(response.headers.get("location"), "/");
  const client = createWebClient(site);
  client.cookie = cookieIn(response, "__Host-fleetban");
  const { body } = await client.post("session");
  assert.deepEqual([body["name"], body["role"]], ["dora@example.org", "operator"]);
  const added = await client.post("allow.add", { address: "192.0.2.1", comment: "" });
  assert.equal((added.body["allowed"] as { by: string }).by, "operator dora@example.org");
  const again = await finishLogin(back, cookie);
  assert.equal(again.status, 403, "a code is good once");
  const nobody = await createWebClient(site).post("session");
  assert.deepEqual(nobody.body["ways"], ["link", "oidc"]);
});

test("what the ID token does not say of a person is read from the userinfo", async () => {
  for (const [person, userinfo, role] of [
    [{ preferred_username: "nina" }, { groups: ["desk"] }, "support"],
    [{ preferred_username: "nina" }, { groups: "staff" }, "viewer"],
    [{ groups: ["admins"] }, { preferred_username: "nina" }, "operator"],
    [{}, { preferred_username: "nina", groups: ["desk", "admins"] }, "operator"],
  ] as const) {
    provider.person = { sub: "1", ...person };
    provider.userinfo = { sub: "1", ...userinfo };
    const { back, cookie } = await beginLogin();
    const response = await finishLogin(back, cookie);
    assert.equal(response.status, 303, await response.text());
    const client = createWebClient(site);
    client.cookie = cookieIn(response, "__Host-fleetban");
    const { body } = await client.post("session");
    assert.deepEqual([body["name"], body["role"]], ["nina", role]);
  }
});

for (const [what, userinfo] of [
  ["is somebody else's", { sub: "2", groups: ["admins"] }],
  ["names nobody", { groups: ["admins"] }],
  ["is refused", undefined],
  ["has no group that has a role", { sub: "1", groups: ["others"] }],
] as const) {
  test(`a userinfo that ${what} lets nobody in`, async () => {
    provider.person = { sub: "1", preferred_username: "eve" };
    provider.userinfo = userinfo;
    const { back, cookie } = await beginLogin();
    const response = await finishLogin(back, cookie);
    assert.equal(response.status, 403);
    assert.deepEqual(cookieIn(response, "__Host-fleetban"), "");
  });
}

for (const [what, forge] of [
  ["of another client", { aud: "other" }],
  ["of another provider", { iss: "https://login.example.org" }],
  ["of another login", { nonce: "other" }],
  ["that has expired", { exp: 1 }],
] as const) {
  test(`an ID token ${what} logs nobody in`, async () => {
    provider.forged = forge;
    const { back, cookie } = await beginLogin();
    const response = await finishLogin(back, cookie);
    assert.equal(response.status, 403);
    assert.deepEqual(response.headers.getSetCookie(), []);
  });
}

test("a code is worth nothing in another browser, and with another state", async () => {
  const first = await beginLogin();
  assert.equal((await finishLogin(first.back, "")).status, 403);
  const second = await beginLogin();
  assert.equal((await finishLogin(first.back, second.cookie)).status, 403);
  const response = await finishLogin(second.back.replace(/state=[^&]+/, "state=x"), second.cookie);
  assert.equal(response.status, 403);
});

for (const [what, person] of [
  ["in no group that has a role", { sub: "1", preferred_username: "eve", groups: ["others"] }],
  ["without a group", { sub: "1", preferred_username: "eve" }],
  ["with a hostile name", { sub: "1", preferred_username: "<script>\u202e", groups: ["admins"] }],
  ["without a name", { sub: "1", groups: ["admins"] }],
] as const) {
  test(`OIDC lets nobody in ${what}`, async () => {
    provider.person = person;
    const { back, cookie } = await beginLogin();
    const response = await finishLogin(back, cookie);
    assert.equal(response.status, 403);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  });
}

test("a proxy's header names people by their roles, in each request anew", async () => {
  const client = createWebClient(behindProxy);
  for (const [name, role] of [
    ["alice", "operator"],
    ["bob@example.org", "support"],
    ["carol", "viewer"],
  ] as const) {
    const { status, body } = await client.post("session", {}, { "x-remote-user": name });
    assert.deepEqual([status, body["name"], body["role"]], [200, name, role]);
  }
  for (const name of ["mallory", "alice, bob@example.org", "<b>", "alice bob"]) {
    const { status } = await client.post("session", {}, { "x-remote-user": name });
    assert.equal(status, 403, name);
  }
  assert.equal((await client.post("session")).status, 401, "nobody is named");
});

test("from another address the header of the proxy counts for nothing", async () => {
  const { status } = await createWebClient(site).post("session", {}, { "x-remote-user": "alice" });
  assert.equal(status, 401);
});
