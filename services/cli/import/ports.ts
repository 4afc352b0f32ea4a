/** fail2ban's `port`: numbers and names of services, with commas. */

/** IANA's names, as /etc/services has them, of what is watched on servers. */
const SERVICES: Readonly<Record<string, number>> = {
  ftp: 21,
  "ftp-data": 20,
  "ftps-data": 989,
  ftps: 990,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  http: 80,
  pop3: 110,
  "pop-3": 110,
  ident: 113,
  imap: 143,
  imap2: 143,
  imap3: 220,
  ldap: 389,
  https: 443,
  smtps: 465,
  ssmtp: 465,
  submissions: 465,
  urd: 465,
  submission: 587,
  ldaps: 636,
  imaps: 993,
  pop3s: 995,
  webmin: 10_000,
  mysql: 3306,
  postgresql: 5432,
  sieve: 4190,
  "http-alt": 8080,
  "8080": 8080,
};

const ALL = /^0?[:-](?:65535)?$|^0[:-]65535$|^(?:all|any)$/;

/** The ports of fail2ban's `port`, and the words of it that name none. */
export function portsOf(text: string): { ports: number[] | "all"; unknown: string[] } {
  const words = text.split(/[\s,]+/).filter((each) => each !== "");
  if (words.some((word) => ALL.test(word))) return { ports: "all", unknown: [] };
  const ports = new Set<number>();
  const unknown: string[] = [];
  for (const word of words) {
    const port = SERVICES[word.toLowerCase()] ?? (/^\d{1,5}$/.test(word) ? Number(word) : 0);
    if (port >= 1 && port <= 65_535) ports.add(port);
    else unknown.push(word);
  }
  return { ports: [...ports], unknown };
}
