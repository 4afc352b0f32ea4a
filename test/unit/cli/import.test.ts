import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { parseFilterOption } from "../../../services/cli/import/fail2ban-filter.ts";
import { importFail2ban } from "../../../services/cli/import/fail2ban-jails.ts";
import { parseIni } from "../../../services/cli/import/ini.ts";
import { portsOf } from "../../../services/cli/import/ports.ts";
import { agentConfig } from "../../../services/agent/agent-config.ts";
import { compileFilter } from "../../../services/detection/filter/filter.ts";
import { coordinatorConfig } from "../../../services/coordinator/coordinator-config.ts";
import { runFleetban } from "../../harness/fleetban.ts";

/** A folder with these files. */
async function folderWith(files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-import-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

async function importFrom(files: Readonly<Record<string, string>>) {
  await using made = await folderWith(files);
  const imported = importFail2ban(made.folder);
  assert.ok(imported);
  return imported;
}

test("an ini file is read as Python reads it", () => {
  const { sections, faults } = parseIni(`# comment
[A]
one = 1 ; said behind it
Two: a
  # not this
  b
  [c]

[B]
empty =
`);
  assert.deepEqual(
    [...sections].map(([name, options]) => [
      name,
      [...options].map(([option, { value, line }]) => [option, value, line]),
    ]),
    [
      [
        "A",
        [
          ["one", "1", 3],
          ["two", "a\nb\n[c]", 4],
        ],
      ],
      ["B", [["empty", "", 10]]],
    ],
  );
  assert.deepEqual(faults, []);
});

test("a jail takes its values from all files and from each other", async () => {
  const { jails, allowlist } = await importFrom({
    "jail.conf": `[INCLUDES]
before = paths.conf
[DEFAULT]
maxretry = 5
bantime = 10m
base = 600
[imap]
port = imap,imaps,4190
filter = imap[mode=%(mode)s]
logpath = %(mail_log)s
maxretry = 7
mode = strict
[other]
logpath = /var/log/other`,
    "paths.conf": "[DEFAULT]\nmail_log = /var/log/mail.log",
    "jail.d/10-first.conf": "[imap]\nfindtime = %(base)s\nbantime = 1h",
    "jail.local":
      "[DEFAULT]\nignoreip = 127.0.0.0/8 192.0.2.7, 2001:DB8::/32\n[imap]\nenabled = true",
    "jail.d/20-last.local": "[imap]\nbantime = -1\nmaxretry = %(known/maxretry)s",
    "filter.d/common.conf": "[DEFAULT]\n_daemon = \\S*\n__pre = <_daemon>:\\s",
    "filter.d/imap.conf": `[INCLUDES]
before = common.conf
[Definition]
_daemon = imapd
failregex = ^%(__pre)s<mdre-<mode>>
            ^<what> <HOST>
mdre-strict = denied <HOST>
[Init]
what = refused`,
  });
  assert.deepEqual(jails, [
    {
      name: "imap",
      origin: "imap",
      settings: {
        ports: [143, 993, 4190],
        maxretry: 7,
        findtime: 600,
        bantime: -1,
        rules: { failregex: ["^imapd:\\sdenied <HOST>", "^refused <HOST>"] },
      },
      sources: [{ name: "imap", path: "/var/log/mail.log" }],
      notes: [],
    },
  ]);
  assert.deepEqual(allowlist, ["192.0.2.7", "2001:db8::/32"]);
});

test("what cannot be carried over is said, and nothing is counted that was ignored", async () => {
  const { jails, notes } = await importFrom({
    "jail.local": `[DEFAULT]
enabled = true
logpath = /var/log/x
ignoreip = office
usedns = warn
[some]
failregex = a <HOST>
            b(?!c) <HOST>
action = iptables-multiport[name=x]
         sendmail-whois[name=x]
[none]
failregex = a <HOST>
ignoreregex = a(?=b)
[lost]
filter = nowhere
[a-name-that-is-too-long]
failregex = <HOST>
logpath = /var/log/<x>.log
maxretry = 1000
port = gopher,ssh
findtime = soon`,
  });
  const of = (name: string) => jails.find(({ origin }) => origin === name) ?? assert.fail(name);
  assert.deepEqual(of("some").settings?.rules, { failregex: ["a <HOST>"] });
  assert.deepEqual(of("some").notes, [
    "jail.local:7: failregex 2, column 2: (?!...) looks ahead: a linear-time engine cannot do it: b(?!c) <HOST>",
    "jail.local:9: action: iptables-multiport: name=x: the chain has the jail's name here",
  ]);
  assert.equal(of("none").settings, undefined);
  assert.deepEqual(of("none").notes, [
    "jail.local:13: ignoreregex 1, column 2: (?=...) looks ahead: a linear-time engine cannot do it: a(?=b)",
  ]);
  assert.deepEqual(of("lost").notes, [
    "jail.local:15: filter: nowhere: there is no such file in filter.d",
  ]);
  const long = of("a-name-that-is-too-long");
  assert.equal(long.name, "a-name-that-is-t");
  assert.deepEqual(long.notes, [
    "its name is a-name-that-is-t here: sets in the kernel have short ones",
    "jail.local:20: port gopher: expected a number or a well-known name; it stays open",
    "jail.local:18: logpath: /var/log/<x>.log: expected the path of a log; name it in agent.yaml",
    "jail.local:19: maxretry: expected 1 to 100, got 1000, 5 is taken",
    "jail.local:21: findtime: expected a duration such as 10m, got soon, 10m is taken",
  ]);
  assert.deepEqual(notes, [
    "usedns: a host's name in a log is never looked up, it counts for nobody",
    "jail.local:4: ignoreip: expected an address, a network or a host name, got office",
  ]);
});

test("fail2ban's own dovecot filter gives way to fleetban's detection", async () => {
  const files = {
    "jail.local":
      "[dovecot]\nenabled = true\nbackend = systemd\nfilter = %(__name__)s[mode=aggressive]",
    "filter.d/dovecot.conf":
      "[Definition]\nfailregex = <HOST>\njournalmatch = _SYSTEMD_UNIT=dovecot.service",
  };
  const [jail] = (await importFrom(files)).jails;
  assert.ok(jail);
  assert.equal(jail.settings?.rules, undefined);
  assert.deepEqual(jail.sources, [{ name: "dovecot", unit: "dovecot.service" }]);
  assert.ok(
    jail.notes.includes("jail.local:4: filter: dovecot: set mode: aggressive in agent.yaml"),
  );
  const changed = { ...files, "filter.d/dovecot.local": "[Definition]\nfailregex = mine <HOST>" };
  const [own] = (await importFrom(changed)).jails;
  assert.deepEqual(own?.settings?.rules, { failregex: ["mine <HOST>"] });
});

test("a filter with parameters is taken apart", () => {
  const { name, parameters } = parseFilterOption(`x-y[mode=a, logtype="b,c" , z='d']`);
  assert.equal(name, "x-y");
  assert.deepEqual(Object.fromEntries(parameters), { mode: "a", logtype: "b,c", z: "d" });
});

test("ports are numbers and names, or all", () => {
  assert.deepEqual(portsOf("pop3,pop3s, imap imaps"), { ports: [110, 995, 143, 993], unknown: [] });
  assert.deepEqual(portsOf("0:65535"), { ports: "all", unknown: [] });
  assert.deepEqual(portsOf("1:9,99999"), { ports: [], unknown: ["1:9", "99999"] });
});

test("what is printed is a configuration", async () => {
  await using made = await folderWith({
    "jail.local": `[x]
enabled = true
failregex = ^a "b" <HOST>: \\S+ #c
            ^'d' <HOST>
logpath = /var/log/x
port = 22`,
  });
  const { code, stdout } = await runFleetban(["import", "fail2ban", made.folder]);
  assert.equal(code, 0);
  const [centre, host] = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
  const { jails } = coordinatorConfig.parse(centre);
  assert.deepEqual(jails["x"]?.failregex, ['^a "b" <HOST>: \\S+ #c', "^'d' <HOST>"]);
  const { sources } = agentConfig.parse(host);
  assert.deepEqual(
    sources.map(({ name, path, jail }) => [name, path, jail]),
    [["x", "/var/log/x", "x"]],
  );
});

test("a folder without fail2ban's files is said to have none", async () => {
  await using made = await folderWith({ "jail.txt": "" });
  const { code, stderr } = await runFleetban(["import", "fail2ban", made.folder]);
  assert.equal(code, 66);
  assert.match(stderr, /expected a jail.conf, a jail.local or files in jail.d, got none/);
});

for (const [what, filter, counted, passed] of [
  [
    "sshd",
    String.raw`^Failed (?:<F-NOFAIL>publickey</F-NOFAIL>|\S+) for (?P<cond_inv>invalid user )?<F-USER>(?P<cond_user>\S+)|(?(cond_inv)(?:(?! from ).)*?|[^:]+)</F-USER> from <HOST>(?: (?:port \d+|on \S+)){0,2}(?: ssh\d*)?(?(cond_user): |(?:(?:(?! from ).)*)$)`,
    [
      "Failed password for root from 192.0.2.1 port 7 ssh2",
      "Failed password for invalid user x from 192.0.2.66 port 7 ssh2 from 192.0.2.1 port 7 ssh2",
      "Failed password for invalid user  from 192.0.2.1 port 7 ssh2",
    ],
    [
      "Failed publickey for root from 192.0.2.1 port 7 ssh2: RSA SHA256:x",
      "Failed password for root from 192.0.2.1 port 7 ssh2 and more",
    ],
  ],
  [
    "postfix",
    String.raw`^[^[]*\[<HOST>\](?::\d+)?: SASL ((?i)LOGIN|PLAIN|(?:CRAM|DIGEST)-MD5) authentication failed:(?! Connection lost to authentication server| Invalid authentication mechanism)`,
    ["x[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"],
    ["x[192.0.2.1]: SASL LOGIN authentication failed: Connection lost to authentication server"],
  ],
  [
    "courier-auth",
    String.raw`^LOGIN FAILED, (?:(?!ip=)(?:user=<F-USER>[^,]*</F-USER>|\w+=[^,]*), )*ip=\[<HOST>\]`,
    [
      "LOGIN FAILED, user=x, ip=[192.0.2.1]",
      "LOGIN FAILED, user=x, ip=[192.0.2.66], ip=[192.0.2.1], port=[7]",
    ],
    ["LOGIN FAILED, user=ip=[192.0.2.66]"],
  ],
] as const) {
  test(`an expression of ${what} that looks ahead is said in another way`, async () => {
    const { jails } = await importFrom({
      "jail.local": "[x]\nenabled = true\nlogpath = /var/log/x",
      "filter.d/x.conf": `[Definition]\nfailregex = ${filter}`,
    });
    const rules = jails[0]?.settings?.rules;
    assert.ok(rules);
    assert.ok(
      jails[0]?.notes.some((note) => note.endsWith("looks ahead, is said in another way here")),
    );
    const compiled = compileFilter(rules);
    for (const line of counted) assert.equal(compiled.match(line)?.address, "192.0.2.1", line);
    for (const line of passed) assert.equal(compiled.match(line), undefined, line);
  });
}

test("where a filter's date stands is carried over, the [Init] section first", async () => {
  const { jails } = await importFrom({
    "jail.local": "[x]\nenabled = true\nlogpath = /var/log/x",
    "filter.d/x.conf":
      "[Init]\ndatepattern = ^t=%%Y-%%m-%%d\n[Definition]\ndatepattern = no\nfailregex = ^ <HOST>",
  });
  assert.deepEqual(jails[0]?.settings?.rules, {
    failregex: ["^ <HOST>"],
    datepattern: "^t=%Y-%m-%d",
  });
});

test("what cannot be read is said with its file and line, and the rest is read", async () => {
  const { jails, notes } = await importFrom({
    "jail.local": "early = 1\n[x]\nenabled = true\nfailregex = bad <HOST>\nlogpath /var/log/x\n",
    "jail.d/a.conf": "[x]\nport = 22\nlogpath = %(nowhere)s/x.log\n",
  });
  assert.deepEqual(notes, [
    'jail.local:1: expected a [section] before the first option, got "early = 1"',
    'jail.local:5: expected option = value, with what belongs to it indented below, got "logpath /var/log/x"',
  ]);
  assert.deepEqual(jails[0]?.settings?.ports, [22]);
  assert.deepEqual(jails[0].notes, [
    "jail.d/a.conf:3: logpath: %(nowhere)s has no value",
    "jail.d/a.conf:3: logpath: expected the path of a log, got none",
  ]);
});

test("what a jail says of its filter goes before what the filter says", async () => {
  const { jails } = await importFrom({
    "jail.local": `[x]
enabled = true
logpath = /var/log/x
failregex = %(known/failregex)s
            ^mine <HOST>
datepattern = ^%%Y`,
    "filter.d/x.conf": `[Definition]
prefregex = ^x: <F-CONTENT>.+</F-CONTENT>$
failregex = ^bad 100%% <HOST>
datepattern = {^LN-BEG}`,
  });
  assert.deepEqual(jails[0]?.settings?.rules, {
    prefregex: "^x: <F-CONTENT>.+</F-CONTENT>$",
    failregex: ["^bad 100% <HOST>", "^mine <HOST>"],
    datepattern: "^%Y",
  });
});

test("a filter that knows the journal's lines is told of the journal", async () => {
  const { jails, notes } = await importFrom({
    "jail.local":
      "[DEFAULT]\nbackend = systemd\nlogtimezone = UTC\n[x]\nenabled = true\n[y]\nenabled = true",
    "filter.d/x.conf":
      "[DEFAULT]\nlogtype = file\n[Definition]\nfailregex = <in-<logtype>> <HOST>\nin-file = f\nin-journal = j\njournalmatch = _SYSTEMD_UNIT=x.service",
    "filter.d/y.conf": "[Definition]\nfailregex = <HOST>",
  });
  assert.deepEqual(jails[0]?.settings?.rules?.failregex, ["j <HOST>"]);
  assert.deepEqual(jails[0].sources, [{ name: "x", unit: "x.service" }]);
  assert.deepEqual(jails[1]?.sources, []);
  assert.ok(!notes.some((note) => note.includes("logtimezone")), "the journal knows the time");
});

test("what one jail ignores is spared in that jail, and what all ignore in all", async () => {
  const { allowlist, notes } = await importFrom({
    "jail.local": `[DEFAULT]
enabled = true
failregex = <HOST>
logpath = /x
ignoreip = 192.0.2.7 Office.Example.org. ::1 localhost
[a-name-that-is-too-long]
ignoreip = 192.0.2.9 192.0.2.7 mx.example.org
[y]
[z]
failregex = a(?!b)<HOST>
ignoreip = 192.0.2.11`,
  });
  const jail = "a-name-that-is-t";
  assert.deepEqual(allowlist, [
    ...["192.0.2.7", "office.example.org"],
    ...[
      { address: "192.0.2.9", jail },
      { address: "mx.example.org", jail },
    ],
  ]);
  assert.deepEqual(notes, []);
});

test("the allowlist that is printed is one that a coordinator takes", async () => {
  await using made = await folderWith({
    "jail.local": `[DEFAULT]
ignoreip = 192.0.2.7
[x]
enabled = true
failregex = <HOST>
logpath = /x
ignoreip = 192.0.2.9 mx.example.org
[y]
enabled = true
failregex = <HOST>
logpath = /y`,
  });
  const { stdout } = await runFleetban(["import", "fail2ban", made.folder]);
  assert.match(
    stdout,
    /^allowlist:\n {2}- 192\.0\.2\.7\n {2}- \{address: 192\.0\.2\.9, jail: x\}\n {2}- \{address: mx\.example\.org, jail: x\}\n/m,
  );
  const [coordinator] = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
  const { allowlist } = coordinatorConfig.parse(coordinator);
  assert.deepEqual(allowlist, [
    { address: "192.0.2.7" },
    { address: "192.0.2.9", jail: "x" },
    { name: "mx.example.org", jail: "x" },
  ]);
});

/** Design: the set-up that most users start from. */
const STARTING_POINT = `[dovecot-pop3imap]
enabled = true
filter = dovecot
action = iptables-multiport[name=dovecot-pop3imap, port="pop3,pop3s,imap,imaps", protocol=tcp]
         sendmail-whois[name=dovecot-pop3imap, dest=root]
logpath = /var/log/messages
maxretry = 5
findtime = 1200
bantime = 1200
`;

test("ports that stand inside an action are the ports that are closed", async () => {
  const { jails } = await importFrom({ "jail.local": STARTING_POINT });
  assert.deepEqual(jails[0]?.settings, {
    ports: [110, 995, 143, 993],
    maxretry: 5,
    findtime: 1200,
    bantime: 1200,
  });
});

test("mail actions are sinks: who gets the same mail for several jails is one sink", async () => {
  await using made = await folderWith({
    "action.d/sendmail-whois.conf": "[Init]\ndest = root\nsender = fail2ban@example.org\n",
    "jail.local": `[DEFAULT]
enabled = true
logpath = /var/log/x
failregex = bad <HOST>
port = imap
destemail = admin@example.org
sender = root@<fq-hostname>
mta = sendmail
action_ = iptables-multiport[port="%(port)s"]
action_mwl = %(action_)s
             %(mta)s-whois-lines[name=%(__name__)s, sender="%(sender)s", dest="%(destemail)s", logpath="%(logpath)s"]
action = %(action_mwl)s
[first]
[second]
[third]
action = %(action_)s
         sendmail-whois[name=third]
[fourth]
action = %(action_)s
         mail[name=x, dest="abuse@example.org, bad!address, ops"]
[only-mail]
action = sendmail[dest=root]`,
  });
  const { stdout } = await runFleetban(["import", "fail2ban", made.folder]);
  const [centre] = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
  const { notify } = coordinatorConfig.parse(centre);
  assert.deepEqual(
    notify.sinks.map(
      (sink) => sink.type === "mail" && [sink.to, sink.from, sink.jails, sink.whois],
    ),
    [
      [["admin@example.org"], "fleetban@example.org", ["first", "second"], true],
      [["root"], "fail2ban@example.org", ["third"], true],
      [["abuse@example.org", "ops"], "fleetban@example.org", ["fourth"], false],
    ],
  );
  assert.match(stdout, /! .*sendmail-whois-lines: log lines are not in the mail/);
  assert.match(
    stdout,
    /! .*mail: dest=bad!address: expected an address such as admin@example\.org/,
  );
});

test("the mail of the usual set-up goes to root, for all jails", async () => {
  const { sinks } = await importFrom({ "jail.local": STARTING_POINT });
  assert.deepEqual(sinks, [
    {
      ...{ name: "mail", type: "mail", to: ["root"], from: "fleetban@localhost" },
      smtp: { host: "localhost" },
    },
  ]);
});

test("a jail that says all ports closes all, in words, and one that says none closes no more than fail2ban", async () => {
  await using made = await folderWith({
    "jail.local": `[DEFAULT]
enabled = true
logpath = /var/log/x
failregex = bad <HOST>
[all]
action = iptables-allports[name=all, protocol=all]
[none]
[lost]
port = gopher`,
  });
  const { stdout } = await runFleetban(["import", "fail2ban", made.folder]);
  assert.doesNotMatch(stdout, /ports: \[\]/);
  const [centre] = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
  const { jails } = coordinatorConfig.parse(centre);
  assert.deepEqual(Object.keys(jails), ["all", "none"]);
  assert.match(stdout, /\n {2}all:\n {4}ports: all\n/);
  assert.match(stdout, /jail.local:6: action: every port of the host is closed/);
  assert.deepEqual(jails["none"]?.ports, [22], "what fail2ban's own iptables.conf says");
  assert.match(stdout, /# jail lost\n.*port gopher.*\n.*no port is left to close/);
});

test("every negative bantime is for ever", async () => {
  const jail = (bantime: string) => `[x]
enabled = true
failregex = <HOST>
logpath = /x
port = 1
bantime = ${bantime}`;
  for (const bantime of ["-1", "-2", "-1h", "-600"]) {
    const { jails } = await importFrom({ "jail.local": jail(bantime) });
    assert.equal(jails[0]?.settings?.bantime, -1, bantime);
  }
});

test("chains of a jail are set for the agent, and what its action says otherwise is noted", async () => {
  await using made = await folderWith({
    "jail.local": `[x]
enabled = true
failregex = bad (?P<host>\\S*)
logpath = /var/log/x
chain = DOCKER-USER
action = iptables-multiport[name=x, port=imap, chain="%(chain)s", blocktype="REJECT", bantime=60, lockingopt=-w]`,
  });
  const { stdout } = await runFleetban(["import", "fail2ban", made.folder]);
  const host = parseAllDocuments(stdout)[1]?.toJS() as unknown;
  assert.deepEqual(agentConfig.parse(host).firewall.chains, ["DOCKER-USER"]);
  for (const note of [
    /jail.local:5: chain DOCKER-USER: set in agent.yaml/,
    /jail.local:6: action: iptables-multiport: blocktype=REJECT: fleetban drops packets/,
    /jail.local:6: action: iptables-multiport: bantime=60: the jail's bantime holds here/,
    /jail.local:6: action: iptables-multiport: lockingopt=-w: has no meaning here/,
    /jail.local:3: failregex 1: \(\?P<host>...\) is taken here; fail2ban wants <HOST>/,
  ]) {
    assert.match(stdout, note);
  }
});

test("a jail whose actions close nothing is not carried over", async () => {
  const { jails } = await importFrom({
    "jail.local":
      "[x]\nenabled = true\nfailregex = <HOST>\nlogpath = /x\nport = imap\naction = sendmail[dest=root]",
  });
  assert.equal(jails[0]?.settings, undefined);
  assert.match(jails[0]?.notes.join("\n") ?? "", /none of the jail's actions closes a port/);
});

test("a pattern of fail2ban's for logs is a pattern of the agent's", async () => {
  const { jails } = await importFrom({
    "jail.local":
      "[x]\nenabled = true\nfailregex = <HOST>\nlogpath = /var/log/nginx/*error.log\nport = 1",
  });
  assert.deepEqual(jails[0]?.sources, [{ name: "x", path: "/var/log/nginx/*error.log" }]);
});

test("the time zone of a log goes with its source", async () => {
  const { jails } = await importFrom({
    "jail.local":
      "[x]\nenabled = true\nfailregex = <HOST>\nlogpath = /x\nport = 1\nlogtimezone = UTC+0200",
  });
  assert.deepEqual(jails[0]?.sources, [{ name: "x", path: "/x", timezone: "UTC+0200" }]);
});

const GROWING = `[DEFAULT]
enabled = true
action = iptables-multiport[port="imap"]
bantime = 10m
bantime.increment = true
bantime.factor = 2.0 / 4
bantime.multipliers = 1  2 4
bantime.maxtime = 5w
bantime.rndtime = 90
bantime.overalljails = true
[dovecot]
[recidive]
action = iptables-allports
bantime = 1w
findtime = 1d
maxretry = 3
bantime.increment = false
`;

test("bans that grow, and fail2ban's recidive, are carried over", async () => {
  const { jails, dbpurgeage } = await importFrom({
    "jail.local": GROWING,
    "fail2ban.conf": "[Definition]\ndbpurgeage = 1d\n",
    "fail2ban.local": "[Definition]\ndbpurgeage = 648000\n",
    "filter.d/dovecot.conf": "[Definition]\nfailregex = x\n",
    "filter.d/recidive.conf": "[Definition]\nfailregex = Ban <HOST>\n",
  });
  const [dovecot, recidive] = jails;
  assert.equal(dbpurgeage, "7d12h");
  const { "bantime.increment": isGrowing, ...others } = dovecot?.settings ?? assert.fail();
  assert.equal(isGrowing, true);
  assert.equal(others["bantime.factor"], 0.5);
  assert.equal(others["bantime.multipliers"], "1 2 4");
  assert.equal(others["bantime.maxtime"], "35d");
  assert.equal(others["bantime.rndtime"], "1m30s");
  assert.equal(others["bantime.overalljails"], true);
  assert.deepEqual(recidive?.settings, {
    ...{
      source: "bans",
      ports: "all",
      protocol: "tcp",
      maxretry: 3,
      findtime: "1d",
      bantime: "7d",
    },
  });
  assert.deepEqual(recidive.sources, []);
  assert.match(recidive.notes.join(), /recidive: source: bans takes its place/);
  const settings = { dovecot: dovecot?.settings, recidive: recidive.settings };
  assert.ok(coordinatorConfig.parse({ jails: settings, dbpurgeage }));
});

test("what fleetban cannot say of bans that grow is noted", async () => {
  const { jails, notes, dbpurgeage } = await importFrom({
    "jail.local": `[dovecot]
enabled = true
action = iptables-multiport[port="imap"]
bantime = 10m
bantime.increment = true
bantime.factor = math.pi
bantime.formula = ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)
bantime.maxtime = 5m
`,
    "filter.d/dovecot.conf": "[Definition]\nfailregex = x\n",
  });
  const said = [...notes, ...(jails[0]?.notes ?? [])].join("\n");
  assert.match(said, /:6: bantime\.factor: expected a number, got math\.pi, 1 is taken/);
  assert.match(said, /:7: bantime\.formula: no formula but fail2ban's own is known/);
  assert.match(said, /:8: bantime\.maxtime: is shorter than bantime/);
  assert.equal(jails[0]?.settings?.["bantime.maxtime"], undefined);
  assert.equal(dbpurgeage, undefined);
});

test("a jail without an action closes its port, protocol and chain, as fail2ban's own jail.conf has it", async () => {
  const { jails } = await importFrom({
    "jail.local": `[x]
enabled = true
failregex = bad <HOST>
logpath = /var/log/x
port = 5060
protocol = udp
chain = DOCKER-USER`,
  });
  const [jail] = jails;
  assert.deepEqual(jail?.chains, ["DOCKER-USER"]);
  assert.deepEqual(jail.settings?.ports, [5060]);
  assert.equal(jail.settings.protocol, "udp");
});
