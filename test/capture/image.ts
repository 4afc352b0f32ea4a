/** Debians with every Dovecot module and neighbour that captures need: made once, kept outside the repository. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../services/agent/firewall/command.ts";
import { CACHE } from "../harness/debian-image.ts";

/** What Debian each Dovecot is of. */
const SUITES = { "2.3": "bookworm", "2.4": "trixie" } as const;

const PACKAGES = [
  ...["imapd", "pop3d", "submissiond", "managesieved", "auth-lua", "sqlite", "ldap"].map(
    (module) => `dovecot-${module}`,
  ),
  ...["rsyslog", "sqlite3", "openssl", "python3", "slapd", "postfix", "haproxy"],
  ...["libpam-modules", "libpam-sss", "sssd-ldap"],
];

/** The folder of the image; makes it where there is none, which takes a minute. */
export async function ensureCaptureImage(dovecot: keyof typeof SUITES): Promise<string> {
  const packages = PACKAGES.join(",");
  const key = createHash("sha256").update(packages).digest("hex").slice(0, 12);
  const image = join(CACHE, `capture-${SUITES[dovecot]}-${key}`);
  if (existsSync(image)) return image;
  process.stderr.write(`making an image of ${SUITES[dovecot]}: ${image}\n`);
  mkdirSync(CACHE, { recursive: true });
  const partial = `${image}.${process.pid}`;
  const options = ["--quiet", "--variant=minbase", `--include=${packages}`];
  await run("mmdebstrap", [...options, SUITES[dovecot], partial]);
  renameSync(partial, image);
  return image;
}
