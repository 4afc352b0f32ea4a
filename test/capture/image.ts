/** Debians with every Dovecot module and neighbour that captures need. */
import { ensureDebianImage, type Suite } from "../harness/debian-image.ts";

/** What Debian each Dovecot is of. */
const SUITES = { "2.3": "bookworm", "2.4": "trixie" } as const satisfies Record<string, Suite>;

const PACKAGES = [
  ...["imapd", "pop3d", "submissiond", "managesieved", "auth-lua", "sqlite", "ldap"].map(
    (module) => `dovecot-${module}`,
  ),
  ...["rsyslog", "sqlite3", "openssl", "python3", "slapd", "postfix", "haproxy"],
  ...["libpam-modules", "libpam-sss", "sssd-ldap"],
];

/** The folder of the image; makes it where there is none, which takes a minute. */
export function ensureCaptureImage(dovecot: keyof typeof SUITES): Promise<string> {
  return ensureDebianImage(
    {
      ...{ name: "capture", suite: SUITES[dovecot], edition: 1 },
      ...{ installed: PACKAGES, archived: [] },
    },
    (line) => process.stderr.write(`${line}\n`),
  );
}
