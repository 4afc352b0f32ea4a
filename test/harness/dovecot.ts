/** A real Dovecot, 2.3 or 2.4, of a test's own: IMAP and POP3, a passwd-file, its own log. */
import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startChild, untilReady, type Child, type Spawn } from "../../services/standalone/child.ts";

export interface DovecotOptions {
  /** An empty folder that its login processes can enter (mode 0755 up to the root). */
  folder: string;
  name: string;
  listen: readonly string[];
  users: Readonly<Record<string, string>>;
  /** Dovecot's own setting: a line for every attempt at once, not one per connection. */
  authVerbose: boolean;
  spawn?: Spawn;
  /** Further settings, in Dovecot's language. */
  settings?: string;
}

export interface Dovecot extends Child {
  /** Where it writes what fail2ban would read. */
  readonly log: string;
}

export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  const { folder, users } = options;
  const log = join(folder, "mail.log");
  const mail = join(folder, "mail");
  await mkdir(mail, { recursive: true });
  await chmod(mail, 0o777);
  const passwords = Object.entries(users).map(([user, word]) => `${user}:{PLAIN}${word}\n`);
  await writeFile(join(folder, "users"), passwords.join(""), { mode: 0o644 });
  const file = join(folder, "dovecot.conf");
  await writeFile(file, configuration(options, await is24(), log, mail));
  const child = await startChild("dovecot", {
    args: ["-F", "-c", file],
    ...(options.spawn && { spawn: options.spawn }),
  });
  // Dovecot's log is where it says that it is up; what it says on stderr is why it is not.
  const isUp = async () =>
    (await readFile(log, "utf8").catch(() => "")).includes("starting up for imap, pop3");
  await untilReady("dovecot", child, isUp);
  return { ...child, log };
}

/** 2.4 has other names for some settings. */
async function is24(): Promise<boolean> {
  const { stdout } = await promisify(execFile)("dovecot", ["--version"]);
  return stdout.startsWith("2.4");
}

const settings23 = (folder: string, mail: string) => `
disable_plaintext_auth = no
mail_location = maildir:${mail}/%u
passdb {
  driver = passwd-file
  args = username_format=%u ${folder}/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${mail}/%u
}
`;

const settings24 = (folder: string, mail: string) => `
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ${mail}/%{user}
passdb passwd-file {
  auth_username_format = %{user}
  passwd_file_path = ${folder}/users
}
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = ${mail}/%{user}
  }
}
`;

/**
 * `auth_failure_delay` and the penalty per address (anvil) would make every
 * failed login take seconds; what is written in the log is the same without.
 */
function configuration(options: DovecotOptions, is24: boolean, log: string, mail: string): string {
  const { folder, name, listen, authVerbose, settings = "" } = options;
  const head = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0";
  return `
${is24 ? head : ""}
protocols = imap pop3
instance_name = ${name}
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${log}
listen = ${listen.join(", ")}
ssl = no
auth_verbose = ${authVerbose ? "yes" : "no"}
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
${(is24 ? settings24 : settings23)(folder, mail)}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3s {
    port = 0
  }
}
${settings}
`;
}
