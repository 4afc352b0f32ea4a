import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { explainCommand } from "../../../services/cli/explain/explain.ts";
import { createOutput } from "../../../services/cli/output.ts";
import { runFleetban } from "../../harness/fleetban.ts";

const folder = await mkdtemp(join(tmpdir(), "fleetban-explain-"));
after(() => rm(folder, { recursive: true, force: true }));

const ELEMENTS = "rip=198.51.100.7, lip=192.0.2.25, session=<dhXQXP1gB8nGM2QH>";
const PAM = [
  "Mar  3 18:00:01 mx1 dovecot(pam_unix)[26236]: check pass; user unknown",
  "Mar  3 18:00:01 mx1 dovecot(pam_unix)[26236]: authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=info@example.com rhost=198.51.100.7",
  "Mar  3 18:00:01 mx1 PAM-warn[26236]: function=[pam_sm_authenticate] service=[dovecot] terminal=[dovecot] user=[info@example.com] ruser=[info@example.com] rhost=[198.51.100.7]",
];
const END = `Mar  3 18:00:05 mx1 dovecot: imap-login: Aborted login (auth failed, 1 attempts in 4 secs): user=<info@example.com>, method=PLAIN, ${ELEMENTS}`;

async function explain(args: string[], input: string | Buffer | Buffer[] = ""): Promise<string> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const chunks = Array.isArray(input) ? input : [Buffer.from(input)];
  const command = explainCommand({
    stdin: Readable.from(chunks),
    output: createOutput({ stdout, stderr, environment: {} }),
    now: () => Date.UTC(2026, 10, 24),
  });
  const printed = text(stdout);
  try {
    await command.exitOverride().parseAsync(args, { from: "user" });
  } finally {
    stdout.end();
  }
  return printed;
}

interface Explained {
  line: number;
  file: string;
  form: string | null;
  verdict?: string;
  address: string | null;
  attempts: number;
  user: string | null;
  service: string | null;
  session: string | null;
  at: string;
  text: string;
}

async function explained(args: string[], input?: string | Buffer | Buffer[]): Promise<Explained[]> {
  const printed = await explain([...args, "--json"], input);
  return printed
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Explained);
}

test("the three lines that PAM writes, and the end of the connection, are one failure", async () => {
  const found = await explained([], [...PAM, END].join("\n"));
  assert.deepEqual(found, [
    {
      file: "-",
      line: 2,
      address: "198.51.100.7",
      attempts: 1,
      user: "info@example.com",
      service: null,
      session: null,
      at: new Date(2026, 2, 3, 18, 0, 1).toISOString(),
      form: "pam-authentication-failure",
      text: PAM[1],
    },
  ]);
});

test("--lines takes every line alone", async () => {
  const found = await explained(["--lines"], [...PAM, END, "", "something else"].join("\n"));
  assert.deepEqual(
    found.map(({ line, verdict, attempts }) => [line, verdict, attempts]),
    [
      [1, "other", 0],
      [2, "failure", 1],
      [3, "other", 0],
      [4, "failure", 1],
      [5, "other", 0],
      [6, "other", 0],
    ],
  );
  assert.equal(found[3]?.session, "dhXQXP1gB8nGM2QH");
  assert.equal(found[5]?.form, null);
});

test("a hostile user name is made visible once", async () => {
  const shown = await explain(["--lines"], END.replace("info@example.com", '\x1b"'));
  assert.ok(shown.includes(String.raw`  "\u001b\""`), shown);
});

test("two logs that tell of the same attempt are read as one, by time", async () => {
  const mail = join(folder, "mail.log");
  const auth = join(folder, "auth.log");
  await writeFile(mail, `${END}\n`);
  await writeFile(auth, `${PAM.join("\n")}\n`);
  const found = await explained([mail, auth]);
  assert.deepEqual(
    found.map(({ file, line, attempts }) => [file, line, attempts]),
    [[auth, 2, 1]],
  );
});

test("lines end with \\n only, wherever the chunks are cut", async () => {
  const line = END.replace("info@", "in\u2028fo\u0085\r@");
  const bytes = Buffer.from(`${line}\n${END.replace(/session=<.*>/, "TLS")}\n`);
  for (let cut = 1; cut < bytes.length; cut += 7) {
    const found = await explained([], [bytes.subarray(0, cut), bytes.subarray(cut)]);
    assert.deepEqual(
      found.map(({ line: number }) => number),
      [1, 2],
    );
    assert.equal(found[0]?.user, "in\u2028fo\u0085\r@example.com");
  }
});

test("a compressed log tells itself, by whatever name", async () => {
  const path = join(folder, "mail.log.2");
  await writeFile(path, gzipSync(`${END}\n`));
  assert.equal((await explained([path]))[0]?.address, "198.51.100.7");
  assert.equal((await explained([], gzipSync(`${END}\n`)))[0]?.address, "198.51.100.7");
});

test("passwords that Dovecot was told to log are not shown", async () => {
  const line = `Mar  3 18:00:01 mx1 dovecot: auth: passwd-file(bob,198.51.100.7,<dhXQXP1gB8nGM2QH>): Password mismatch (given password: hunter2)`;
  for (const args of [["--json"], ["--json", "--lines"], ["--lines"], []]) {
    const printed = await explain(args, line);
    assert.match(printed, /198\.51\.100\.7/);
    assert.doesNotMatch(printed, /hunter2/);
  }
});

const refusal = (second: string, user: string, session: string) =>
  `Mar  3 18:00:${second} mx1 dovecot: auth: passwd-file(${user},198.51.100.7,<${session}>): unknown user`;

