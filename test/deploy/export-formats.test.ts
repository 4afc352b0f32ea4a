/** Exported lists in the programs that they are for: each must deny exactly the banned addresses. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  writeList,
  type WrittenEntry,
  type WriteOptions,
} from "../../services/cli/lists/write-list.ts";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { familyOf, parseNetwork, prefixOf } from "../../services/wire/address.ts";
import { eventually } from "../harness/eventually.ts";
import { runProgram } from "./program.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const BANNED = [
  ...["198.51.100.6", "198.51.100.7", "203.0.113.0/25", "203.0.113.128", "192.0.2.255"],
  ...["2001:db8::/48", "2001:db8:1::1", "2001:db8:2::/127"],
].map((text) => parseNetwork(text)!);
/** On both sides of every border. */
const PROBES = [
  ...["198.51.100.5", "198.51.100.6", "198.51.100.7", "198.51.100.8", "203.0.112.255"],
  ...["203.0.113.0", "203.0.113.127", "203.0.113.128", "203.0.113.129", "192.0.2.255"],
  ...["192.0.3.0", "2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "2001:db8:1::"],
  ...["2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::1", "2001:db8:2::2", "2001:db7::1"],
];
const ENTRIES = BANNED.map((address): WrittenEntry => ({
  ...{ address, jail: "dovecot", since: NOW, until: NOW + 3_600_000 },
  ...{ by: "decider", reason: "5 failures" },
}));

const expected = PROBES.filter((probe) => {
  const list = new BlockList();
  for (const address of BANNED) {
    const [bare = ""] = address.split("/");
    list.addSubnet(bare, prefixOf(address), familyOf(address) === 4 ? "ipv4" : "ipv6");
  }
  return list.check(probe, probe.includes(":") ? "ipv6" : "ipv4");
});

/** They are not installed by set-up, because Debian starts them right away, on public ports. */
const unlessThere = (path: string) =>
  existsSync(path) ? false : `needs ${path}: apt install nginx-light haproxy postfix`;

for (const aggregates of [false, true]) {
  const how = aggregates ? "aggregated" : "as they are";
  const listIn = async (folder: string, format: WriteOptions["format"]): Promise<string> => {
    const file = join(folder, `banned.${format}`);
    const lines = writeList(ENTRIES, { format, kind: "bans", aggregates, now: NOW });
    await writeFile(file, `${lines.join("\n")}\n`);
    return file;
  };

  test(
    `nginx denies what is banned, ${how}`,
    { skip: unlessThere("/usr/sbin/nginx") },
    async (t) => {
      const folder = await folderFor(t);
      const port = await freePort();
      await mkdir(join(folder, "root"));
      await writeFile(join(folder, "root", "index.html"), "well");
      const config = join(folder, "nginx.conf");
      await writeFile(
        config,
        `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
       events {}
       http {
         access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
         fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
         set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;
         server {
           listen 127.0.0.1:${port};
           include ${await listIn(folder, "nginx")};
           root ${folder}/root;
         }
       }`,
      );
      await start(t, "/usr/sbin/nginx", ["-c", config, "-e", "stderr"]);
      assert.deepEqual(await deniedAt(port), expected);
    },
  );

  test(
    `haproxy denies what is banned, ${how}`,
    { skip: unlessThere("/usr/sbin/haproxy") },
    async (t) => {
      const folder = await folderFor(t);
      const port = await freePort();
      const config = join(folder, "haproxy.cfg");
      await writeFile(
        config,
        `defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend door
  bind 127.0.0.1:${port}
  http-request set-src hdr(x-real-ip)
  acl banned src -f ${await listIn(folder, "haproxy")}
  http-request deny if banned
  http-request return status 200
`,
      );
      await start(t, "/usr/sbin/haproxy", ["-db", "-f", config]);
      assert.deepEqual(await deniedAt(port), expected);
    },
  );

  test(
    `postscreen's table has what is banned, ${how}`,
    { skip: unlessThere("/usr/sbin/postmap") },
    async (t) => {
      const table = `cidr:${await listIn(await folderFor(t), "postscreen")}`;
      const denied: string[] = [];
      for (const probe of PROBES) {
        const { stdout, stderr } = await runProgram(spawn, "postmap", ["-q", probe, table]);
        assert.equal(stderr, "");
        if (stdout.trim() === "reject") denied.push(probe);
        else assert.equal(stdout, "", probe);
      }
      assert.deepEqual(denied, expected);
    },
  );
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-export-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function start(t: TestContext, program: string, args: readonly string[]): Promise<void> {
  const child = await startChild(program, { args });
  t.after(() => child.stop());
}

/** The probes that the server denies, told by a header that it trusts. */
async function deniedAt(port: number): Promise<string[]> {
  await eventually("the server answers", async () => (await statusOf(port, "127.0.0.1")) > 0);
  const denied: string[] = [];
  for (const probe of PROBES) {
    const status = await statusOf(port, probe);
    assert.ok([200, 403].includes(status), `${probe}: ${status}`);
    if (status === 403) denied.push(probe);
  }
  return denied;
}

async function statusOf(port: number, from: string): Promise<number> {
  const asked = request({
    host: "127.0.0.1",
    port,
    path: "/",
    headers: { "x-real-ip": from },
  }).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}
