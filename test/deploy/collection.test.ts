import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { after, before, describe, test } from "node:test";
import { loadConfig } from "../../services/config/load-config.ts";
import { coordinatorConfig } from "../../services/coordinator/coordinator-config.ts";
import { installCollection } from "./ansible.ts";
import { runProgram } from "./program.ts";

const FOLDER = resolve(import.meta.dirname, "../../deploy/ansible");

const without = (program: string) =>
  existsSync(join("/usr/bin", program)) ? false : `needs ${program}: deploy/setup deploy`;

describe("the Ansible collection", { skip: without("ansible-galaxy") }, () => {
  let folder: string;
  let collections: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fleetban-collection-"));
    collections = await installCollection(folder);
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const check = async (program: string, args: readonly string[]) => {
    const env = {
      ...process.env,
      ANSIBLE_HOME: join(folder, "home"),
      ANSIBLE_COLLECTIONS_PATH: collections,
    };
    const { code, stdout, stderr } = await runProgram(spawn, program, args, { cwd: FOLDER, env });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };

  test("ansible-galaxy builds and installs it, with its roles and playbooks", () => {
    const installed = join(collections, "ansible_collections/fleetban/fleetban");
    const roles = readdirSync(join(installed, "roles")).sort();
    assert.deepEqual(roles, ["agent", "controller", "coordinator", "nats", "package"]);
    assert.deepEqual(readdirSync(join(installed, "playbooks")).sort(), ["remove.yml", "site.yml"]);
  });

  test("every role documents every one of its variables", async () => {
    const roles = ["agent", "controller", "coordinator", "nats", "package"];
    for (const role of roles) {
      const name = `fleetban.fleetban.${role}`;
      const documented = await check("ansible-doc", ["--type", "role", "--json", name]);
      const { [name]: described } = JSON.parse(documented) as Described;
      const options = Object.keys(described?.entry_points.main?.options ?? {});
      const defaults = Object.keys(await readDefaults(join(FOLDER, "roles", role)));
      assert.deepEqual(
        defaults.filter((variable) => !options.includes(variable)),
        [],
        role,
      );
    }
  });

  test("what the role coordinator writes of the web page is a configuration", async () => {
    const file = join(folder, "coordinator.yaml");
    const template = async (web: Record<string, unknown>) => {
      const role = join(FOLDER, "roles/coordinator");
      const fleet = { fleetban_name: "centre", fleetban_nats_url: "tls://centre:4222" };
      const src = join(role, "templates/coordinator.yaml.j2");
      const play = {
        ...{ hosts: "localhost", connection: "local", gather_facts: false },
        vars_files: [join(role, "defaults/main.yml")],
        tasks: [{ "ansible.builtin.template": { src, dest: file, mode: "0600" } }],
      };
      await writeFile(join(folder, "play.yml"), JSON.stringify([play]));
      // Above the defaults, as the variables of an inventory are.
      const variables = JSON.stringify({ ...fleet, ...web });
      await check("ansible-playbook", ["-e", variables, join(folder, "play.yml")]);
      return (await loadConfig(coordinatorConfig, file, {}, {})).web;
    };
    assert.equal((await template({})).listen, undefined);
    const { listen, url, tls, oidc } = await template({
      fleetban_coordinator_web: {
        ...{ listen: "0.0.0.0:9490", url: "https://bans.example.org:9490" },
        oidc: { issuer: "https://login.example.org", clientId: "f", roles: { viewer: ["staff"] } },
      },
      fleetban_coordinator_web_cert: "/home/admin/web.pem",
      fleetban_coordinator_web_key: "/home/admin/web.key",
      fleetban_coordinator_web_oidc_secret: "secret",
    });
    assert.deepEqual([listen, url], ["0.0.0.0:9490", "https://bans.example.org:9490"]);
    assert.deepEqual(tls, { cert: "/etc/fleetban/web.pem", key: "/etc/fleetban/web.key" });
    assert.equal(oidc?.clientSecretFile, "/etc/fleetban/oidc.secret");
  });

  test("the example inventory is one", async () => {
    const text = await check("ansible-inventory", ["-i", "inventory.example.yml", "--list"]);
    const groups = JSON.parse(text) as Record<string, { hosts?: string[] }>;
    assert.deepEqual(groups["fleetban_agents"]?.hosts, ["mx1.example.org", "mx2.example.org"]);
  });

  test("yamllint has nothing to say", { skip: without("yamllint") }, async () => {
    assert.equal(await check("yamllint", ["--strict", "."]), "");
  });

  test(
    "ansible-lint has nothing to say at its production profile",
    { skip: without("ansible-lint") },
    async () => {
      await check("ansible-lint", ["--strict", "--profile", "production", "--nocolor"]);
    },
  );
});

interface Described {
  [role: string]: { entry_points: { main?: { options: Record<string, unknown> } } } | undefined;
}

async function readDefaults(role: string): Promise<Record<string, unknown>> {
  return parse(await readFile(join(role, "defaults/main.yml"), "utf8")) as Record<string, unknown>;
}