test("what a debugging auth process writes of passwords is not shown either", async () => {
  for (const line of [
    "Mar 03 18:00:01 auth: Debug: passwd-file(bob,198.51.100.7,<dhXQXP1gB8nGM2QH>): PLAIN(tried) != 'hunter2'",
    "Mar 03 18:00:01 auth(bob,198.51.100.7,sasl:plain)<dhXQXP1gB8nGM2QH>: Debug: users: PLAIN(tried) != 'hunter2'",
    "Mar  3 18:00:01 mx1 dovecot: auth: Debug: client in: AUTH\t1\tPLAIN\tresp=aHVudGVyMg== hunter2",
  ]) {
    for (const args of [["--json", "--lines"], ["--lines"], []]) {
      assert.doesNotMatch(await explain(args, line), /hunter2|tried|aHVu/);
    }
  }
});

test("the right password behind an earlier passdb is not counted, and nothing comes out of order", async () => {
  const lines = [
    refusal("01", "eve", "AAAAAAAAAAAAAAA1"),
    refusal("02", "info@example.com", "dhXQXP1gB8nGM2QH"),
    `Mar  3 18:00:03 mx1 dovecot: imap-login: Login: user=<info@example.com>, method=PLAIN, ${ELEMENTS}`,
    `Mar  3 18:00:04 mx1 dovecot: imap-login: Disconnected: Inactivity (auth failed, 1 attempts in 3 secs): user=<ann>, method=PLAIN, ${ELEMENTS.replace("dhXQ", "aaaa")}`,
  ];
  const counted = await explained([], lines.join("\n"));
  assert.deepEqual(
    counted.map(({ line, attempts, user }) => [line, attempts, user]),
    [
      [1, 1, "eve"],
      [4, 1, "ann"],
    ],
  );
  const all = await explained(["--lines"], lines.join("\n"));
  assert.deepEqual(
    all.map(({ line }) => line),
    [1, 2, 3, 4],
  );
});

test("--mode aggressive counts what normal mode does not", async () => {
  const scan = `Mar  3 18:00:05 mx1 dovecot: imap-login: Disconnected (no auth attempts in 2 secs): user=<>, ${ELEMENTS}\n`;
  assert.deepEqual(await explained([], scan), []);
  assert.equal((await explained(["--lines"], scan))[0]?.verdict, "other");
  assert.equal((await explained(["--mode", "aggressive"], scan))[0]?.attempts, 1);
  const [line] = await explained(["--lines", "--mode", "aggressive"], scan);
  assert.equal(line?.verdict, "aggressive");
});

test("nothing that a line holds drives the terminal", async () => {
  const line = END.replace("info@", "\u001b[2J\u009b31m\u202e");
  for (const args of [[], ["--lines"], ["--json"], ["--json", "--lines"]]) {
    assert.doesNotMatch(await explain(args, line), /[\u001b\u009b\u202e]/);
  }
});

test("a summary tells what came of it all", async () => {
  const printed = await explain([], [...PAM, END].join("\n"));
  assert.match(printed, /^lines +4$/m);
  assert.match(printed, /^failed attempts counted +1$/m);
  assert.match(printed, /^198\.51\.100\.7 +1$/m);
  assert.match(await explain([], ""), /^lines +0$/m);
});

test("a file that cannot be read ends it with 66", async () => {
  for (const path of [join(folder, "nowhere"), folder]) {
    await assert.rejects(explain([path]), {
      exitCode: 66,
      message: `${path}: cannot be read: ${path === folder ? "it is a folder" : "no such file"}`,
    });
  }
  await writeFile(join(folder, "broken.gz"), gzipSync("x".repeat(1000)).subarray(0, 15));
  await assert.rejects(explain([join(folder, "broken.gz")]), { exitCode: 66 });
});

test("a log that has nothing of Dovecot is asked about, one that a filter reads is not", async () => {
  const file = join(folder, "strange.log");
  await writeFile(file, "Mar  3 18:00:01 mx1 sshd[7]: refused 192.0.2.1\n");
  const { code, stdout, stderr } = await runFleetban(["explain", file]);
  assert.equal(code, 0);
  assert.match(stdout, /^of Dovecot's authentication +0$/m);
  assert.match(stderr, /no line is of Dovecot's authentication: is it the log/);
  const filtered = await runFleetban(["explain", "--failregex", "refused <HOST>", file]);
  assert.match(filtered.stdout, /^that the filter matches +1$/m);
  assert.equal(filtered.stderr, "");
});

test("--datepattern says where a filter's date stands", async () => {
  const line = "2026:03:03-04:05:06: '192.0.2.1' failed\n";
  const failregex = ["--failregex", "^: '<HOST>' failed$"];
  assert.doesNotMatch(await explain(failregex, line), /192\.0\.2\.1/);
  const stdout = await explain([...failregex, "--datepattern", "^%Y:%m:%d-%H:%M:%S"], line);
  assert.match(stdout, /2026-03-03 04:05:06 +192\.0\.2\.1 +\+1/);
});

test("--unrecognized prints the lines that look like an attempt and that nobody understands, without passwords", async () => {
  const strange =
    "Mar  3 18:00:02 mx1 dovecot: auth: new(bob,198.51.100.7): login refused by a new rule";
  const other = `${strange} (given password: hunter2)`;
  const lines = [...PAM, END, strange, other].join("\n");
  const printed = await explain(["--unrecognized"], lines);
  const [first, second] = printed.split("\n");
  assert.equal(first?.trim(), `5  ${strange}`);
  assert.equal(second?.trim(), `6  ${strange} (given password: (hidden)`);
  assert.match(printed, /not understood, see --unrecognized +2/);
  const json = await explain(["--unrecognized", "--json"], lines);
  const [parsed, ...more] = json
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { line: number });
  assert.deepEqual([parsed?.line, more.length], [5, 1]);
});
