/** `check` on booted machines: what it says of a service's user and sandbox is true. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { needsGuests, type Guest } from "../harness/guests.ts";
import { createPackagedFleet, type PackagedFleet } from "../harness/packaged-fleet.ts";

const AGENT = "/etc/fleetban/agent.yaml";
const COORDINATOR = "/etc/fleetban/coordinator.yaml";

describe("check by root", { skip: needsGuests }, () => {
  let fleet: PackagedFleet;
  before(async () => {
    fleet = await createPackagedFleet([]);
    const install = (guest: Guest, names: readonly string[]) =>
      guest.run("apt-get", [
        ...["-qq", "install", "-y", "--no-install-recommends"],
        ...names.map((name) => `/srv/${name}.deb`),
      ]);
    await Promise.all([
      install(fleet.mx1, ["fleetban-agent"]),
      install(fleet.centre, ["fleetban-coordinator", "fleetban-agent", "fleetban"]),
    ]);
  });
  after(() => fleet[Symbol.asyncDispose]());

  /** As `scp` leaves a file of root's: 0600, or what the sender's had. */
  const write = async (guest: Guest, path: string, text: string, mode: string) => {
    await guest.run("tee", [path], text);
    await guest.run("chmod", [mode, path]);
  };
  const sh = (guest: Guest, command: string) => guest.run("sh", ["-c", command]);
  const check = (guest: Guest, program: string) => sh(guest, `${program} check 2>&1 || true`);

  test("tries everything as the service's user in its sandbox, and its remedies help", async () => {
    for (const guest of [fleet.mx1, fleet.centre]) {
      const yaml = [
        `nats: { url: "tls://127.0.0.1:4222", creds: agent.creds, ca: ca.pem }`,
        `sources: [{ name: dovecot, path: /var/log/dovecot.log }]`,
      ];
      await write(guest, AGENT, `${yaml.join("\n")}\n`, "600");
      const first = await check(guest, "fleetban-agent");
      assert.match(first, /^note +sandbox: tried as the user of fleetban-agent\.service/m);
      const remedies = /chgrp fleetban-agent \/etc\/fleetban\/agent\.yaml && chmod 640 \S+/;
      await sh(guest, remedies.exec(first)?.[0] ?? assert.fail(first));

      await write(guest, "/etc/fleetban/agent.creds", "nothing yet\n", "600");
      await write(guest, "/etc/fleetban/ca.pem", "nothing yet\n", "600");
      await write(guest, "/var/log/dovecot.log", "", "600");
      const second = await check(guest, "fleetban-agent");
      for (const file of ["/etc/fleetban/agent.creds", "/var/log/dovecot.log"]) {
        const remedy = new RegExp(`${file}.*(chgrp fleetban-agent ${file} && chmod 640 ${file})`);
        await sh(guest, remedy.exec(second)?.[1] ?? assert.fail(second));
      }
      const third = await check(guest, "fleetban-agent");
      assert.match(third, /^ok +source dovecot: /m);
      assert.match(third, /agent\.creds: holds no credentials/);
      assert.match(third, /^ok +firewall: ipset can be used/m);
      assert.match(third, /^note +firewall rules: none yet/m);
    }
  });

  test("names a chain that does not exist, and what was meant", async () => {
    const { mx1 } = fleet;
    await sh(mx1, `echo 'firewall: { chains: [INPUT, DOCKER_USER] }' >> ${AGENT}`);
    const text = await check(mx1, "fleetban-agent");
    assert.match(text, /^FAIL +firewall: .*no chain DOCKER_USER .*did you mean DOCKER-USER\?$/m);
  });

  test("a coordinator that cannot start fails its systemctl start", async () => {
    const { centre, natsUrl, databaseUrl } = fleet;
    const start = () => centre.run("systemctl", ["start", "fleetban-coordinator"]);
    const yaml = `nats: { url: "${natsUrl}" }\ndatabase: { url: "${databaseUrl}" }\n`;
    await write(centre, COORDINATOR, yaml, "644");
    await assert.rejects(start(), /fleetban-coordinator\.service failed/);
    const exposed = await check(centre, "fleetban-coordinator");
    const remedy = /database\.url is a password: others may use it, its mode is 644; (chgrp .*)$/m;
    await sh(centre, remedy.exec(exposed)?.[1] ?? assert.fail(exposed));

    await sh(centre, `sed -i 's#^nats: {#nats: { creds: centre.creds,#' ${COORDINATOR}`);
    await write(centre, "/etc/fleetban/centre.creds", "nothing yet\n", "600");
    await assert.rejects(start(), /fleetban-coordinator\.service failed/);
    assert.match(
      await check(centre, "fleetban-coordinator"),
      /centre\.creds: cannot be read: .*chgrp fleetban-coordinator \/etc\/fleetban\/centre\.creds && chmod 640/,
    );

    await sh(centre, `sed -i 's# creds: centre.creds,##' ${COORDINATOR}`);
    await start();
    const well = await check(centre, "fleetban-coordinator");
    assert.match(well, /^note +sandbox: tried as the user of fleetban-coordinator\.service/m);
    assert.match(well, /^ok +PostgreSQL: /m);
  });

  test("saved rules that name fleetban's sets do not leave the next boot without a firewall", async () => {
    const { mx1, natsUrl } = fleet;
    await write(mx1, AGENT, `nats: { url: "${natsUrl}" }\n`, "644");
    await mx1.run("systemctl", ["start", "fleetban-agent"]);
    await mx1.run("iptables", ["-A", "INPUT", "-p", "tcp", "--dport", "8080", "-j", "DROP"]);
    // netfilter-persistent, as Debian has it.
    await mx1.run("mkdir", ["-p", "/etc/iptables"]);
    await sh(mx1, "iptables-save > /etc/iptables/rules.v4; chmod 640 /etc/iptables/rules.v4");
    const unit = [
      "[Unit]",
      "DefaultDependencies=no",
      "Wants=network-pre.target systemd-modules-load.service local-fs.target",
      "After=systemd-modules-load.service local-fs.target",
      "Before=network-pre.target shutdown.target",
      "Conflicts=shutdown.target",
      "[Service]",
      "Type=oneshot",
      "RemainAfterExit=yes",
      "ExecStart=/usr/sbin/iptables-restore /etc/iptables/rules.v4",
      "[Install]",
      "WantedBy=multi-user.target",
    ].join("\n");
    await write(mx1, "/etc/systemd/system/netfilter-persistent.service", `${unit}\n`, "644");
    await mx1.run("systemctl", ["enable", "netfilter-persistent"]);
    await mx1.run("systemctl", ["disable", "fleetban-agent"]); // what the boot itself brings
    assert.match(await check(mx1, "fleetban-agent"), /^ok +saved rules: .*rules\.v4/m);

    const reboot = async () => {
      await mx1.reboot();
      await sh(mx1, "systemctl is-system-running --wait || true");
    };
    await reboot();
    const rules = await mx1.run("iptables", ["-S"]);
    const units = "fleetban-agent-sets netfilter-persistent";
    const state = () => sh(mx1, `systemctl --no-pager --full status ${units} || true`);
    assert.match(rules, /--dport 8080 -j DROP/, await state());
    assert.match(rules, /-A INPUT -j fleetban/);

    await mx1.run("systemctl", ["disable", "fleetban-agent-sets"]);
    assert.match(await check(mx1, "fleetban-agent"), /^FAIL +saved rules: .*no firewall/m);
    await reboot();
    assert.doesNotMatch(await mx1.run("iptables", ["-S"]), /8080/, "this is what it prevents");
  });
});
