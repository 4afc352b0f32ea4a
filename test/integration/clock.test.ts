/** Hosts whose clock is years off. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { appendFile, copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { startSecuredFleet } from "../harness/secured-fleet.ts";
import { startSecuredAgent } from "../harness/secured-programs.ts";
import { startTestNats } from "../harness/servers.ts";

const LIBRARY = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));
const skip = LIBRARY === undefined ? "needs Debian's package libfaketime" : false;

/** What a program needs in its environment to see a clock that is so many days ahead, or behind. */
const clockOff = (days: number) => ({
  LD_PRELOAD: LIBRARY ?? "",
  FAKETIME: `${days < 0 ? "" : "+"}${days}d`,
  DONT_FAKE_MONOTONIC: "1",
});

const DAY_MS = 86_400_000;
const ADDRESS = "198.51.100.7";

describe("a host whose clock is years off", { skip }, () => {
  for (const [days, shown] of [
    [1_000, /^mx1 +up .* \+(?:999d 23h|1000d)/m],
    [-1_000, /^mx1 +up .* -(?:1000d|999d 23h)/m],
  ] as const) {
    test(`${days} days: its failures count now, its bans end in time, host list shows it`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "fleetban-clock-"));
      try {
        await using nats = await startTestNats();
        await using centre = await startCentre({
          ...{ folder, natsUrl: nats.url, agentEnvironment: clockOff(days) },
        });
        const began = Date.now();
        const at = () => Date.now() + days * DAY_MS;
        const fail = async (count: number, when: () => number) => {
          for (let index = 0; index < count; index += 1) {
            await appendFile(
              join(folder, "mail.log"),
              failedLogin({ address: ADDRESS, at: when() }),
            );
          }
        };
        // By the host's own clock these are older than findtime.
        await fail(4, () => at() - 1_800_000);
        await fail(4, at);
        await eventually("eight are counted", async () => (await centre.status()).failures === 8);
        assert.equal(await centre.isBanned(ADDRESS), false);
        await fail(1, at);
        await eventually("it is banned", () => centre.isBanned(ADDRESS));
        const { stdout } = await centre.cli("ban", "list", "--json");
        const { bans } = JSON.parse(stdout) as { bans: { startsAt: string; until: string }[] };
        const [ban] = bans;
        assert.ok(Math.abs(Date.parse(ban!.startsAt) - began) < 120_000, ban!.startsAt);
        assert.ok(Math.abs(Date.parse(ban!.until) - began - 1_200_000) < 120_000, ban!.until);
        const line = await eventually("the agent has it", () =>
          centre.agent
            .log()
            .split("\n")
            .find((each) => each.includes("would ban") && each.includes(ADDRESS)),
        );
        const { seconds } = JSON.parse(line) as { seconds: number };
        assert.ok(seconds > 1_000 && seconds <= 1_203, `${seconds} seconds of 1200`);
        assert.match((await centre.cli("host", "list")).stdout, shown);
        const list = await centre.cli("host", "list", "--json");
        const { hosts } = JSON.parse(list.stdout) as Reply<"host.list">;
        assert.ok(Math.abs(hosts[0]!.clockSkew - days * DAY_MS) < 60_000);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  test("the NATS server's certificate is not to be trusted by it, and its clock is named", async () => {
    await using fleet = await startSecuredFleet();
    const creds = await fleet.credentials("agent", "mx1");
    for (const [days, words] of [
      [1_000, /certificate has expired; this machine's clock says 20\d\d-[^ ]+: if that is right,/],
      [
        -1_000,
        /certificate is not valid yet; this machine's clock says 20\d\d-[^ ]+: set the clock/,
      ],
    ] as const) {
      const options = { creds, environment: clockOff(days) };
      await using agent = await startSecuredAgent(fleet, "mx1", options);
      const told = () =>
        agent
          .log()
          .split("\n")
          .filter((line) => words.test(line));
      await eventually("it says so", () => told().length === 1);
      assert.match(
        told()[0]!,
        new RegExp(String(new Date(Date.now() + days * DAY_MS).getFullYear())),
      );
    }
  });

  test("credentials that are refused when its clock is ahead: its clock is named beside their end", async () => {
    // With a certificate that is still valid then: else that would be the first to be found wrong.
    await using fleet = await startSecuredFleet();
    await fleet.key(["agent", "mx1", "--for", "30d"]);
    const creds = join(fleet.folder, "agents/mx1.creds");
    const kept = join(fleet.folder, "kept.creds");
    await copyFile(creds, kept);
    await fleet.key(["server", "n1", "--renew", "--for", "50y"]);
    await fleet.key(["revoke", "mx1"]);
    await mkdir(join(fleet.folder, "..", "agent-mx1"), { recursive: true });
    const options = { creds: kept, environment: clockOff(60) };
    await using agent = await startSecuredAgent(fleet, "mx1", options);
    await eventually("it says so", () =>
      /kept\.creds: the credentials of mx1 have expired, at [^ ]+; this machine's clock says \d{4}-\d\d-\d\d: if that is right, bring new ones/.test(
        agent.log(),
      ),
    );
  });
});
