/** The `web` section of coordinator.yaml: when it changes, and where coordinators have different ones. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { fleetban } from "../harness/fleetban.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";
import { createWebClient, tokenOf } from "../harness/web-client.ts";
import { startWebPage } from "../harness/web-page.ts";

const undo: (() => Promise<unknown>)[] = [];
let folder: string;
let nats: TestNats;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-web-config-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  nats = await startTestNats();
  undo.push(async () => nats[Symbol.asyncDispose]());
});
after(async () => {
  for (const each of undo.reverse()) await each();
});

const cli = (...args: string[]) => fleetban(args, { NATS_URL: nats.url });

test("a changed web section is named as one that needs a restart, and then it counts", async () => {
  await using page = await startWebPage(nats.url, folder, {});
  const urlOf = async () => (await cli("web", "login")).stdout;
  const old = `http://127.0.0.1:${page.port}/login#`;
  await eventually("a link is made", async () => (await urlOf()).startsWith(old));

  const url = `http://127.0.0.1:${page.port}/fleetban`;
  await page.configure({ url });
  const reloaded = await cli("jail", "reload");
  assert.equal(reloaded.code, 0, reloaded.stderr);
  assert.match(reloaded.stderr, /changed, and counts after a restart of c\d+: web$/m);
  const named = () => page.log().match(/"needRestart":\["web"\]/g)?.length ?? 0;
  await eventually("the log names it", () => named() === 1);
  process.kill(page.child().pid, "SIGHUP");
  await eventually("so it does after SIGHUP", () => named() === 2);
  assert.ok((await urlOf()).startsWith(old), "the page is as it was");

  await page.stop();
  await page.start();
  await eventually("it counts", async () => (await urlOf()).startsWith(`${url}/login#`));
});

test("a reload while NATS is away does not end the coordinator", async () => {
  await using other = await startTestNats();
  await other.stop();
  await using page = await startWebPage(other.url, folder, {});
  await eventually("it waits for NATS", () => page.log().includes("NATS"));
  process.kill(page.child().pid, "SIGHUP");
  await other.start();
  await eventually("it is at work", () => page.log().includes("coordinator is ready"));
});

test("web login prints a link whichever coordinator is asked, if any of them has a page", async () => {
  const start = (web: object) => startWebPage(nats.url, folder, web);
  await using first = await start({ listen: undefined });
  await using second = await start({ listen: undefined });
  const untilReady = ({ log }: typeof first) =>
    eventually("it answers", () => log().includes("coordinator is ready"));
  await untilReady(first);
  await untilReady(second);
  const none = await cli("web", "login");
  assert.equal(none.code, 1, none.stderr);
  assert.equal(
    none.stderr,
    "fleetban: no coordinator of this fleet has a web page: web.listen in coordinator.yaml says where it is to be\n",
  );

  await using serving = await start({});
  const site = `http://127.0.0.1:${serving.port}`;
  await untilReady(serving);
  for (let round = 0; round < 12; round += 1) {
    const { code, stdout, stderr } = await cli("web", "login");
    assert.equal(code, 0, stderr);
    const { status, body } = await createWebClient(site).post("login", { token: tokenOf(stdout) });
    assert.equal(status, 200, JSON.stringify(body));
  }
});
