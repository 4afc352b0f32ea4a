/** Dovecot 2.3.19, set up in many ways. */
import {
  BEHIND_HAPROXY,
  FOR_POSTFIX,
  MECHANISMS,
  NO_FILE,
  PAM,
  passwdFile,
  POLICY_SERVER,
  quiet,
  TWO_MODULES,
  DENIED_BY_PAM,
  verbose,
  type Configuration,
} from "./configuration.ts";
import { OUTAGES } from "./outage-actions.ts";
import { CERTIFICATES, CLEARTEXT, OTHER_SERVICES, SMTP } from "./service-actions.ts";

const CACHE = "auth_cache_size = 1M\nauth_cache_verify_password_with_worker = yes\n";
const ALL = passwdFile("users");
const TWO = passwdFile("users-first") + passwdFile("users-second");
const MASTER = `auth_master_user_separator = *\n${passwdFile("users-master", "master = yes\nresult_success = continue")}`;
const SQL = "passdb {\n driver = sql\n args = /etc/dovecot/sql.conf\n}\n";
const NO_PLAIN = "disable_plaintext_auth = yes\n";
const RIP_FIRST =
  "login_log_format_elements = rip=%r user=<%u> method=%m lip=%l mpid=%e %c session=<%{session}>\n";
const NO_METHOD = "login_log_format_elements = user=<%u> rip=%r lip=%l session=<%{session}>\n";
const BROKEN_SQL = "passdb {\n driver = sql\n args = /etc/dovecot/broken-sql.conf\n}\n";
const PROXY =
  "passdb {\n driver = static\n args = proxy=y host=127.0.0.1 port=2143 nopassword=y\n}\n";
const DENIED = passwdFile("denied", "deny = yes");
const ldap = (file: string) => `passdb {\n driver = ldap\n args = /etc/dovecot/${file}\n}\n`;

