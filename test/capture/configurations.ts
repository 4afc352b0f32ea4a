/** Dovecots that are set up differently: what is in their configuration beside the base of `machine.ts`. */
import type { Action } from "./action.ts";
import { ACTIONS } from "./actions.ts";
import { CLEARTEXT, OTHER_SERVICES } from "./service-actions.ts";

export interface Configuration {
  name: string;
  dovecot: "2.3" | "2.4";
  /** Every refused password leaves a line at once. */
  isVerbose: boolean;
  /** Dovecot's own log, or syslog with mail.log and auth.log. */
  log: "file" | "syslog";
  actions: readonly Action[];
  has: readonly NonNullable<Action["needs"]>[];
  /** What such an action leaves in this log; preset: see `truth.ts`. */
  tells?: (action: Action) => number;
  settings: string;
}

const CACHE = "auth_cache_size = 1M\nauth_cache_verify_password_with_worker = yes\n";
const MECHANISMS = "plain login cram-md5 digest-md5 scram-sha-1 apop";

const passwdFile = (file: string, more = "") =>
  `passdb {\n driver = passwd-file\n args = scheme=PLAIN username_format=%u /etc/dovecot/${file}\n${more}\n}\n`;
const ALL = passwdFile("users");
const TWO = passwdFile("users-first") + passwdFile("users-second");
const MASTER = `auth_master_user_separator = *\n${passwdFile("users-master", "master = yes\nresult_success = continue")}`;
const PAM = "passdb {\n driver = pam\n args = dovecot\n}\n";
const SQL = "passdb {\n driver = sql\n args = /etc/dovecot/sql.conf\n}\n";
/** Only the file knows that somebody may not log in. */
const NO_FILE = { has: ["pop3"] } as const;
const NO_PLAIN = "disable_plaintext_auth = yes\n";

const PROXY =
  "passdb {\n driver = static\n args = proxy=y host=127.0.0.1 port=2143 nopassword=y\n}\n";

const passwdFile24 = (name: string, file: string, more = "") =>
  `passdb ${name} {\n driver = passwd-file\n default_password_scheme = PLAIN\n passwd_file_path = /etc/dovecot/${file}\n${more}\n}\n`;
const ALL24 = passwdFile24("users", "users");
const TWO24 = passwdFile24("first", "users-first") + passwdFile24("second", "users-second");
const MASTER24 = `auth_master_user_separator = *\n${passwdFile24("masters", "users-master", "master = yes\nresult_success = continue")}`;

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
const verbose = (name: string, settings: string, rest: Partial<Configuration> = {}) =>
  of(name, `auth_verbose = yes\n${settings}`, { isVerbose: true, ...rest });
const is24 = { dovecot: "2.4" } as const;

export const CONFIGURATIONS: readonly Configuration[] = [
  of(
    "no-session",
    `${ALL}log_timestamp = "%Y-%m-%d %H:%M:%S "
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l %c %k
`,
  ),
  verbose(
    "no-session-verbose",
    `${ALL}log_timestamp = "%d.%m.%Y %H:%M:%S "
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l %c %k
`,
  ),
  verbose(
    "user-last",
    `${ALL}login_log_format_elements = method=%m rip=%r lip=%l %c session=<%{session}> user=<%u>
auth_username_chars =
`,
  ),
  of(
    "cipher-last",
    `${ALL}login_log_format_elements = session=<%{session}> user=<%u> method=%m rip=%r lip=%l mpid=%e %c %k
instance_name = dovecot-front
`,
    { log: "syslog" },
  ),
  verbose("two-passdbs", `auth_mechanisms = ${MECHANISMS}\n${MASTER}${TWO}`, {
    has: ["pop3", "nologin", "mechanisms", "master"],
  }),
  verbose(
    "two-passdbs-passwords",
    `auth_mechanisms = ${MECHANISMS}\nauth_verbose_passwords = plain\n${MASTER}${TWO}`,
    { has: ["pop3", "nologin", "mechanisms", "master"], log: "syslog" },
  ),
  verbose("cache", `${CACHE}auth_verbose_passwords = sha1:6\n${TWO}`),
  verbose("sql", SQL, NO_FILE),
  verbose("pam-and-file", PAM + ALL, { log: "syslog" }),
  verbose("file-and-pam", passwdFile("users-second") + PAM, { log: "syslog" }),
  verbose("pam-services", PAM.replace("= dovecot", "= %s"), { log: "syslog", ...NO_FILE }),
  of("pam-quiet", PAM, { log: "syslog", isVerbose: true, ...NO_FILE }),
  verbose(
    "checkpassword",
    "passdb {\n driver = checkpassword\n args = /etc/dovecot/check\n}\n",
    NO_FILE,
  ),
  verbose(
    "lua",
    "passdb {\n driver = lua\n args = file=/etc/dovecot/pass.lua blocking=yes\n}\n",
    NO_FILE,
  ),
  verbose(
    "oauth2",
    `auth_mechanisms = plain xoauth2 oauthbearer
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = /etc/dovecot/oauth2.conf
}
${ALL}`,
    { has: ["pop3", "nologin", "oauth2"] },
  ),
  of("services", ALL, { actions: OTHER_SERVICES }),
  verbose("services-verbose", ALL, { actions: OTHER_SERVICES, log: "syslog" }),
  of("cleartext", NO_PLAIN + ALL, { actions: CLEARTEXT }),
  verbose("cleartext-verbose", NO_PLAIN + ALL, { actions: CLEARTEXT }),
  // The connection's end says that the server behind refused, not how often.
  of("proxy", PROXY, {
    has: [],
    tells: ({ refused, isAccepted, parallel = 1 }) => (refused > 0 && !isAccepted ? parallel : 0),
  }),
  verbose("proxy-verbose", PROXY, {
    has: [],
    tells: ({ refused, refusedByProxy = 0, parallel = 1 }) =>
      (refused > refusedByProxy ? refused - refusedByProxy : refused) * parallel,
  }),
  of("default-24", ALL24, is24),
  verbose("two-passdbs-24", `auth_mechanisms = ${MECHANISMS}\n${MASTER24}${TWO24}`, {
    ...is24,
    has: ["pop3", "nologin", "mechanisms", "master"],
  }),
  verbose("pam-24", "passdb system {\n driver = pam\n service_name = dovecot\n}\n" + ALL24, {
    ...is24,
    log: "syslog",
  }),
  verbose(
    "passwords-24",
    `auth_verbose_passwords = plain\nauth_username_chars =\n${ALL24}login_log_format_elements {
  method = method=%{mechanism}
}
login_log_format_elements = method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured} session=<%{session}> user=<%{user}>
`,
    is24,
  ),
  of(
    "no-session-24",
    `${ALL24}login_log_format_elements = user=<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured}\n`,
    is24,
  ),
  of("services-24", ALL24, { ...is24, actions: OTHER_SERVICES, log: "syslog" }),
  of("cleartext-24", `auth_allow_cleartext = no\n${ALL24}`, { ...is24, actions: CLEARTEXT }),
];
