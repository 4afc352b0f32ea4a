/** A mail host's Dovecot, as its distribution starts it, for users who are in a file. */
import type { Guest } from "../harness/guests.ts";
import type { Suite } from "../harness/debian-image.ts";

export const USER = { name: "alice", password: "right" } as const;

const MAIL = "/srv/mail";

/** Places what Dovecot needs; to be called before the guest boots. */
export function placeDovecot(guest: Guest): void {
  guest.place("etc/dovecot/users", `${USER.name}:{PLAIN}${USER.password}\n`);
  guest.place("etc/dovecot/dovecot.conf", CONFIGURATIONS[guest.suite]);
  guest.place("etc/tmpfiles.d/mail.conf", `d ${MAIL} 0755 nobody nogroup -\n`);
}

/** Without the delays after failures, which would make every attack take seconds. */
const WITHOUT_DELAY = `
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`;

const CONFIGURATIONS: Readonly<Record<Suite, string>> = {
  // 2.3
  bookworm: `
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:${MAIL}/%u
passdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${MAIL}/%u
}
${WITHOUT_DELAY}`,
  // 2.4, which has another language
  trixie: `
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap pop3
ssl = no
auth_allow_cleartext = yes
first_valid_uid = 1
mail_driver = maildir
mail_path = ${MAIL}/%{user}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = ${MAIL}/%{user}
  }
}
${WITHOUT_DELAY}`,
};
