/**
 * npm run test:matrix [-- VARIANT... [-- TEST...]]
 *
 * The tests with other versions of what fleetban runs on and with: all variants one after the other,
 * or those named, on all tests or on the files named. Every variant changes one thing. It is a
 * folder of programs that comes first in PATH; what it needs is downloaded once from npm and
 * Debian, and kept outside the repository.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CACHE, ensureDebianImage } from "./harness/debian-image.ts";

interface Variant {
  name: string;
  /** Puts programs into the folder. */
  fill(bin: string): Promise<void>;
  /** Prints what it is, for the report. */
  version: readonly [string, ...string[]];
}

const ROOT = resolve(import.meta.dirname, "..");
/** Where a program lies that another folder of PATH stands before. */
const SYSTEM = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

const VARIANTS: readonly Variant[] = [
  node(20),
  node(22),
  node(24),
  // Debian 12 has 2.9, Debian 13 has 2.10, and the next Debian what is newest in Debian.
  natsServer("bookworm"),
  natsServer("trixie"),
  natsServer("sid"),
  { name: "dovecot-2.4", fill: dovecot24, version: ["dovecot", "--version"] },
  iptables("nft"),
  iptables("legacy"),
];

function node(major: number): Variant {
  return {
    name: `node-${major}`,
    version: ["node", "--version"],
    async fill(bin) {
      const name = `node-linux-${arch()}`;
      const folder = await kept(`node-${major}`, (partial) => {
        const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
        call("npm", ["install", "--prefix", partial, ...options, `${name}@${major}`]);
      });
      await link(join(folder, "node_modules", name, "bin/node"), join(bin, "node"));
    },
  };
}

function natsServer(suite: string): Variant {
  return {
    name: `nats-${suite}`,
    version: ["nats-server", "--version"],
    async fill(bin) {
      // It is linked statically: another Debian's runs on this one.
      const folder = await kept(`nats-server-${suite}`, (partial) =>
        unpackFromDebian(suite, "nats-server", partial),
      );
      await link(join(folder, "root/usr/sbin/nats-server"), join(bin, "nats-server"));
    },
  };
}

/** Debian 13's Dovecot runs inside a Debian 13, which has this machine's /tmp and /proc. */
async function dovecot24(bin: string): Promise<void> {
  const image = await ensureDebianImage(
    {
      ...{ name: "dovecot", suite: "trixie", edition: 1 },
      ...{ installed: ["dovecot-imapd", "dovecot-pop3d"], archived: [] },
    },
    (line) => console.error(line),
  );
  const inside = join(bin, "dovecot");
  await writeFile(
    inside,
    `#!/bin/bash
exec unshare --mount bash -c 'for each in /tmp /proc /dev; do mount --rbind "$each" "$0$each"; done
exec chroot "$0" /usr/sbin/dovecot "$@"' ${image} "$@"
`,
  );
  await chmod(inside, 0o755);
}

function iptables(kind: "nft" | "legacy"): Variant {
  return {
    name: `iptables-${kind}`,
    version: ["iptables", "--version"],
    async fill(bin) {
      for (const program of ["iptables", "ip6tables"]) {
        for (const what of ["", "-save", "-restore"]) {
          const target = join("/usr/sbin", `${program}-${kind}${what}`);
          await link(target, join(bin, `${program}${what}`));
        }
      }
    },
  };
}

/** Without its target the machine's own program would be tried in its place. */
async function link(target: string, path: string): Promise<void> {
  if (!existsSync(target)) throw new Error(`there is no ${target}`);
  await symlink(target, path);
}

/** The folder of this name that is kept outside the repository; `make` fills it the first time. */
async function kept(name: string, make: (folder: string) => void | Promise<void>): Promise<string> {
  const folder = join(CACHE, `matrix-${name}`);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  const partial = await mkdtemp(join(CACHE, "matrix-partial-"));
  try {
    await make(partial);
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

/** Into root/ of the folder; the machine's own lists and packages stay as they are. */
async function unpackFromDebian(suite: string, name: string, folder: string): Promise<void> {
  const state = join(folder, "apt");
  await mkdir(join(state, "lists/partial"), { recursive: true });
  await mkdir(join(state, "archives/partial"), { recursive: true });
  await chmod(folder, 0o755);
  const sources = join(state, "sources.list");
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  await writeFile(sources, `deb [signed-by=${keys}] http://deb.debian.org/debian ${suite} main\n`);
  const options = [
    ["Dir::Etc::sourcelist", sources],
    ["Dir::Etc::sourceparts", "-"],
    ["Dir::State::lists", join(state, "lists")],
    ["Dir::Cache", state],
    ["APT::Sandbox::User", "root"],
  ].map((option) => `-o${option.join("=")}`);
  call("apt-get", ["-q", ...options, "update"]);
  call("apt-get", ["-q", ...options, "download", name], folder);
  const [file] = call("find", [folder, "-maxdepth", "1", "-name", `${name}_*.deb`]).split("\n");
  call("dpkg-deb", ["-x", file ?? "", join(folder, "root")]);
  await rm(state, { recursive: true });
}

function call(command: string, args: readonly string[], cwd = ROOT): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout.trim();
  throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? `exit ${status}: ${stderr}`}`);
}

/** True if all tests passed. */
async function runWith(
  { name, fill, version }: Variant,
  tests: readonly string[],
): Promise<boolean> {
  const bin = await mkdtemp(join(tmpdir(), "fleetban-matrix-"));
  try {
    await chmod(bin, 0o755);
    await fill(bin);
    const env = {
      ...process.env,
      PATH: [bin, process.env["PATH"], ...SYSTEM].join(":"),
      FLEETBAN_TEST_ONLY_TESTS: "1",
    };
    const [command, ...args] = version;
    const shown = spawnSync(command, args, { env, encoding: "utf8" });
    console.log(`\n==== ${name}: ${shown.stdout.trim()}`);
    const { status } = spawnSync(join(ROOT, "test/run"), tests, { env, stdio: "inherit" });
    return status === 0;
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
}

const given = process.argv.slice(2);
const isTest = (word: string) => word.endsWith(".test.ts");
const names = given.filter((word) => !isTest(word));
const unknown = names.filter((name) => !VARIANTS.some((variant) => variant.name === name));
if (unknown.length > 0) {
  console.error(`no such variant: ${unknown.join(", ")}; there are:`);
  console.error(VARIANTS.map(({ name }) => `  ${name}`).join("\n"));
  process.exit(64);
}
const chosen = VARIANTS.filter(({ name }) => names.length === 0 || names.includes(name));
const results: [string, boolean][] = [];
for (const variant of chosen) {
  results.push([variant.name, await runWith(variant, given.filter(isTest))]);
}
console.log("");
for (const [name, passed] of results) console.log(`${passed ? "passed" : "FAILED"}  ${name}`);
process.exitCode = results.every(([, passed]) => passed) ? 0 : 1;
