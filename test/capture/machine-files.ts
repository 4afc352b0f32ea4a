/** What lies in /etc/dovecot of a captured host. */
import type { Configuration } from "./configuration.ts";
import { NEIGHBOURS } from "./neighbours.ts";

export function filesOf(configuration: Configuration): Record<string, string> {
  const { dovecot, settings, isProxy = false, beside = [], pam = PAM_UNIX, log } = configuration;
  const { systemUsers = ["alice", "bob"] } = configuration;
  const neighbours = beside.map((name) => NEIGHBOURS[name]);
  const backend = isProxy ? "dovecot -c /etc/dovecot/backend.conf\n" : "";
  return {
    "dovecot.conf": (dovecot === "2.3" ? base23(configuration) : base24(configuration)) + settings,
    start: [...systemUsers.map(addUser), ...neighbours.map(({ start }) => start), backend].join(""),
    users: users("alice", "bob"),
    "users-first": users("alice"),
    "users-second": users("bob"),
    "users-master": "master:right\n",
    denied: "frank:x\n",
    known: ["alice", "bob", "carol", "dave"].map(account).join(""),
    pam,
    ...FILES,
    ...Object.fromEntries(neighbours.flatMap(({ files }) => Object.entries(files))),
    ...(log === "syslog" && { "rsyslog.conf": RSYSLOG }),
    ...(isProxy && { "backend.conf": dovecot === "2.3" ? BACKEND_23 : BACKEND_24 }),
  };
}

const addUser = (name: string) => `useradd ${name}\nprintf '${name}:right\\n' | chpasswd\n`;

const PAM_UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n";

const RSYSLOG = `module(load="imuxsock")
auth,authpriv.* action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
mail.* action(type="omfile" file="/var/log/mail.log" template="RSYSLOG_FileFormat")
`;

const FILES = {
  "sql.conf": `driver = sqlite
connect = /etc/dovecot/users.db
default_pass_scheme = PLAIN
password_query = SELECT userid AS user, password FROM users WHERE userid = '%u'
`,
  "broken-sql.conf": `driver = sqlite
connect = /etc/dovecot/users.db
default_pass_scheme = PLAIN
password_query = SELECT userid AS user, password FROM nowhere WHERE userid = '%u'
`,
  "ldap-bind.conf": `uris = ldap://127.0.0.1
base = dc=x
auth_bind = yes
pass_filter = (&(objectClass=inetOrgPerson)(uid=%u))
pass_attrs = uid=user
`,
  "ldap-lookup.conf": `uris = ldap://127.0.0.1
base = dc=x
dn = cn=admin,dc=x
dnpass = admin
default_pass_scheme = PLAIN
pass_filter = (&(objectClass=inetOrgPerson)(uid=%u))
pass_attrs = uid=user,userPassword=password
`,
  check: `#!/bin/bash
IFS= read -r -d '' user <&3; IFS= read -r -d '' password <&3
case "$user:$password" in
  alice:right|bob:right) exec "$@" ;;
  *) exit 1 ;;
esac
`,
  "pass.lua": `function auth_passdb_lookup(req)
  if req.user == "alice" or req.user == "bob" then
    return dovecot.auth.PASSDB_RESULT_OK, "password={PLAIN}right"
  end
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such user"
end
`,
};

const account = (name: string) => `${name}::65534:65534::/tmp/mail/${name}::\n`;

/** carol is not let in from here, dave not at all; erin the policy server refuses, frank the list of the denied. */
function users(...names: readonly string[]): string {
  const own = names.map((name) => `${name}:right::::::\n`).join("");
  return `${own}erin:right::::::
frank:right::::::
carol:right::::::allow_nets=192.0.2.0/24
dave:right::::::nologin=y
`;
}

/** Nobody waits for an answer, however often he was refused. */
const QUICK = `auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`;

const USERDB = `userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/tmp/mail/%u allow_all_users=yes
}
`;

type Base = Pick<Configuration, "log" | "pace" | "userdb">;

function base23({ log, pace, userdb = USERDB }: Base): string {
  return `
protocols = imap pop3 submission sieve
instance_name = dovecot
base_dir = /run/dovecot
state_dir = /tmp
log_path = ${log === "file" ? "/var/log/mail.log" : "syslog"}
listen = *, ::
ssl = yes
ssl_cert = </etc/dovecot/cert.pem
ssl_key = </etc/dovecot/key.pem
disable_plaintext_auth = no
mail_location = maildir:/tmp/mail/%u
first_valid_uid = 1
first_valid_gid = 1
submission_relay_host = 127.0.0.1
mail_max_userip_connections = 50
${userdb}${pace === "stock" ? "" : QUICK}`;
}

const USERDB_24 = `userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = /tmp/mail/%{user}
  }
  userdb_static_allow_all_users = yes
}
`;

function base24({ log, pace, userdb = USERDB_24 }: Base): string {
  return `
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap pop3 submission sieve
base_dir = /run/dovecot
state_dir = /tmp
log_path = ${log === "file" ? "/var/log/mail.log" : "syslog"}
listen = *, ::
ssl = yes
ssl_server_cert_file = /etc/dovecot/cert.pem
ssl_server_key_file = /etc/dovecot/key.pem
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = /tmp/mail/%{user}
first_valid_uid = 1
first_valid_gid = 1
submission_relay_host = 127.0.0.1
mail_max_userip_connections = 50
${userdb}${pace === "stock" ? "" : QUICK}`;
}

const PORTS = `service imap-login {
  inet_listener imap {
    port = 2143
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 2110
  }
  inet_listener pop3s {
    port = 0
  }
}
service submission-login {
  inet_listener submission {
    port = 2587
  }
  inet_listener submissions {
    port = 0
  }
}
service managesieve-login {
  inet_listener sieve {
    port = 24190
  }
}
`;

/** The server behind a proxy, which believes what the proxy says of its clients. */
const BACKEND_23 = `${backendOf(base23({ log: "file" }))}instance_name = backend
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u /etc/dovecot/users
}
`;

const BACKEND_24 = `${backendOf(base24({ log: "file" }))}passdb users {
  driver = passwd-file
  default_password_scheme = PLAIN
  passwd_file_path = /etc/dovecot/users
}
`;

function backendOf(base: string): string {
  const own = base
    .replaceAll("/run/dovecot", "/run/backend")
    .replace("mail.log", "backend.log")
    .replace("state_dir = /tmp", "state_dir = /run")
    .replace("instance_name = dovecot\n", "")
    .replace("listen = *, ::", "listen = 127.0.0.1");
  return `${own}${PORTS}auth_verbose = yes\nlogin_trusted_networks = 127.0.0.1\n`;
}
