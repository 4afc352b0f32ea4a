/**
 * The administrator's Ansible: the collection built and installed as a user would, an inventory of
 * guests, and runs of its playbooks over ssh from the administrator's namespace.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import type { Guests } from "../harness/guests.ts";
import type { Namespace } from "../harness/netns.ts";
import { runProgram, type Finished } from "./program.ts";

const COLLECTION = resolve(import.meta.dirname, "../../deploy/ansible");

export interface PlaybookRun extends Finished {
  /** What the recap says of each host: "changed", "failed", "unreachable", "skipped" ... */
  recap: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface Ansible {
  /** `playbook` is "site" or "remove"; further arguments are ansible-playbook's own. */
  play(playbook: string, ...args: readonly string[]): Promise<PlaybookRun>;
}

/** Builds the collection and installs it into `folder`; returns where Ansible finds it. */
export async function installCollection(folder: string): Promise<string> {
  const environment = ["env", `ANSIBLE_HOME=${join(folder, "home")}`, "ansible-galaxy"];
  const galaxy = (...args: string[]) =>
    run("env", [...environment.slice(1), "collection", ...args]);
  await galaxy("build", "--force", "--output-path", folder, COLLECTION);
  const archive = readdirSync(folder).find((name) => name.endsWith(".tar.gz"));
  if (archive === undefined) throw new Error(`${folder}: holds no collection`);
  const collections = join(folder, "collections");
  await galaxy("install", "--offline", "--collections-path", collections, join(folder, archive));
  return collections;
}

/** `inventory` is written as JSON, which YAML has in itself. */
export async function createAnsible(options: {
  guests: Guests;
  admin: Namespace;
  inventory: unknown;
}): Promise<Ansible> {
  const { guests, admin, inventory } = options;
  const folder = join(guests.folder, "ansible");
  mkdirSync(folder);
  const collections = await installCollection(folder);
  const file = join(folder, "inventory.yml");
  writeFileSync(file, JSON.stringify(inventory, undefined, 2));
  const environment = {
    ...process.env,
    ANSIBLE_HOME: join(folder, "home"),
    ANSIBLE_LOCAL_TEMP: join(folder, "tmp"),
    ANSIBLE_COLLECTIONS_PATH: collections,
    ANSIBLE_PIPELINING: "true",
    ANSIBLE_NOCOLOR: "true",
    ANSIBLE_RETRY_FILES_ENABLED: "false",
    // A master that lost its guest to a reboot notices it soon, and none outlives the test for long.
    ANSIBLE_SSH_ARGS: `-F ${guests.sshConfig} -o ControlMaster=auto -o ControlPersist=15s -o ServerAliveInterval=2`,
    ANSIBLE_SSH_CONTROL_PATH_DIR: join(folder, "cp"),
  };
  return {
    async play(playbook, ...args) {
      const command = ["-i", file, `fleetban.fleetban.${playbook}`, ...args];
      const finished = await runProgram(admin.spawn, "ansible-playbook", command, {
        env: environment,
        cwd: dirname(file),
      });
      return { ...finished, recap: readRecap(finished.stdout) };
    },
  };
}

/** Lines such as `mx1 : ok=21   changed=9    unreachable=0    failed=0 ...` */
function readRecap(output: string): PlaybookRun["recap"] {
  const [, recap = ""] = output.split(/^PLAY RECAP \**$/m);
  const lines = recap.split("\n").flatMap((line) => {
    const [host = "", counts] = line.split(" : ");
    if (counts === undefined) return [];
    const pairs = counts.matchAll(/(\w+)=(\d+)/g);
    return [[host.trim(), Object.fromEntries(Array.from(pairs, ([, k, v]) => [k, Number(v)]))]];
  });
  return Object.fromEntries(lines) as PlaybookRun["recap"];
}
