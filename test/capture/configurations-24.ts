/** Dovecot 2.4.1, set up in many ways. */
import {
  BEHIND_HAPROXY,
  FOR_POSTFIX,
  MECHANISMS,
  NO_FILE,
  PAM24,
  passwdFile24,
  POLICY_SERVER,
  quiet,
  TWO_MODULES,
  DENIED_BY_PAM,
  verbose,
  type Configuration,
} from "./configuration.ts";
import { OUTAGES } from "./outage-actions.ts";
import { CERTIFICATES, CLEARTEXT, OTHER_SERVICES, SMTP } from "./service-actions.ts";

const is24 = { dovecot: "2.4" } as const;
const ALL = passwdFile24("users", "users");
const TWO = passwdFile24("first", "users-first") + passwdFile24("second", "users-second");
const MASTER = `auth_master_user_separator = *\n${passwdFile24("masters", "users-master", "master = yes\nresult_success = continue")}`;
const LDAP = "ldap_uris = ldap://127.0.0.1\nldap_base = dc=x\n";

const RIP_FIRST =
  "login_log_format_elements = rip=%{remote_ip} user=<%{user}> method=%{mechanism} lip=%{local_ip} mpid=%{mail_pid} %{secured} session=<%{session}>\n";
const NO_METHOD =
  "login_log_format_elements = user=<%{user}> rip=%{remote_ip} lip=%{local_ip} session=<%{session}>\n";
const BROKEN_SQL = `sql_driver = sqlite
sqlite_path = /etc/dovecot/users.db
passdb sql {
  default_password_scheme = PLAIN
  query = SELECT userid AS user, password FROM nowhere WHERE userid = '%{user}'
}
`;
const MISSING_PAM = "passdb pam {\n service_name = nothing\n}\n";
const PROXY = `passdb static {
  fields {
    proxy = yes
    host = 127.0.0.1
    port = 2143
    nopassword = yes
  }
}
`;

