/**
 * How long bans last, against fail2ban's own code: the same options, and every number of bans
 * before. Where fail2ban is not installed this is skipped.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { jailConfig, jailOf } from "../../services/coordinator/jail-config.ts";
import { banSeconds } from "../../services/policy/ban-time.ts";

const CODE = "/usr/lib/python3/dist-packages/fail2ban/server/jail.py";
const isInstalled = existsSync(CODE) && existsSync("/usr/bin/python3");
const skip = isInstalled ? false : "fail2ban is not installed";

/** Options as they stand in jail.conf, and the same in coordinator.yaml. */
const POLICIES: Record<string, string>[] = [
  {},
  { factor: "3" },
  { factor: "0.25" },
  { multipliers: "1 2 4 8 16 32 64" },
  { multipliers: "1 5 30 60 300 720 1440 2880", factor: "2" },
  { maxtime: "5h" },
  { multipliers: "1 5 30", maxtime: "1h", factor: "1.5" },
  { maxtime: "2h", rndtime: "10m" },
  { multipliers: "7", rndtime: "90" },
];
const BANTIMES = [60, 600, 1200];
const BEFORE = 30;

/** For each policy and bantime the lengths of the first bans; random.random() is a half. */
const SCRIPT = `
import json, random, sys
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from fail2ban.server import jail as j
from fail2ban.server.observer import ObserverThread
j.random.random = lambda: 0.5
policies, bantimes, count = json.load(sys.stdin)
answers = []
for policy in policies:
    jail = object.__new__(j.Jail)
    jail._banExtra = {}
    jail._Jail__db = True
    jail.setBanTimeExtra('increment', 'true')
    for name, value in policy.items():
        jail.setBanTimeExtra(name, value)
    evaluate = jail.getBanTimeExtra('evformula')
    answers.append([[t if n == 0 else evaluate(ObserverThread.BanTimeIncr(t, n))
                     for n in range(count)] for t in bantimes])
print(json.dumps(answers))
`;

test("bans last as long as fail2ban's own code has them last", { skip }, () => {
  const answers = JSON.parse(
    execFileSync("/usr/bin/python3", ["-c", SCRIPT], {
      input: JSON.stringify([POLICIES, BANTIMES, BEFORE]),
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"],
    }),
  ) as number[][][];
  for (const [index, policy] of POLICIES.entries()) {
    const { factor, ...texts } = policy;
    const options = Object.entries(texts).map(([name, value]): [string, unknown] => [
      `bantime.${name}`,
      value,
    ]);
    const dovecot = {
      ...{ bantime: 60, "bantime.increment": true },
      ...(factor !== undefined && { "bantime.factor": Number(factor) }),
      ...Object.fromEntries(options),
    };
    const { increment } = jailOf("dovecot", jailConfig.parse(dovecot));
    for (const [place, bantime] of BANTIMES.entries()) {
      const jail = { bantime, increment };
      const ours = Array.from({ length: BEFORE }, (_, before) => banSeconds(jail, before, 0.5));
      assert.deepEqual(ours, answers[index]?.[place], JSON.stringify({ policy, bantime }));
    }
  }
});
