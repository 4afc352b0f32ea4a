/**
 * A stand-in for Enterprise Linux 9, of which there is no image here: a Debian that says it were
 * Rocky Linux, with rpm and dnf, and with one RPM that provides what the system itself would. It
 * tries packages, scriptlets and roles; not that system's SELinux, nor its iptables.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Guest } from "../harness/guests.ts";

const OS_RELEASE = `NAME="Rocky Linux"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (a stand-in)"
`;

const BASE = "srv/base.rpm";

/** Before it boots; `rpms` are those that it is to be able to install. */
export function placeEnterpriseLinux(guest: Guest, rpms: readonly string[]): void {
  guest.place("etc/os-release", OS_RELEASE);
  guest.place("etc/redhat-release", "Rocky Linux release 9.4 (Blue Onyx)\n");
  guest.place(BASE, makeBase(rpms));
}

/** When it has booted. */
export async function installEnterpriseLinux(guest: Guest): Promise<void> {
  const tools = ["rpm", "dnf", "python3-dnf", "iptables", "ipset"];
  await guest.run("apt-get", ["-qq", "install", "-y", "--no-install-recommends", ...tools]);
  await guest.run("rpm", ["--install", `/${BASE}`]);
}

/** An RPM without a file that provides all that these require, but what rpm itself does. */
function makeBase(rpms: readonly string[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-base-"));
  try {
    const text = execFileSync("rpm", ["--query", "--requires", "--package", ...rpms], {
      encoding: "utf8",
    });
    const required = [...new Set(text.split("\n"))].filter((each) => each && !/^rpmlib/.test(each));
    const provided = required.map((each) => `Provides: ${each.replace(">=", "=")}`);
    const head = ["Name: base", "Version: 9", "Release: 1", "Summary: Base", "License: MIT"];
    const rest = ["BuildArch: noarch", "%description", "All of it.", "%files", ""];
    const spec = join(folder, "base.spec");
    writeFileSync(spec, [...head, ...provided, ...rest].join("\n"));
    mkdirSync(join(folder, "RPMS"));
    const define = ["--define", `_topdir ${folder}`, "--define", "_rpmfilename base.rpm"];
    execFileSync("rpmbuild", ["--quiet", "-bb", ...define, spec], { stdio: "pipe" });
    const [made = ""] = readdirSync(join(folder, "RPMS"));
    return readFileSync(join(folder, "RPMS", made));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
