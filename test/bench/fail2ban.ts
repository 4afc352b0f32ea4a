/**
 * The peer, where it is installed: a real fail2ban-server on one host, with its own filter for
 * Dovecot and its own action for ipset, five failures of each address.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { createNetwork } from "../harness/netns.ts";
import { percentile } from "./figure.ts";
import { openKernelSet } from "./kernel-set.ts";

export interface Fail2ban {
  /** Milliseconds from the last failing line to membership in the kernel set. */
  p50: number;
  p99: number;
  /** Megabytes that it has resident afterwards. */
  rss: number;
}

const SAMPLES = 30;
const FOLDER = "/etc/fail2ban";

/** undefined: it is not installed. */
export async function measureFail2ban(): Promise<Fail2ban | undefined> {
  if (!existsSync(FOLDER) || !isInstalled()) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "fleetban-fail2ban-"));
  const network = await createNetwork(["mx1"]);
  const host = network.host("mx1");
  const mailLog = join(folder, "mail.log");
  const config = join(folder, "etc");
  await cp(FOLDER, config, { recursive: true });
  await rm(join(config, "jail.d"), { recursive: true, force: true });
  await mkdir(join(config, "jail.d"));
  await writeFile(mailLog, failedLogin({ address: "198.51.100.1" }));
  await writeFile(join(config, "fail2ban.local"), "[Definition]\ndbfile = None\n");
  await writeFile(
    join(config, "jail.local"),
    `[dovecot]\nenabled = true\nbackend = auto\nlogpath = ${mailLog}\nmaxretry = 5\nfindtime = 1200\nbantime = 1200\nbanaction = iptables-ipset-proto6\n`,
  );
  const [socket, pid] = [join(folder, "socket"), join(folder, "pid")];
  const server = await startChild("fail2ban-server", {
    args: [
      "-f",
      "-c",
      config,
      "-s",
      socket,
      "-p",
      pid,
      "--logtarget",
      join(folder, "log"),
      "start",
    ],
    spawn: host.spawn,
  });
  try {
    const log = () => readFile(join(folder, "log"), "utf8");
    await eventually("fail2ban has started", async () =>
      /Jail 'dovecot' started/.test(await log()),
    );
    const set = openKernelSet(host, "f2b-dovecot");
    const times: number[] = [];
    for (let index = 0; index < SAMPLES; index += 1) {
      const address = `198.19.0.${index + 1}`;
      const line = () => failedLogin({ address });
      appendFileSync(mailLog, line() + line() + line() + line());
      await eventually("four are found", async () => {
        return (await log()).split(`Found ${address} `).length === 5;
      });
      const began = performance.now();
      appendFileSync(mailLog, line());
      await set.untilHas(address, 20);
      times.push(performance.now() - began);
    }
    set.close();
    const status = await readFile(`/proc/${server.pid}/status`, "utf8");
    const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1000;
    return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), rss };
  } finally {
    await server.stop();
    await network[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

function isInstalled(): boolean {
  try {
    execFileSync("fail2ban-server", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
