/** A light host of its own with a real Dovecot: overlay, chroot, namespaces. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startChild, untilReady } from "../../services/standalone/child.ts";
import type { Namespace } from "../harness/netns.ts";
import type { Configuration } from "./configurations.ts";

export interface Machine {
  /** What is in this log of its. */
  read(log: string): Buffer;
  stop(): Promise<void>;
}

export async function startMachine(
  host: Namespace,
  root: string,
  folder: string,
  configuration: Configuration,
): Promise<Machine> {
  const conf = join(folder, "conf");
  for (const each of ["conf", "log", "layer"]) mkdirSync(join(folder, each), { recursive: true });
  for (const [name, text] of Object.entries(filesOf(configuration))) {
    writeFileSync(join(conf, name), text);
  }
  chmodSync(join(conf, "check"), 0o755);
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mx1"],
      ...["-keyout", join(conf, "key.pem"), "-out", join(conf, "cert.pem")],
    ],
    { stdio: "ignore" },
  );
  execFileSync("sqlite3", [
    join(conf, "users.db"),
    "create table users (userid text, password text); insert into users values ('alice','right'),('bob','right');",
  ]);
  chmodSync(join(conf, "users.db"), 0o644);
  const child = await startChild("unshare", {
    args: [
      ...["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"],
      ...["bash", join(import.meta.dirname, "machine.sh"), root, folder],
    ],
    spawn: host.spawn,
  });
  const read = (log: string) => {
    const path = join(folder, "log", log);
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  };
  await untilReady("dovecot", child, () =>
    Promise.resolve(read("mail.log").includes("starting up for")),
  );
  return { read, stop: () => child.stop("SIGKILL") };
}

function filesOf({ dovecot, log, settings, name }: Configuration): Record<string, string> {
  const isProxy = name.startsWith("proxy");
  return {
    "dovecot.conf": (dovecot === "2.3" ? base23(log) : base24(log)) + settings,
    users: users("alice", "bob"),
    "users-first": users("alice"),
    "users-second": users("bob"),
    "users-master": "master:right\n",
    pam: "auth required pam_unix.so\naccount required pam_unix.so\n",
    "sql.conf": `driver = sqlite
connect = /etc/dovecot/users.db
default_pass_scheme = PLAIN
password_query = SELECT userid AS user, password FROM users WHERE userid = '%u'
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
    "oauth2.conf": `introspection_mode = post
introspection_url = http://127.0.0.1:8088/
username_attribute = user
active_attribute = active
active_value = true
`,
    ...(name.startsWith("oauth2") && {
      "tokens.py": `from http.server import *
class Tokens(BaseHTTPRequestHandler):
    def do_POST(self):
        body = b'{"active": false}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
HTTPServer(("127.0.0.1", 8088), Tokens).serve_forever()
`,
    }),
    ...(log === "syslog" && {
      "rsyslog.conf": `module(load="imuxsock")
auth,authpriv.* action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
mail.* action(type="omfile" file="/var/log/mail.log" template="RSYSLOG_FileFormat")
`,
    }),
    ...(isProxy && {
      "backend.conf": `${base23("file")
        .replaceAll("/run/dovecot", "/run/backend")
        .replace("mail.log", "backend.log")
        .replace("instance_name = dovecot", "instance_name = backend")
        .replace("listen = *, ::", "listen = 127.0.0.1")}${PORTS}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u /etc/dovecot/users
}
`,
    }),
  };
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
}
service managesieve-login {
  inet_listener sieve {
    port = 24190
  }
}
`;

function users(...names: readonly string[]): string {
  const own = names.map((name) => `${name}:right::::::\n`).join("");
  return `${own}carol:right::::::allow_nets=192.0.2.0/24\ndave:right::::::nologin=y\n`;
}

const NO_PENALTY = `service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`;

function base23(log: Configuration["log"]): string {
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
auth_failure_delay = 0
mail_location = maildir:/tmp/mail/%u
first_valid_uid = 1
first_valid_gid = 1
submission_relay_host = 127.0.0.1
mail_max_userip_connections = 50
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/tmp/mail/%u allow_all_users=yes
}
${NO_PENALTY}`;
}

function base24(log: Configuration["log"]): string {
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
auth_failure_delay = 0
mail_driver = maildir
mail_path = /tmp/mail/%{user}
first_valid_uid = 1
first_valid_gid = 1
submission_relay_host = 127.0.0.1
mail_max_userip_connections = 50
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = /tmp/mail/%{user}
  }
  userdb_static_allow_all_users = yes
}
${NO_PENALTY}`;
}
