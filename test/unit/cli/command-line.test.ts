/** The program as a process: what it says, where it says it, and how it ends. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { programArguments, runFleetban, spawnFleetban } from "../../harness/fleetban.ts";

/** A port on which nobody listens: an address that was asked would show as exit 69. */
const NOBODY = { NATS_URL: "nats://127.0.0.1:1" };

for (const [args, stderr] of [
  [["bna"], /unknown command 'bna'\n\(Did you mean ban\?\)/],
  [["ban", "lst"], /unknown command 'lst'\n\(Did you mean list\?\)/],
  [["ban", "list", "--jal", "x"], /unknown option '--jal'\n\(Did you mean --jail\?\)/],
  [
    ["ban", "add"],
    /missing required argument 'address'\n\(usage: fleetban ban add \[options\] <address\.\.\.>;/,
  ],
  [["ban", "list", "--ending-within", "-1"], /ban list: "-1": expected a duration.* 100y\n/],
  [["host", "prune", "--silent-for", "-1"], /host prune: "-1": expected a duration.* 100y\n/],
  [["ban", "remove"], /ban remove: expected addresses, or --caused-by/],
  [
    ["ban", "remove", "198.51.100.7", "--dry-run"],
    /ban remove: --dry-run is for bans that options choose: fleetban ban show 198\.51\.100\.7 shows/,
  ],
  [["ban", "release"], /ban release: expected an address, or --caused-by/],
  [["status", "please"], /too many arguments/],
  [["ban", "add", "999.1.1.1"], /ban add: "999\.1\.1\.1": expected an IPv4 or IPv6 address/],
  [["ban", "add", "0.0.0.0/0"], /ban add: "0\.0\.0\.0\/0": is too wide/],
  [["ban", "add", "192.0.2.1", "--for", "soon"], /ban add: "soon": expected a duration/],
  [["ban", "add", "--wait", "192.0.2.1"], /put --wait behind the address/],
  [["allow", "add", "::/0"], /allow add: "::\/0": is everybody/],
  [["failure", "list", "--since", "1h", "--until", "2h"], /--until is before --since/],
  [["failure", "list", "--since", "then"], /failure list: "then": expected a duration/],
  [["failure", "top", "--since", "1h", "--until", "2h"], /failure top: --until is before --since/],
  [["failure", "top", "jails"], /'jails' is invalid.*Allowed choices are addresses, networks/],
  [["failure", "erase"], /failure erase: expected one of --user and --address/],
  [
    ["failure", "erase", "--user", "a", "--address", "192.0.2.1"],
    /failure erase: expected one of --user and --address/,
  ],
  [["failure", "list", "--limit", "0"], /failure list: "0": expected a number/],
  [["ban", "add", "\x1b[2J\x9b"], /ban add: "\\u001b\[2J\\x9b": expected/],
  [["ban"], /^Usage: fleetban ban/],
] as const) {
  test(`fleetban ${JSON.stringify(args.join(" "))} is a wrong call, exit 64`, async () => {
    const answer = await runFleetban(args, NOBODY);
    assert.match(answer.stderr, stderr);
    assert.equal(answer.stdout, "");
    assert.equal(answer.code, 64);
  });
}

test("without a NATS server it ends at once with 69 and says where it looked", async () => {
  const answer = await runFleetban(["status"], NOBODY);
  assert.match(
    answer.stderr,
    /^fleetban: no NATS server answers at nats:\/\/127\.0\.0\.1:1 \(from NATS_URL\): connection refused; .+\n$/,
  );
  assert.deepEqual([answer.stdout, answer.code], ["", 69]);
});

test("something that is not NATS is no reason to wait for ever", async () => {
  const server = createServer((socket) => socket.end("220 mail.example.org ESMTP\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const answer = await runFleetban(["status"], { NATS_URL: `nats://127.0.0.1:${port}` });
  server.close();
  assert.match(answer.stderr, /^fleetban: no NATS server answers at [^\n]+\n$/);
  assert.equal(answer.code, 69);
});

test("tls:// never goes on in clear text", async () => {
  const server = createServer((socket) => {
    socket.write(
      `INFO ${JSON.stringify({ server_id: "x", version: "2.9.10", proto: 1, max_payload: 1000 })}\r\n`,
    );
    socket.on("data", (data) => received.push(data.toString("latin1")));
    socket.on("error", () => {});
  });
  const received: string[] = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const answer = await runFleetban(["status"], { NATS_URL: `tls://u:secret@127.0.0.1:${port}` });
  server.close();
  assert.match(
    answer.stderr,
    /^fleetban: no NATS server answers at tls:\/\/127\.0\.0\.1:[^\n]+\n$/,
  );
  assert.equal(answer.code, 69);
  assert.doesNotMatch(received.join(""), /secret/);
});

test("credentials that cannot be read are named, exit 78", async () => {
  const answer = await runFleetban(["status"], { FLEETBAN_NATS_CREDS: "/nonexistent/op.creds" });
  assert.match(
    answer.stderr,
    /^fleetban: \/nonexistent\/op\.creds: cannot be read: no such file\n$/,
  );
  assert.equal(answer.code, 78);
});

test("a network with host bits is accepted, and stderr says as what", async () => {
  const answer = await runFleetban(["ban", "add", "192.0.2.7/24"], NOBODY);
  assert.match(
    answer.stderr,
    /^ban add: 192\.0\.2\.7\/24 is taken as its network, 192\.0\.2\.0\/24\n/,
  );
  assert.equal(answer.code, 69);
});

const COMMANDS = [
  [],
  ["status"],
  ["host"],
  ["host", "list"],
  ["host", "show"],
  ["host", "remove"],
  ["host", "prune"],
  ["ping"],
  ["config", "show"],
  ["backup"],
  ["restore"],
  ["support", "dump"],
  ["ban"],
  ["ban", "list"],
  ["ban", "show"],
  ["ban", "add"],
  ["ban", "remove"],
  ["ban", "import"],
  ["ban", "export"],
  ["allow"],
  ["allow", "list"],
  ["allow", "add"],
  ["allow", "remove"],
  ["allow", "check"],
  ["allow", "import"],
  ["allow", "export"],
  ["failure"],
  ["failure", "list"],
  ["key"],
  ["key", "init"],
  ["key", "agent"],
  ["key", "coordinator"],
  ["key", "operator"],
  ["key", "server"],
  ["key", "list"],
  ["key", "revoke"],
  ["key", "push"],
];

/** Their answer is one reply, which --json prints; an export has formats. */
const isAsking = ([noun, verb]: readonly string[]): boolean =>
  verb === undefined ? noun === "status" : !["export", "dump"].includes(verb);

for (const command of COMMANDS) {
  test(`the help of fleetban ${command.join(" ")} fits into 80 columns`, async () => {
    const { stdout, stderr, code } = await runFleetban([...command, "--help"]);
    assert.match(stdout, /^Usage: fleetban/);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    if (isAsking(command)) assert.match(stdout, /--json/);
  });
}

test("--version is the package's", async () => {
  const { stdout, code } = await runFleetban(["--version"]);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(code, 0);
});

test("an answer that cannot be written is an error with its reason, exit 74", () => {
  const full = openSync("/dev/full", "w");
  const { stderr, status } = spawnSync(process.execPath, [...programArguments("cli"), "--help"], {
    stdio: ["ignore", full, "pipe"],
    encoding: "utf8",
  });
  closeSync(full);
  const expected = "fleetban: the answer cannot be written: no space is left on the disk\n";
  assert.deepEqual([stderr, status], [expected, 74]);
});

test("a reader that goes away early is no error", async () => {
  const child = spawnFleetban(["--help"]);
  child.stdout.destroy();
  const [stderr, [code]] = await Promise.all([
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  assert.deepEqual([stderr, code], ["", 0]);
});