export const CONFIGURATIONS_24: readonly Configuration[] = [
  quiet("default-24", ALL, is24),
  verbose("stock-24", ALL, { ...is24, pace: "stock" }),
  verbose("two-passdbs-24", `auth_mechanisms = ${MECHANISMS}\n${MASTER}${TWO}`, {
    ...is24,
    has: ["pop3", "nologin", "mechanisms", "master"],
  }),
  verbose("pam-24", PAM24 + ALL, { ...is24, log: "syslog" }),
  quiet("pam-and-file-quiet-24", PAM24 + ALL, {
    ...is24,
    log: "syslog",
    isVerbose: true,
    pace: "stock",
    systemUsers: ["alice"],
  }),
  verbose("pam-modules-24", PAM24, {
    ...is24,
    log: "syslog",
    beside: ["ldap", "sssd"],
    pam: TWO_MODULES,
    ...NO_FILE,
  }),
  verbose(
    "passwords-24",
    `auth_verbose_passwords = plain\nauth_username_chars =\n${ALL}login_log_format_elements {
  method = method=%{mechanism}
}
login_log_format_elements = method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured} session=<%{session}> user=<%{user}>
`,
    is24,
  ),
  quiet(
    "no-session-24",
    `${ALL}login_log_format_elements = user=<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured}\n`,
    is24,
  ),
  verbose(
    "no-session-two-passdbs-24",
    `${TWO}login_log_format_elements = user=<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured}\n`,
    { ...is24, pace: "stock" },
  ),
  quiet("elements-first-24", `${ALL}login_log_format = [%{elements}] %{message}\n`, is24),
  verbose("debug-24", `auth_debug = yes\nauth_debug_passwords = yes\nmail_debug = yes\n${TWO}`, {
    ...is24,
  }),
  verbose(
    "cache-24",
    `auth_cache_size = 1M\nauth_cache_verify_password_with_worker = yes\n${TWO}`,
    is24,
  ),
  verbose(
    "results-24",
    `${passwdFile24("first", "users-first", "result_failure = continue\nresult_success = continue-ok")}${passwdFile24("second", "users-second", "skip = authenticated")}`,
    is24,
  ),
  verbose("denied-24", passwdFile24("denied", "denied", "deny = yes") + ALL, {
    ...is24,
    has: ["pop3", "nologin", "denied"],
  }),
  verbose("policy-24", POLICY_SERVER + ALL, {
    ...is24,
    has: ["pop3", "nologin", "policy"],
    beside: ["policy"],
  }),
  verbose("no-userdb-24", ALL, {
    ...is24,
    has: ["pop3", "nologin", "no-userdb"],
    userdb: "userdb passwd-file {\n passwd_file_path = /etc/dovecot/known\n}\n",
  }),
  verbose(
    "ldap-bind-24",
    `${LDAP}passdb ldap {\n bind = yes\n filter = (&(objectClass=inetOrgPerson)(uid=%{user}))\n}\n`,
    { ...is24, beside: ["ldap"], ...NO_FILE },
  ),
  verbose(
    "ldap-lookup-24",
    `${LDAP}ldap_auth_dn = cn=admin,dc=x
ldap_auth_dn_password = admin
passdb ldap {
  filter = (&(objectClass=inetOrgPerson)(uid=%{user}))
  default_password_scheme = PLAIN
  fields {
    user = %{ldap:uid}
    password = %{ldap:userPassword}
  }
}
${ALL}`,
    { ...is24, beside: ["ldap"], log: "syslog" },
  ),
  verbose(
    "sql-24",
    `sql_driver = sqlite
sqlite_path = /etc/dovecot/users.db
passdb sql {
  default_password_scheme = PLAIN
  query = SELECT userid AS user, password FROM users WHERE userid = '%{user}'
}
`,
    { ...is24, ...NO_FILE },
  ),
  verbose(
    "oauth2-24",
    `auth_mechanisms = plain xoauth2 oauthbearer
oauth2 {
  introspection_mode = post
  introspection_url = http://127.0.0.1:8088/
  username_attribute = user
  active_attribute = active
  active_value = true
}
passdb oauth2 {
  mechanisms_filter = xoauth2 oauthbearer
}
${ALL}`,
    { ...is24, has: ["pop3", "nologin", "oauth2"], beside: ["tokens"] },
  ),
  verbose("haproxy-24", BEHIND_HAPROXY + ALL, { ...is24, beside: ["haproxy"] }),
  verbose("mta-24", `protocols = imap\nauth_mechanisms = plain login\n${FOR_POSTFIX}${TWO}`, {
    ...is24,
    actions: SMTP,
    pace: "stock",
    beside: ["postfix"],
    log: "syslog",
  }),
  quiet(
    "certificates-24",
    `ssl_server_ca_file = /etc/dovecot/cert.pem\nssl_server_require_crl = no\nssl_server_request_client_cert = yes\nauth_ssl_require_client_cert = yes\n${ALL}`,
    { ...is24, actions: CERTIFICATES },
  ),
  quiet("services-24", ALL, { ...is24, actions: OTHER_SERVICES, log: "syslog" }),
  quiet("cleartext-24", `auth_allow_cleartext = no\n${ALL}`, { ...is24, actions: CLEARTEXT }),
  quiet("rip-first-24", ALL + RIP_FIRST, is24),
  verbose("rip-first-verbose-24", ALL + RIP_FIRST, is24),
  quiet("no-method-24", ALL + NO_METHOD, { ...is24, log: "syslog" }),
  verbose("no-method-verbose-24", ALL + NO_METHOD, is24),
  verbose("broken-sql-24", BROKEN_SQL, { ...is24, actions: OUTAGES }),
  quiet("broken-sql-quiet-24", BROKEN_SQL, { ...is24, actions: OUTAGES }),
  verbose("missing-pam-24", MISSING_PAM, { ...is24, actions: OUTAGES, pam: DENIED_BY_PAM }),
  quiet("missing-pam-quiet-24", MISSING_PAM, {
    ...is24,
    actions: OUTAGES,
    pam: DENIED_BY_PAM,
    tells: () => 0,
  }),
  // The end names all exchanges, among them one with an unknown mechanism.
  quiet("proxy-24", PROXY, {
    ...is24,
    ...{ isProxy: true, has: [] },
    tells: ({ refused, told = refused, isAccepted, told24 = told, parallel = 1 }) =>
      isAccepted ? 0 : (refused + (told === 0 && told24 > 0 ? 1 : 0)) * parallel,
  }),
  verbose("proxy-verbose-24", PROXY, { ...is24, isProxy: true, has: [] }),
];