export const CONFIGURATIONS_23: readonly Configuration[] = [
  quiet(
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
    "no-session-two-passdbs",
    `${TWO}login_log_format_elements = user=<%u> method=%m rip=%r lip=%l %c %k\n`,
    { pace: "stock" },
  ),
  verbose(
    "user-last",
    `${ALL}login_log_format_elements = method=%m rip=%r lip=%l %c session=<%{session}> user=<%u>
auth_username_chars =
`,
  ),
  quiet(
    "cipher-last",
    `${ALL}login_log_format_elements = session=<%{session}> user=<%u> method=%m rip=%r lip=%l mpid=%e %c %k
instance_name = dovecot-front
`,
    { log: "syslog" },
  ),
  quiet(
    "elements-first",
    `${ALL}login_log_format = [%s] %$
mail_log_prefix = "%s(%u)<%{session}>: "
`,
  ),
  quiet("rip-first", ALL + RIP_FIRST),
  verbose("rip-first-verbose", ALL + RIP_FIRST, { log: "syslog" }),
  quiet("no-method", ALL + NO_METHOD),
  verbose("no-method-verbose", ALL + NO_METHOD),
  quiet("stock", ALL, { pace: "stock" }),
  verbose("stock-verbose", ALL, { pace: "stock", log: "syslog" }),
  verbose("two-passdbs", `auth_mechanisms = ${MECHANISMS}\n${MASTER}${TWO}`, {
    has: ["pop3", "nologin", "mechanisms", "master"],
  }),
  verbose(
    "two-passdbs-passwords",
    `auth_mechanisms = ${MECHANISMS}\nauth_verbose_passwords = plain\n${MASTER}${TWO}`,
    { has: ["pop3", "nologin", "mechanisms", "master"], log: "syslog" },
  ),
  quiet("passwords-only", `auth_verbose_passwords = sha1:6\n${ALL}`, { isVerbose: true }),
  verbose("debug", `auth_debug = yes\nauth_debug_passwords = yes\nmail_debug = yes\n${TWO}`),
  verbose("cache", `${CACHE}auth_verbose_passwords = sha1:6\n${TWO}`),
  verbose("cache-negative", `auth_cache_size = 1M\nauth_cache_negative_ttl = 1 hour\n${SQL}${ALL}`),
  verbose("sql", SQL, NO_FILE),
  verbose(
    "results",
    `${passwdFile("users-first", "result_failure = continue\nresult_success = continue-ok")}${passwdFile("users-second", "skip = authenticated")}`,
  ),
  verbose("denied", DENIED + ALL, { has: ["pop3", "nologin", "denied"] }),
  verbose("policy", POLICY_SERVER + ALL, {
    has: ["pop3", "nologin", "policy"],
    beside: ["policy"],
  }),
  quiet("policy-quiet", POLICY_SERVER + ALL, {
    has: ["pop3", "nologin", "policy"],
    beside: ["policy"],
  }),
  verbose("no-userdb", ALL, {
    has: ["pop3", "nologin", "no-userdb"],
    userdb: "userdb {\n driver = passwd-file\n args = username_format=%u /etc/dovecot/known\n}\n",
  }),
  verbose("pam-and-file", PAM + ALL, { log: "syslog" }),
  quiet("pam-and-file-quiet", PAM + ALL, {
    log: "syslog",
    isVerbose: true,
    pace: "stock",
    systemUsers: ["alice"],
  }),
  verbose("file-and-pam", passwdFile("users-second") + PAM, { log: "syslog" }),
  verbose("pam-services", PAM.replace("= dovecot", "= %s"), { log: "syslog", ...NO_FILE }),
  quiet("pam-quiet", PAM, { log: "syslog", isVerbose: true, ...NO_FILE }),
  quiet("pam-stock", PAM, { log: "syslog", isVerbose: true, pace: "stock", ...NO_FILE }),
  quiet("pam-modules", PAM, {
    log: "syslog",
    isVerbose: true,
    beside: ["ldap", "sssd"],
    pam: TWO_MODULES,
    ...NO_FILE,
  }),
  verbose("pam-modules-verbose", PAM, {
    log: "syslog",
    beside: ["ldap", "sssd"],
    pam: TWO_MODULES,
    ...NO_FILE,
  }),
  verbose("ldap-bind", ldap("ldap-bind.conf"), { beside: ["ldap"], ...NO_FILE }),
  verbose("ldap-lookup", ldap("ldap-lookup.conf") + ALL, { beside: ["ldap"], log: "syslog" }),
  verbose(
    "checkpassword",
    "passdb {\n driver = checkpassword\n args = /etc/dovecot/check\n}\n",
    NO_FILE,
  ),
  verbose("lua", "passdb {\n driver = lua\n args = file=/etc/dovecot/pass.lua blocking=yes\n}\n", {
    isSilentOfUnknown: true,
    ...NO_FILE,
  }),
  verbose(
    "oauth2",
    `auth_mechanisms = plain xoauth2 oauthbearer
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = /etc/dovecot/oauth2.conf
}
${ALL}`,
    { has: ["pop3", "nologin", "oauth2"], beside: ["tokens"] },
  ),
  verbose("haproxy", BEHIND_HAPROXY + ALL, { beside: ["haproxy"] }),
  verbose("mta", `protocols = imap\nauth_mechanisms = plain login\n${FOR_POSTFIX}${TWO}`, {
    actions: SMTP,
    pace: "stock",
    beside: ["postfix"],
    log: "syslog",
  }),
  quiet("mta-pam", `protocols = imap\nauth_mechanisms = plain login\n${FOR_POSTFIX}${PAM}`, {
    actions: SMTP,
    pace: "stock",
    isVerbose: true,
    beside: ["postfix"],
    log: "syslog",
  }),
  quiet(
    "certificates",
    `ssl_ca = </etc/dovecot/cert.pem\nssl_require_crl = no\nssl_verify_client_cert = yes\nauth_ssl_require_client_cert = yes\n${ALL}`,
    { actions: CERTIFICATES },
  ),
  quiet("services", ALL, { actions: OTHER_SERVICES }),
  verbose("services-verbose", ALL, { actions: OTHER_SERVICES, log: "syslog" }),
  quiet("cleartext", NO_PLAIN + ALL, { actions: CLEARTEXT }),
  verbose("cleartext-verbose", NO_PLAIN + ALL, { actions: CLEARTEXT }),
  verbose("broken-sql", BROKEN_SQL, { actions: OUTAGES }),
  quiet("broken-sql-quiet", BROKEN_SQL, { actions: OUTAGES }),
  verbose("missing-pam", PAM.replace("= dovecot", "= nothing"), {
    actions: OUTAGES,
    pam: DENIED_BY_PAM,
  }),
  quiet("missing-pam-quiet", PAM.replace("= dovecot", "= nothing"), {
    actions: OUTAGES,
    pam: DENIED_BY_PAM,
    // Its end says of a rejected name what it says of everybody.
    tells: () => 0,
  }),
  // The connection's end says that the server behind refused, not how often.
  quiet("proxy", PROXY, {
    isProxy: true,
    has: [],
    tells: ({ refused, isAccepted, parallel = 1 }) => (refused > 0 && !isAccepted ? parallel : 0),
  }),
  verbose("proxy-verbose", PROXY, {
    isProxy: true,
    has: [],
  }),
];
