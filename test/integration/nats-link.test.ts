/** What is wrong with a connection that was there once, and does not come back. */
import assert from "node:assert/strict";
import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { startSecuredFleet } from "../harness/secured-fleet.ts";
import { startSecuredAgent } from "../harness/secured-programs.ts";

test("a server that comes back with a certificate of another authority is explained", async () => {
  await using fleet = await startSecuredFleet();
  await using other = await startSecuredFleet();
  const creds = await fleet.credentials("agent", "mx1");
  await using agent = await startSecuredAgent(fleet, "mx1", { creds });
  await eventually("it is connected", () => agent.log().includes("connected to NATS"), 30);
  const explained = /"level":"error".*ca\.pem: is not who has signed the NATS server's certificate/;
  assert.doesNotMatch(agent.log(), explained);

  await fleet.server.stop();
  const files = ["n1.crt", "n1.key"].map((name) => join(fleet.folder, "servers", name));
  for (const file of files) {
    await rename(file, `${file}.own`);
    await copyFile(file.replace(fleet.folder, other.folder), file);
  }
  await fleet.server.start();
  await eventually("it says why", () => explained.test(agent.log()), 60);

  await fleet.server.stop();
  for (const file of files) await rename(`${file}.own`, file);
  await fleet.server.start();
  await eventually("it is back", () => agent.log().includes("NATS is back"), 60);
  assert.equal(agent.log().split("is not who has signed").length, 2, "said once");
});
