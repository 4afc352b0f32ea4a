/**
 * A /usr/sbin in which a firewall program is not there, or finds no part of the kernel that
 * answers it: netfilter's netlink sockets are refused to it as a kernel without the module does.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const PROGRAMS = [
  "ipset",
  "nft",
  "iptables",
  "ip6tables",
  "iptables-restore",
  "ip6tables-restore",
] as const;
type FirewallProgram = (typeof PROGRAMS)[number];

export interface OtherPrograms {
  missing?: FirewallProgram[];
  unanswered?: FirewallProgram[];
  /** absent: as on a machine whose kernel was told ipv6.disable=1. */
  ipv6?: "there" | "absent";
}

/** Returns a command line that a program and its arguments follow: they see it as their /usr/sbin. */
export async function withFirewallPrograms(
  folder: string,
  { missing = [], unanswered = [], ipv6 = "there" }: OtherPrograms,
): Promise<string[]> {
  const [sbin, real] = [join(folder, "sbin"), join(folder, "real")];
  await mkdir(sbin);
  await mkdir(real);
  for (const program of PROGRAMS) {
    if (missing.includes(program)) continue;
    const isAnswered = !unanswered.includes(program);
    const copy = join(isAnswered ? sbin : real, program);
    await copyFile(await realpath(find(program)), copy);
    if (isAnswered) continue;
    await writeFile(join(sbin, program), unansweredScript(program, copy));
    await chmod(join(sbin, program), 0o755);
  }
  const hide = ipv6 === "absent" ? "mount -t tmpfs none /proc/sys/net/ipv6 && " : "";
  const script = `${hide}mount --bind "$0" /usr/sbin && PATH=/usr/sbin:/usr/bin:/bin exec "$@"`;
  return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, sbin];
}

/** Another folder of PATH may come first, with another version of the program. */
function find(program: FirewallProgram): string {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin"];
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`there is no ${program}`);
  return found;
}

/** prctl and socket, in the numbers of this machine's kernel. */
const SYSCALLS = { x64: [157, 41], arm64: [167, 198] } as const;

/** seccomp(2): socket(AF_NETLINK, _, NETLINK_NETFILTER) fails with EPROTONOSUPPORT. */
function unansweredScript(program: string, real: string): string {
  const [prctl, socket] = SYSCALLS[process.arch === "arm64" ? "arm64" : "x64"];
  return `#!/usr/bin/perl
my $filter = join "", map { pack "SCCL", @$_ } (
  [0x20, 0, 0, 0], [0x15, 0, 5, ${socket}],
  [0x20, 0, 0, 16], [0x15, 0, 3, 16],
  [0x20, 0, 0, 32], [0x15, 0, 1, 12],
  [0x06, 0, 0, 0x50000 | 93],
  [0x06, 0, 0, 0x7fff0000],
);
my $program = pack "Sx6P", 8, $filter;
syscall(${prctl}, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
syscall(${prctl}, 22, 2, $program) == 0 or die "seccomp: $!";
exec { "${real}" } "${program}", @ARGV;
`;
}
