import assert from "node:assert/strict";
import { test } from "node:test";
import { coordinatorConfig } from "../../../../services/coordinator/coordinator-config.ts";
import {
  applySettings,
  faultsOfSetting,
  warnOfIdle,
} from "../../../../services/coordinator/decide/applied-settings.ts";
import { policyOf } from "../../../../services/coordinator/decide/policy.ts";
import { spellJailOption } from "../../../../services/coordinator/jail-config.ts";
import { jailAt, nextChangeOf } from "../../../../services/policy/jail-at.ts";
import {
  decodeJail,
  encodeJail,
  type Jail,
  type JailSetting,
} from "../../../../services/wire/settings.ts";

const T0 = Date.UTC(2026, 10, 24);
const HOUR_MS = 3_600_000;

const configWith = (options: object = {}) =>
  coordinatorConfig.parse({ jails: { dovecot: { users: 3, ...options } } });

let count = 0;
function set(option: string, value: string, hours?: number): JailSetting {
  count += 1;
  return {
    ...{ v: 1, jail: "dovecot", option, value, by: "operator alice", at: T0 + count },
    ...(hours !== undefined && { until: T0 + hours * HOUR_MS }),
  };
}

const { jails: FILE } = configWith();
const dovecotOf = (settings: readonly JailSetting[]) => applySettings(FILE, settings).jails[0]!;

test("what an operator sets is in place of what the file says, in the file's language", () => {
  const jail = dovecotOf([
    set("maxretry", "8"),
    set("bantime", "-1"),
    set("ports", "all"),
    set("hosts", '[mx*, "!mx9"]'),
    set("network", "{ addresses: 3 }"),
    set("decoys", "[Oracle]"),
  ]);
  assert.deepEqual(
    [jail.maxretry, jail.bantime, jail.ports, jail.hosts, jail.decoys, jail.users],
    [8, null, [], ["mx*", "!mx9"], ["oracle"], 3],
  );
  assert.equal(jail.network?.addresses, 3);
  const growing = dovecotOf([set("bantime.increment", "true"), set("bantime.maxtime", "5w")]);
  assert.equal(growing.increment?.maxtime, 3_024_000);
});

test("an impossible value is refused in the sentences of the file's check", () => {
  const faults = (option: string, value: string, others: readonly JailSetting[] = []) =>
    faultsOfSetting(FILE, others, set(option, value)).join("; ");
  assert.equal(faults("maxretry", "0"), "jails.dovecot.maxretry: expected at least 1, got 0");
  assert.equal(
    faults("maxretry", "3"),
    "jails.dovecot.users: expected less than maxretry, which is 3, got 3",
  );
  assert.match(faults("findtime", "soon"), /^jails\.dovecot\.findtime: .*"10m".*"soon"$/);
  assert.equal(
    faults("findtim", "1h"),
    "jails.dovecot.findtim: there is no such option; did you mean findtime?",
  );
  assert.equal(faults("toString", "1"), "jails.dovecot.toString: there is no such option");
  assert.equal(
    faults("network", "{ adresses: 3 }"),
    "jails.dovecot.network.adresses: there is no such option; did you mean addresses?",
  );
  assert.match(faults("bantime.maxtime", "1h"), /has no effect without bantime\.increment/);
  const growing = [set("bantime.increment", "true")];
  assert.equal(faults("bantime.maxtime", "1h", growing), "");
  assert.match(faults("source", "bans"), /changed in coordinator\.yaml alone/);
  for (const text of ["[", "*x", "!mx9", "a: b: c", "", "null"]) {
    assert.match(faults("hosts", text), /^jails\.dovecot\.hosts: expected .*, got /, text);
  }
});

test("what does not fit a changed file is idle, and named with its reason", () => {
  const settings = [set("maxretry", "4"), { ...set("maxretry", "8"), jail: "gone" }];
  assert.deepEqual(
    applySettings(FILE, settings).idle.map(({ faults }) => faults),
    [["there is no jail gone"]],
  );
  const { jails, idle } = applySettings(configWith({ maxretry: 9, users: 5 }).jails, settings);
  assert.deepEqual([jails[0]?.maxretry, idle.length], [9, 2]);
  const warning = warnOfIdle(idle[1]!);
  assert.equal(warning.subject, "dovecot.maxretry");
  assert.match(warning.text, /maxretry 4 of jail dovecot, set by operator alice, changes nothing/);
  assert.match(warning.text, /users: expected less than maxretry, .*jail unset dovecot maxretry/);
});

test("agents know what a jail becomes by itself, so that a host that is alone counts right", () => {
  const settings = [
    ...[set("maxretry", "8", 2), set("shadow", "true", 1), set("bantime", "1d", 2)],
    set("findtime", "1h"),
  ];
  const { published } = applySettings(FILE, settings);
  const jail = decodeJail(encodeJail(published[0]!), "jail.dovecot");
  const seen = ({ maxretry, shadow, bantime, findtime }: Jail) =>
    [maxretry, shadow, bantime, findtime] as const;
  assert.deepEqual(seen(jail), [8, true, 86_400, 3_600]);
  assert.equal(nextChangeOf([jail]), T0 + HOUR_MS);
  const first = jailAt(jail, T0 + HOUR_MS);
  assert.deepEqual(seen(first), [8, undefined, 86_400, 3_600]);
  assert.equal(nextChangeOf([first]), T0 + 2 * HOUR_MS);
  for (const last of [jailAt(first, T0 + 2 * HOUR_MS), jailAt(jail, T0 + 3 * HOUR_MS)]) {
    assert.deepEqual(last, dovecotOf([settings[3]!]));
    assert.equal(nextChangeOf([last]), Infinity);
  }
});

test("a set option makes another version of the policy, and taking it back the old one", () => {
  const config = configWith();
  const file = policyOf(config);
  const changed = policyOf(config, [set("maxretry", "8", 1)]);
  assert.notEqual(changed.version, file.version);
  assert.equal(policyOf(config, [set("maxretry", "5", 1)]).version, file.version);
});

test("an option of the file is spelled as people read it", () => {
  const { dovecot } = configWith({ bantime: -1, hosts: ["mx*", "mail"] }).jails;
  const spelled = ["findtime", "bantime", "ports", "maxretry", "hosts", "shadow"].map((option) =>
    spellJailOption(dovecot!, option),
  );
  assert.deepEqual(spelled, [
    ...["20m", "for ever", "110, 995, 143, 993", "5", "mx*, mail", "not set"],
  ]);
  const { dovecot: open } = configWith({ ports: "all", network: {} }).jails;
  assert.equal(spellJailOption(open!, "ports"), "all");
  assert.match(spellJailOption(open!, "network"), /"addresses":5/);
});
