import assert from "node:assert/strict";
import { test } from "node:test";
import { coordinatorConfig } from "../../../services/coordinator/coordinator-config.ts";

const faultsOf = (config: unknown) =>
  coordinatorConfig
    .safeParse(config)
    .error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

test("an allowlist that spares everybody is refused", () => {
  assert.equal(faultsOf({ allowlist: ["192.0.2.0/24", "2001:db8::/32"] }), undefined);
  assert.deepEqual(faultsOf({ allowlist: ["192.0.2.1", "0.0.0.0/0"] }), [
    "allowlist.1: is everybody, nobody would be banned any more",
  ]);
});

test("a database that is not PostgreSQL is refused, and its URL is not told", () => {
  assert.equal(faultsOf({ database: { url: "postgresql:///fleetban?host=/run/x" } }), undefined);
  assert.deepEqual(faultsOf({ database: { url: "mysql://me:secret@x/y" } }), [
    "database.url: expected a URL such as postgresql://me@127.0.0.1/fleetban",
  ]);
});

test("IPv6 addresses are counted by their /64, and a prefix that is too wide is refused", () => {
  const { dovecot } = coordinatorConfig.parse({}).jails;
  assert.deepEqual([dovecot?.ipv4_prefix, dovecot?.ipv6_prefix], [32, 64]);
  const [ipv4, ipv6, ...more] =
    faultsOf({ jails: { dovecot: { ipv4_prefix: 4, ipv6_prefix: 129 } } }) ?? [];
  assert.match(ipv4 ?? "", /^jails\.dovecot\.ipv4_prefix: .*8/);
  assert.match(ipv6 ?? "", /^jails\.dovecot\.ipv6_prefix: .*128/);
  assert.deepEqual(more, []);
});
