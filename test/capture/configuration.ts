/** How a captured Dovecot is set up, and the words that configurations are made of. */
import type { Action } from "./action.ts";
import { ACTIONS } from "./actions.ts";
import type { NeighbourName } from "./neighbours.ts";

export interface Configuration {
  name: string;
  dovecot: "2.3" | "2.4";
  /** Every refused password leaves a line at once. */
  isVerbose: boolean;
  /** auth_verbose is on: what leaves no line was no refused password, whatever the end says. */
  isComplete?: true;
  /** Dovecot's own log, or syslog with mail.log and auth.log. */
  log: "file" | "syslog";
  actions: readonly Action[];
  has: readonly NonNullable<Action["needs"]>[];
  /** What such an action leaves in this log; preset: see `truth.ts`. */
  tells?: (action: Action) => number;
  /** Behind the base of `machine-files.ts`. */
  settings: string;
  /** stock: Dovecot's own delays and penalties, which take a minute; preset: none. */
  pace?: "stock";
  /** Preset: everybody is there. */
  userdb?: string;
  beside?: readonly NeighbourName[];
  /** Whom the system knows, and so PAM; preset: alice and bob. */
  systemUsers?: readonly string[];
  /** The stack of PAM. */
  pam?: string;
  /** It says nothing at once of users that it does not know. */
  isSilentOfUnknown?: true;
  /** It passes everything on to another Dovecot beside it. */
  isProxy?: true;
}

const of = (name: string, settings: string, rest: Partial<Configuration> = {}): Configuration => ({
  name,
  dovecot: "2.3",
  isVerbose: false,
  log: "file",
  actions: ACTIONS,
  has: ["pop3", "nologin"],
  settings,
  ...rest,
});

/** With Dovecot's presets for what is logged. */
export const quiet = of;
export const verbose = (name: string, settings: string, rest: Partial<Configuration> = {}) =>
  of(name, `auth_verbose = yes\n${settings}`, {
    isVerbose: true,
    isComplete: true,
    ...rest,
  });

export const MECHANISMS = "plain login cram-md5 digest-md5 scram-sha-1 apop";
/** Only the file knows that somebody may not log in. */
export const NO_FILE = { has: ["pop3"] } as const;

/** The settings of Dovecot 2.3. */
export const passwdFile = (file: string, more = "") =>
  `passdb {\n driver = passwd-file\n args = scheme=PLAIN username_format=%u /etc/dovecot/${file}\n${more}\n}\n`;
export const PAM = "passdb {\n driver = pam\n args = dovecot\n}\n";

/** Of Dovecot 2.4. */
export const passwdFile24 = (name: string, file: string, more = "") =>
  `passdb ${name} {\n driver = passwd-file\n default_password_scheme = PLAIN\n passwd_file_path = /etc/dovecot/${file}\n${more}\n}\n`;
export const PAM24 = "passdb system {\n driver = pam\n service_name = dovecot\n}\n";

/** Where HAProxy sends what comes to the usual ports. */
export const BEHIND_HAPROXY = `haproxy_trusted_networks = 127.0.0.1
service imap-login {
  inet_listener imap {
    port = 10143
    haproxy = yes
  }
  inet_listener imaps {
    port = 10993
    haproxy = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 10110
    haproxy = yes
  }
}
`;

/** Where an MTA asks. */
export const FOR_POSTFIX = `service auth {
  inet_listener sasl {
    port = 12345
  }
}
`;

export const POLICY_SERVER =
  "auth_policy_server_url = http://127.0.0.1:8089/\nauth_policy_hash_nonce = salt\n";

/** Two modules of a stack that both say what they refused. */
export const TWO_MODULES = `auth sufficient pam_unix.so
auth sufficient pam_sss.so use_first_pass
auth required pam_deny.so
account sufficient pam_unix.so
account sufficient pam_sss.so
account required pam_permit.so
`;

/** What PAM's `other` often is: whoever asks for a service without a file is refused. */
export const DENIED_BY_PAM = "auth required pam_deny.so\naccount required pam_deny.so\n";
