/** Lines as Dovecot 2.3 writes them through rsyslog, for tests that write the log themselves. */
export interface FailedLogin {
  address: string;
  user?: string;
  attempts?: number;
  /** Epoch milliseconds. */
  at?: number;
}

let connections = 0;

/** The line of one connection that ends, with its newline. */
export function failedLogin(login: FailedLogin): string {
  const { address, user = "bob@example.org", attempts = 1, at = Date.now() } = login;
  connections += 1;
  const stamp = new Date(at).toISOString().replace("Z", "000+00:00");
  const session = connections.toString(36).padStart(8, "0");
  const reason = `Disconnected: Connection closed (auth failed, ${attempts} attempts in 2 secs)`;
  const elements = `user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.25, TLS, session=<${session}>`;
  return `${stamp} mx dovecot: imap-login: ${reason}: ${elements}\n`;
}
