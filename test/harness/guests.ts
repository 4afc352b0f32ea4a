/**
 * Debian machines on one network, as an administrator's fleet has them: each with a systemd, an
 * sshd that lets `admin` in by key and sudo, and a Dovecot that is not yet configured. The
 * administrator's own machine is this one, in a network namespace of its own.
 */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { starting } from "../../services/process/release.ts";
import type { Suite } from "./debian-image.ts";
import { ensureImage } from "./guest-image.ts";
import { createGuestMachine, hasControlGroups, type GuestMachine } from "./guest-machine.ts";
import { createNetwork, isRoot, type Namespace, type Network } from "./netns.ts";

const PROGRAMS = ["/usr/bin/systemd-nspawn", "/usr/bin/mmdebstrap", "/usr/bin/dpkg-scanpackages"];
const missing = PROGRAMS.filter((program) => !existsSync(program));

function reason(): string | false {
  if (!isRoot) return "needs root";
  if (missing.length > 0) return `needs ${missing.join(", ")}: deploy/setup deploy`;
  return hasControlGroups ? false : "needs control groups under /sys/fs/cgroup";
}
/** For tests that boot machines: `describe(name, { skip: needsGuests }, ...)`. */
export const needsGuests = reason();

export interface Guest extends GuestMachine {
  readonly name: string;
  readonly suite: Suite;
  readonly namespace: Namespace;
  /** Writes a file before it boots; owned by root, or like its folder in the image. */
  place(path: string, content: string | Uint8Array, mode?: number): void;
  /** Down and up again, with a kernel that remembers nothing. */
  reboot(): Promise<void>;
}

export interface Guests extends AsyncDisposable {
  network: Network;
  guests: readonly Guest[];
  guest(name: string): Guest;
  /** Configuration of ssh under which `ssh ADDRESS` reaches a guest, from namespaces of the network. */
  sshConfig: string;
  /** A folder of the administrator, removed at the end. */
  folder: string;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface GuestsOptions {
  guests: Readonly<Record<string, Suite>>;
  /** Further namespaces of the network, with no machine in them. */
  others?: readonly string[];
  say?: (line: string) => void;
}

/** They are not booted yet: `place` what they need, then `boot` them. */
export async function createGuests(options: GuestsOptions): Promise<Guests> {
  const { others = [], say = () => {} } = options;
  const images = new Map<Suite, string>();
  for (const suite of new Set(Object.values(options.guests))) {
    images.set(suite, await ensureImage(suite, say));
  }
  const folder = mkdtempSync(join(tmpdir(), "fleetban-guests-"));
  chmodSync(folder, 0o755); // the guests' root folders are below it
  const leave = () => {
    process.off("exit", leave);
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", leave);
  const [guests, release] = await starting<Omit<Guests, keyof AsyncDisposable>>(
    async (onRelease) => {
      onRelease(() => {
        leave();
        return Promise.resolve();
      });
      const names = Object.keys(options.guests);
      const network = await createNetwork([...names, ...others]);
      onRelease(() => network[Symbol.asyncDispose]());
      const key = join(folder, "id_ed25519");
      await makeKey(key);
      const authorized = await readFile(`${key}.pub`, "utf8");
      const knownHosts: string[] = [];
      const hostsFile = [
        "127.0.0.1 localhost",
        "::1 localhost",
        ...names.map((name) => `${network.host(name).address4} ${name}.example.org ${name}`),
      ].join("\n");
      const made: Guest[] = [];
      for (const [name, suite] of Object.entries(options.guests)) {
        const namespace = network.host(name);
        const image = images.get(suite) ?? "";
        const own = join(folder, name);
        const place = placer(image, join(own, "upper"));
        const machine = createGuestMachine({
          name: namespace.name,
          hostname: name,
          image,
          folder: own,
          namespace,
        });
        onRelease(async () => {
          await machine.crash();
          machine.discard();
        });
        const hostKey = join(folder, `${name}.host-key`);
        await makeKey(hostKey);
        const hostKeyLine = await readFile(`${hostKey}.pub`, "utf8");
        knownHosts.push(`${namespace.address4} ${hostKeyLine}`);
        place("etc/ssh/ssh_host_ed25519_key", await readFile(hostKey, "utf8"), 0o600);
        place("etc/ssh/ssh_host_ed25519_key.pub", hostKeyLine);
        place("etc/hostname", `${name}\n`);
        place("etc/hosts", `${hostsFile}\n`);
        place("etc/machine-id", `${randomUUID().replaceAll("-", "")}\n`);
        place("home/admin/.ssh/authorized_keys", authorized, 0o600);
        made.push({
          ...{ name, suite, namespace, place, ...machine },
          async reboot() {
            await machine.shutDown();
            await network.renew(name);
            await machine.boot();
          },
        });
      }
      writeFileSync(join(folder, "known_hosts"), knownHosts.join(""));
      const sshConfig = join(folder, "ssh_config");
      writeFileSync(sshConfig, sshConfiguration(folder, key));
      const guest = (name: string) => {
        const found = made.find((one) => one.name === name);
        if (!found) throw new Error(`there is no guest ${name}`);
        return found;
      };
      return { network, guests: made, guest, sshConfig, folder };
    },
  );
  return { ...guests, [Symbol.asyncDispose]: release };
}

async function makeKey(path: string): Promise<void> {
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "fleetban-test", "-f", path]);
}

/** A folder of the overlay takes the place of the image's, and so must look like it. */
function placer(image: string, upper: string) {
  const ensureFolder = (path: string): { uid: number; gid: number } => {
    const target = join(upper, path);
    const like = existsSync(join(image, path)) ? statSync(join(image, path)) : undefined;
    const parent = path === "." ? { uid: 0, gid: 0 } : ensureFolder(dirname(path));
    const { uid, gid } = like ?? parent;
    if (!existsSync(target)) {
      mkdirSync(target, { recursive: true });
      chmodSync(target, like?.mode ?? 0o755);
      chownSync(target, uid, gid);
    }
    return { uid, gid };
  };
  return (path: string, content: string | Uint8Array, mode = 0o644) => {
    const { uid, gid } = ensureFolder(dirname(path));
    const target = join(upper, path);
    writeFileSync(target, content, { mode });
    chownSync(target, uid, gid);
  };
}

/** Connections are not shared: a master would outlive the machines. */
function sshConfiguration(folder: string, key: string): string {
  return `Host *
  User admin
  IdentityFile ${key}
  IdentitiesOnly yes
  UserKnownHostsFile ${join(folder, "known_hosts")}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  PasswordAuthentication no
  ControlMaster no
  ConnectTimeout 5
`;
}
