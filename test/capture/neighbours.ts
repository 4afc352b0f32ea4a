/** What stands beside Dovecot on its host: servers that it asks, and those that ask it. */

export interface Neighbour {
  /** Beside Dovecot's own, in its folder. */
  files: Readonly<Record<string, string>>;
  /** Starts it, in bash, before Dovecot; what listens must do so when this is over. */
  start: string;
}

export type NeighbourName = "ldap" | "sssd" | "postfix" | "haproxy" | "policy" | "tokens";

/** Waits until something listens. */
const untilOpen = (port: number) =>
  `until (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null; do sleep 0.05; done\n`;

/** A server in Python that answers every POST with what `answer(body)` says. */
const answering = (port: number, answer: string) => `from http.server import *
import json
${answer}
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        said = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(answer(said)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
ThreadingHTTPServer(("127.0.0.1", ${port}), Handler).serve_forever()
`;

const person = (name: string, number: number) => `dn: uid=${name},dc=x
objectClass: inetOrgPerson
objectClass: posixAccount
uid: ${name}
cn: ${name}
sn: ${name}
uidNumber: ${number}
gidNumber: 100
homeDirectory: /tmp/mail/${name}
userPassword: right

`;

const LDAP: Neighbour = {
  files: {
    "slapd.conf": `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=x"
rootdn "cn=admin,dc=x"
rootpw admin
directory /tmp/ldap
`,
    "people.ldif": `dn: dc=x
objectClass: dcObject
objectClass: organization
dc: x
o: x

${person("alice", 5001)}${person("bob", 5002)}`,
  },
  start: `mkdir -p /tmp/ldap
slapadd -q -f /etc/dovecot/slapd.conf -l /etc/dovecot/people.ldif
slapd -f /etc/dovecot/slapd.conf -h ldap://127.0.0.1
${untilOpen(389)}`,
};

const SSSD: Neighbour = {
  files: {
    "sssd.conf": `[sssd]
services = nss, pam
domains = x
[domain/x]
id_provider = ldap
auth_provider = ldap
access_provider = permit
ldap_uri = ldap://127.0.0.1
ldap_search_base = dc=x
ldap_auth_disable_tls_never_use_in_production = true
`,
  },
  start: `mkdir -p /etc/sssd /var/log/sssd
cp /etc/dovecot/sssd.conf /etc/sssd/sssd.conf
chmod 600 /etc/sssd/sssd.conf
chown -R --reference=/var/lib/sss/db /etc/sssd /var/log/sssd
sssd -D
until [ -S /var/lib/sss/pipes/pam ]; do sleep 0.05; done
`,
};

const POSTFIX: Neighbour = {
  files: {
    "main.cf": `compatibility_level = 3.6
myhostname = mx1
mynetworks = 127.0.0.1
inet_interfaces = all
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:12345
smtpd_tls_security_level = none
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_sasl_security_options = noanonymous
`,
  },
  start: `cp /etc/dovecot/main.cf /etc/postfix/main.cf
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
sed -i 's/^smtp .*inet.*/587 inet n - n - - smtpd/' /etc/postfix/master.cf
newaliases || true
postfix start
`,
};

const HAPROXY: Neighbour = {
  files: {
    "haproxy.cfg": `global
  maxconn 500
defaults
  mode tcp
  timeout connect 5s
  timeout client 200s
  timeout server 200s
${[143, 110, 993]
  .map(
    (port) => `listen p${port}
  bind :${port}
  bind :::${port} v6only
  server dovecot 127.0.0.1:${port + 10_000} send-proxy-v2
`,
  )
  .join("")}`,
  },
  start: "haproxy -D -f /etc/dovecot/haproxy.cfg\n",
};

const POLICY: Neighbour = {
  files: {
    "policy.py": answering(
      8089,
      `def answer(said):
    refused = json.loads(said).get("login") == "erin"
    return {"status": -1 if refused else 0, "msg": "go away" if refused else ""}`,
    ),
  },
  start: `python3 /etc/dovecot/policy.py &\n${untilOpen(8089)}`,
};

const TOKENS: Neighbour = {
  files: {
    "tokens.py": answering(
      8088,
      `def answer(said):
    if b"token=good" not in said:
        return {"active": False}
    return {"active": True, "user": "alice", "username": "alice"}`,
    ),
    "oauth2.conf": `introspection_mode = post
introspection_url = http://127.0.0.1:8088/
username_attribute = user
active_attribute = active
active_value = true
`,
  },
  start: `python3 /etc/dovecot/tokens.py &\n${untilOpen(8088)}`,
};

export const NEIGHBOURS: Readonly<Record<NeighbourName, Neighbour>> = {
  ldap: LDAP,
  sssd: SSSD,
  postfix: POSTFIX,
  haproxy: HAPROXY,
  policy: POLICY,
  tokens: TOKENS,
};
